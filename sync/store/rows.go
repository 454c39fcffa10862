package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// rowWrite is one row to insert or to write over.
type rowWrite struct {
	state  *engine.State
	key    string         // "" for one to be made
	record mapping.Record // every known field, references as Close ids
	closes string         // Close id to store; "" stores NULL
	set    mapping.Record // the fields to write over; a new row gets them all
}

// cell gives a column's text for a record. parents maps Close ids to local
// keys by object type.
func (c column) cell(r mapping.Record, parents map[string]map[string]string) (string, bool) {
	v := r.Get(c.field.Close)
	if c.field.Kind == mapping.Reference {
		if mapping.IsLocalRef(v) {
			return refKey(v), true
		}
		id, ok := v.Text()
		if !ok {
			return "", false
		}
		key, ok := parents[c.field.Parent][id]
		return key, ok
	}
	if c.json {
		text, ok := mapping.ColumnJSON(v)
		if !ok && c.empty != "" {
			return c.empty, true
		}
		return text, ok
	}
	text, ok := mapping.ColumnText(v)
	return text, ok || c.blank
}

// customJSON is the jsonb of every custom field without a column of its own.
func (t *table) customJSON(r mapping.Record) string {
	var names []string
	for name, v := range r {
		if mapping.IsCustom(name) && !v.IsNull() && !t.hasColumn(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(mapping.AppendName(b, strings.TrimPrefix(name, "custom.")), ':')
		b = append(b, r[name]...)
	}
	return string(append(b, '}'))
}

func (t *table) hasColumn(closeName string) bool {
	for i := range t.columns {
		if t.columns[i].field.Close == closeName {
			return true
		}
	}
	return false
}

func (t *table) cellOf(c column, r mapping.Record, parents map[string]map[string]string) (string, bool) {
	if t.custom != nil && c.name == t.custom.name {
		return t.customJSON(r), true
	}
	return c.cell(r, parents)
}

// insertRows adds rows, making their keys first. The rows' states get them.
func (w *writing) insertRows(ctx context.Context, t *table, list []*rowWrite, parents map[string]map[string]string) error {
	if len(list) == 0 {
		return nil
	}
	if err := t.makeKeys(ctx, w.tx, list); err != nil {
		return err
	}
	columns := t.all()
	names := []string{t.key, t.closeID}
	for _, c := range columns {
		names = append(names, c.name)
	}
	return w.copyIn(ctx, t.name, names, len(list), func(b *copier, i int) {
		row := list[i]
		b.text(row.key)
		b.optional(row.closes, row.closes != "")
		for _, c := range columns {
			b.optional(t.cellOf(c, row.record, parents))
		}
		row.state.LocalKey = row.key
	})
}

// makeKeys gives each row a key from the table's own default. A table without
// one takes the Close id, which only a text key can hold.
func (t *table) makeKeys(ctx context.Context, tx pgx.Tx, list []*rowWrite) error {
	if t.newKey == "" {
		for _, w := range list {
			if w.key == "" {
				w.key = w.closes
			}
		}
		return nil
	}
	rows, err := tx.Query(ctx, fmt.Sprintf("SELECT (%s)::text FROM generate_series(1, $1)", t.newKey), len(list))
	if err != nil {
		return err
	}
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for i, w := range list {
		if w.key == "" {
			w.key = keys[i]
		}
	}
	return nil
}

// updateRows writes rows over, each in its Close id and in the columns of its
// changed fields: what nobody changed stays as its owner wrote it. They were read
// in this transaction, and locked unless somebody else had (see loadRows).
func (s *Store) updateRows(ctx context.Context, tx pgx.Tx, t *table, list []*rowWrite, parents map[string]map[string]string) error {
	sort.Slice(list, func(i, j int) bool { return list[i].key < list[j].key })
	alike := map[string][]*rowWrite{}
	for _, row := range list {
		alike[t.columnSet(row.set)] = append(alike[t.columnSet(row.set)], row)
	}
	for _, columns := range slices.Sorted(maps.Keys(alike)) {
		if err := s.updateColumns(ctx, tx, t, alike[columns], parents); err != nil {
			return err
		}
	}
	return nil
}

// touched are the columns that a change of the fields in set writes.
func (t *table) touched(set mapping.Record) []column {
	var list []column
	for _, c := range t.columns {
		if _, ok := set[c.field.Close]; ok {
			list = append(list, c)
		}
	}
	for name := range set {
		if t.custom != nil && mapping.IsCustom(name) && !t.hasColumn(name) {
			return append(list, *t.custom)
		}
	}
	return list
}

// columnSet names the columns that touched gives.
func (t *table) columnSet(set mapping.Record) string {
	var names []string
	for _, c := range t.touched(set) {
		names = append(names, c.name)
	}
	return strings.Join(names, ",")
}

// updateColumns writes rows over that change in the same columns.
func (s *Store) updateColumns(ctx context.Context, tx pgx.Tx, t *table, list []*rowWrite, parents map[string]map[string]string) error {
	columns := t.touched(list[0].set)
	keys := make([]string, len(list))
	closes := make([]*string, len(list))
	args := []any{keys, closes}
	set := []string{fmt.Sprintf("%s = v.c1", t.closeID)}
	params := []string{"$1::text[]", "$2::text[]"}
	aliases := []string{"k", "c1"}
	for i, c := range columns {
		values := make([]*string, len(list))
		for j, w := range list {
			if text, ok := t.cellOf(c, w.record, parents); ok {
				values[j] = &text
			}
		}
		args = append(args, values)
		params = append(params, fmt.Sprintf("$%d::text[]", i+3))
		aliases = append(aliases, fmt.Sprintf("c%d", i+2))
		set = append(set, fmt.Sprintf("%s = v.c%d::%s", c.name, i+2, c.cast))
	}
	for j, w := range list {
		keys[j] = w.key
		if w.closes != "" {
			closes[j] = &w.closes
		}
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("UPDATE %s t SET %s FROM unnest(%s) AS v(%s) WHERE t.%s = v.k::%s",
		t.name, strings.Join(set, ", "), strings.Join(params, ", "), strings.Join(aliases, ", "), t.key, t.keyCast), args...)
	return err
}

func (s *Store) deleteRows(ctx context.Context, tx pgx.Tx, t *table, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s = ANY ($1::text[]::%s[])", t.name, t.key, t.keyCast), keys)
	return err
}

// setColumn writes one column of rows: the flag of on_close_delete, a Close id.
func (s *Store) setColumn(ctx context.Context, tx pgx.Tx, t *table, name, expression string, keys []string, args ...any) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = ANY ($1::text[]::%s[])",
		t.name, quote(name), expression, t.key, t.keyCast), append([]any{keys}, args...)...)
	return err
}

// moveChildren points the rows that refer to one row at another, before the
// first is deleted by a merge: a cascade would take them with it.
func (s *Store) moveChildren(ctx context.Context, tx pgx.Tx, parent, fromKey, toKey string) error {
	for _, objectType := range mapping.Types() {
		t := s.table(objectType)
		if t == nil {
			continue
		}
		for _, c := range t.columns {
			if c.field.Kind != mapping.Reference || c.field.Parent != parent {
				continue
			}
			sql := fmt.Sprintf("UPDATE %s SET %s = $1::text::%s WHERE %s = $2::text::%s RETURNING %s::text", t.name, c.name, c.cast, c.name, c.cast, t.key)
			rows, err := tx.Query(ctx, sql, toKey, fromKey)
			if err != nil {
				return err
			}
			keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			if err := s.markLocal(ctx, tx, objectType, keys, true); err != nil {
				return err
			}
		}
	}
	return nil
}
