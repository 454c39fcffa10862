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
	buf   bytes.Buffer
	first bool
}

func (c *copier) begin() { c.first = true }

func (c *copier) sep() {
	if !c.first {
		c.buf.WriteByte('\t')
	}
	c.first = false
}

func (c *copier) null() {
	c.sep()
	c.buf.WriteString(`\N`)
}

// text appends one value with the escapes of COPY's text format.
func (c *copier) text(s string) {
	c.sep()
	for {
		i := strings.IndexAny(s, "\\\t\n\r")
		if i < 0 {
			c.buf.WriteString(s)
			return
		}
		c.buf.WriteString(s[:i])
		switch s[i] {
		case '\\':
			c.buf.WriteString(`\\`)
		case '\t':
			c.buf.WriteString(`\t`)
		case '\n':
			c.buf.WriteString(`\n`)
		case '\r':
			c.buf.WriteString(`\r`)
		}
		s = s[i+1:]
	}
}

func (c *copier) optional(s string, ok bool) {
	if ok {
		c.text(s)
	} else {
		c.null()
	}
}

func (c *copier) end() { c.buf.WriteByte('\n') }

func (c *copier) run(ctx context.Context, tx pgx.Tx, table string, columns []string) error {
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN", table, strings.Join(columns, ", "))
	_, err := tx.Conn().PgConn().CopyFrom(ctx, &c.buf, sql)
	return err
}
