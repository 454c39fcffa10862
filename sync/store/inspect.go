package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"closesync/mapping"
)

// TableProblem is something about a mapped table that keeps fields, or all of
// it, from being synchronised.
type TableProblem struct {
	ObjectType string
	Table      string
	What       string
	Absent     bool // a column that the mapping names is not there
}

// Inspect compares the mapped tables, as last read, with the mapping. It
// writes nothing.
func (s *Store) Inspect() []TableProblem {
	var list []TableProblem
	for _, objectType := range mapping.Types() {
		t := s.table(objectType)
		if t == nil {
			continue
		}
		add := func(format string, args ...any) {
			list = append(list, TableProblem{ObjectType: objectType, Table: t.object.Table.String(), What: fmt.Sprintf(format, args...)})
		}
		if len(t.missing) > 0 {
			add("has no column %s", strings.Join(t.missing, ", "))
			list[len(list)-1].Absent = true
		}
		if len(t.retyped) > 0 {
			add("has another type of column %s than when the worker started: restart it", strings.Join(t.retyped, ", "))
		}
		for _, c := range t.columns {
			if !fits(c) {
				add("column %s is %s, which cannot hold %s", c.field.Column, c.exact, c.field.Close)
			}
		}
		for _, what := range t.astray {
			add("%s", what)
		}
		if t.newKey == "" && t.keyCast != "text" {
			add("the key %s has no default, so no row can be made for a record of Close", t.object.Key)
		}
	}
	return list
}

// fits reports whether values of the field's kind can stand in the column. A
// text column takes anything.
func fits(c column) bool {
	name, _, _ := strings.Cut(c.cast, "(")
	have, known := mapping.KindForColumn(strings.TrimSpace(name))
	switch {
	case !known:
		return c.field.Kind == mapping.Text || c.field.Kind == mapping.Any // an enum or a domain
	case have == mapping.Text || c.field.Kind == mapping.Any || c.field.Kind == mapping.Reference:
		return true
	case have == mapping.Any:
		return true // jsonb
	case have == mapping.Number:
		return slices.Contains([]mapping.Kind{mapping.Number, mapping.Integer}, c.field.Kind)
	}
	return have == c.field.Kind
}

// Untriggered lists the object types whose local changes are not captured
// now. EnsureTriggers repairs them.
func (s *Store) Untriggered(ctx context.Context) ([]string, error) {
	var list []string
	for _, objectType := range mapping.Types() {
		t := s.table(objectType)
		if t == nil {
			continue
		}
		good, err := s.triggersGood(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("store.Untriggered(%s): %w", objectType, err)
		}
		if !good {
			list = append(list, objectType)
		}
	}
	return list, nil
}
