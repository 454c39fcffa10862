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
	Key        string // of the mapping that asks for it: "key", "fields" or "on_close_delete"
	Field      string // Close's name of the field; "" if it is about no single one
	What       string
	Absent     bool // a column that the mapping names is not there
}

// Inspect compares the mapped tables, as last read, with the mapping. It
// writes nothing.
func (s *Store) Inspect() []TableProblem {
	var list []TableProblem
	for _, objectType := range mapping.Types() {
		if t := s.table(objectType); t != nil {
			list = append(list, t.problems()...)
		}
	}
	return list
}

func (t *table) problems() []TableProblem {
	var list []TableProblem
	add := func(key, field, format string, args ...any) *TableProblem {
		list = append(list, TableProblem{ObjectType: t.object.Type, Table: t.object.Table.String(), Key: key, Field: field, What: fmt.Sprintf(format, args...)})
		return &list[len(list)-1]
	}
	for _, f := range t.object.Fields {
		if slices.Contains(t.missing, f.Column) {
			add("fields", f.Close, "has no column %s", f.Column).Absent = true
		}
	}
	if len(t.retyped) > 0 {
		add("fields", "", "has another type of column %s than when the worker started: restart it", strings.Join(t.retyped, ", "))
	}
	for _, c := range t.columns {
		if !fits(c) {
			add("fields", c.field.Close, "column %s is %s, which cannot hold %s", c.field.Column, c.exact, c.field.Close)
		}
	}
	for _, a := range t.astray {
		add("fields", a.field, "%s", a.what)
	}
	if t.flag != "" {
		add("on_close_delete", "", "%s", t.flag)
	}
	if t.newKey == "" && t.keyCast != "text" {
		add("key", "", "the key %s has no default, so no row can be made for a record of Close", t.object.Key)
	}
	return list
}

// Impossible lists what of the mapping was never possible: the table has no
// such column, or it cannot hold such values. What fitted once, and was dropped
// or changed since, stops its field alone (fault C14).
func (s *Store) Impossible(ctx context.Context) ([]TableProblem, error) {
	known, err := s.knownMapping(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(s.Inspect(), func(p TableProblem) bool {
		was, met := known[p.ObjectType]
		f, one := s.objects[p.ObjectType].Field(p.Field)
		return p.Key == "key" || met && p.Key == "fields" && (!one || was.column(f.Close) == f.Column)
	}), nil
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
