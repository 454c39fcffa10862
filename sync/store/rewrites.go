package store

import (
	"context"
	"fmt"

	"closesync/mapping"
)

// heedTriggers looks at rows just written to a table whose own triggers may
// change what is written. What they changed is an edit made here like any
// other, but no hint tells of it: the write is ours. The record is looked at
// again. A field that mirrors Close is left as the trigger made it.
func (w *writing) heedTriggers(ctx context.Context, t *table, written []*rowWrite) error {
	if !t.rewrites || len(written) == 0 || t.object.Direction == mapping.FromClose {
		return nil
	}
	byKey := map[string]*rowWrite{}
	for _, row := range written {
		byKey[row.key] = row
	}
	rows, err := w.tx.Query(ctx, fmt.Sprintf("SELECT t.%[2]s::text, %[4]s FROM %[1]s t WHERE t.%[2]s = ANY ($1::text[]::%[3]s[])",
		t.name, t.key, t.keyCast, t.json()), keysOf(byKey))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, text string
		if err := rows.Scan(&key, &text); err != nil {
			return err
		}
		rec, err := t.record([]byte(text))
		if row := byKey[key]; row != nil && err == nil && t.differs(row.record, rec) {
			row.state.Outcome.Mark, row.state.Outcome.Fetch = true, true
		}
	}
	return rows.Err()
}

// differs reports whether a row holds another value than was meant in a field
// that may be edited here. References are left out: their columns hold keys.
func (t *table) differs(meant, row mapping.Record) bool {
	for _, rec := range []mapping.Record{meant, row} {
		for name := range rec {
			f, ok := t.object.Field(name)
			if ok && !f.ReadOnly && f.Kind != mapping.Reference && !mapping.Same(f, meant.Get(name), row.Get(name)) {
				return true
			}
		}
	}
	return false
}
