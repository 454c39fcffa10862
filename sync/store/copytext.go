package store

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// copier builds the text form of COPY: any column type takes its value as
// text, so that one path serves our tables and a user's.
type copier struct {
	buf   []byte
	first bool
}

// buffers are those of copiers that have run; a load makes the same ones, of
// hundreds of kilobytes, again and again.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// keptBuffer is the largest one worth keeping.
const keptBuffer = 2 << 20

func (c *copier) begin() {
	if c.buf == nil {
		c.buf = (*buffers.Get().(*[]byte))[:0]
	}
	c.first = true
}

func (c *copier) sep() {
	if !c.first {
		c.buf = append(c.buf, '\t')
	}
	c.first = false
}

func (c *copier) null() {
	c.sep()
	c.buf = append(c.buf, `\N`...)
}

// text appends one value with the escapes of COPY's text format.
func (c *copier) text(s string) {
	c.sep()
	if plain(s) {
		c.buf = append(c.buf, s...)
		return
	}
	for i := range len(s) {
		switch s[i] {
		case '\\':
			c.buf = append(c.buf, `\\`...)
		case '\t':
			c.buf = append(c.buf, `\t`...)
		case '\n':
			c.buf = append(c.buf, `\n`...)
		case '\r':
			c.buf = append(c.buf, `\r`...)
		default:
			c.buf = append(c.buf, s[i])
		}
	}
}

// plain reports whether nothing in s needs an escape.
func plain(s string) bool {
	return strings.IndexByte(s, '\\') < 0 && strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\t') < 0 && strings.IndexByte(s, '\r') < 0
}

func (c *copier) optional(s string, ok bool) {
	if ok {
		c.text(s)
	} else {
		c.null()
	}
}

func (c *copier) end() { c.buf = append(c.buf, '\n') }

// run sends the rows; the copier is empty again then.
func (c *copier) run(ctx context.Context, tx pgx.Tx, table string, columns []string) error {
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN", table, strings.Join(columns, ", "))
	_, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(c.buf), sql)
	if err == nil && cap(c.buf) <= keptBuffer { // else a writer may still hold it
		buffers.Put(&c.buf)
	}
	c.buf = nil
	return err
}
