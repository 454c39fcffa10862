package store

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// copier builds the text form of COPY: any column type takes its value as
// text, so that one path serves our tables and a user's.
type copier struct {
	buf   []byte
	first bool
}

// copyBytes is from where on what was written is sent.
const copyBytes = 1 << 20

// reserve makes room for about so many bytes, so that a buffer of hundreds of
// kilobytes does not grow step by step.
func (c *copier) reserve(size int64) {
	if size = min(size, copyBytes+copyBytes/8); size > int64(cap(c.buf)) {
		c.buf = make([]byte, 0, size)
	}
}

func (c *copier) begin() { c.first = true }

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

// run sends the rows. The copier is empty then and may be used again.
func (c *copier) run(ctx context.Context, tx pgx.Tx, table string, columns []string) error {
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN", table, strings.Join(columns, ", "))
	_, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(c.buf), sql)
	c.buf = c.buf[:0]
	return err
}
