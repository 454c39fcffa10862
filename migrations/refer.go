package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Reference is a column of a table of ours that holds the key of a row of the
// table to which the mapping takes its parents.
type Reference struct {
	Table     pgx.Identifier
	Column    string
	Parent    pgx.Identifier
	ParentKey string
	Required  bool // a row without its parent cannot be
}

// Refer makes foreign keys of our tables point where their parents are: the
// migrations know our tables alone, the mapping may keep the parents in one of
// the user's, with a key of another type. A parent's table that is not there
// changes nothing, nor does a table that holds rows: they belong to the parents
// it has. It may run twice and in several processes at once.
func Refer(ctx context.Context, pool *pgxpool.Pool, list []Reference) error {
	for _, r := range list {
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return r.point(ctx, tx) })
		if err != nil {
			return fmt.Errorf("the foreign key of %s.%s cannot point at %s: %w", strings.Join(r.Table, "."), r.Column, strings.Join(r.Parent, "."), err)
		}
	}
	return nil
}

// target is where a reference points now, and the types of both ends.
type target struct {
	has       string   // the column's type
	cast      string   // the key's type
	elsewhere []string // foreign keys of this column to other places
	right     bool
}

const targetSQL = `
SELECT format_type(a.atttypid, a.atttypmod), format_type(k.atttypid, k.atttypmod),
       coalesce(array_agg(f.conname::text) FILTER (WHERE NOT f.fits), '{}'), coalesce(bool_or(f.fits), false)
FROM pg_attribute a
JOIN pg_attribute k ON k.attrelid = to_regclass($3) AND k.attname = $4 AND NOT k.attisdropped
LEFT JOIN LATERAL (SELECT c.conname, c.confrelid = k.attrelid AND c.confkey = ARRAY[k.attnum] AS fits
	FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND c.conkey = ARRAY[a.attnum]) f ON true
WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped
GROUP BY a.atttypid, a.atttypmod, k.atttypid, k.atttypmod`

func (r Reference) look(ctx context.Context, tx pgx.Tx) (t target, found bool, err error) {
	err = tx.QueryRow(ctx, targetSQL, r.Table.Sanitize(), r.Column, r.Parent.Sanitize(), r.ParentKey).
		Scan(&t.has, &t.cast, &t.elsewhere, &t.right)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, false, nil
	}
	return t, err == nil, err
}

func (r Reference) point(ctx context.Context, tx pgx.Tx) error {
	now, found, err := r.look(ctx, tx)
	if err != nil || !found || (now.right && len(now.elsewhere) == 0) {
		return err
	}
	if _, err := tx.Exec(ctx, "LOCK TABLE "+r.Table.Sanitize()+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return err
	}
	var filled bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+r.Table.Sanitize()+")").Scan(&filled); err != nil || filled {
		return err
	}
	if now, _, err = r.look(ctx, tx); err != nil {
		return err
	}
	for _, sql := range r.statements(now) {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (r Reference) statements(now target) []string {
	table, column := r.Table.Sanitize(), quoted(r.Column)
	var list []string
	for _, name := range now.elsewhere {
		list = append(list, fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", table, quoted(name)))
	}
	if now.has != now.cast {
		list = append(list, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %[2]s::text::%[3]s", table, column, now.cast))
	}
	if now.right {
		return list
	}
	without := "SET NULL"
	if r.Required {
		without = "CASCADE"
	}
	return append(list, fmt.Sprintf("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s) ON DELETE %s",
		table, column, r.Parent.Sanitize(), quoted(r.ParentKey), without))
}
