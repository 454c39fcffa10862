package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

// ErrBadValue: the chosen value cannot be content of the field.
var ErrBadValue = errors.New("the field cannot hold that value")

// choice is what an operator decided: a side, a value as JSON, or a text that
// the field makes a value of.
type choice struct {
	Take  string         `json:"take,omitempty"`
	Value jsontext.Value `json:"value,omitempty"`
	Text  *string        `json:"text,omitempty"`
}

// openConflict is the part of an open conflict that a choice is about.
type openConflict struct {
	Record     int64
	ObjectType string
	Field      string
	Status     string
	Winner     string
	ResolvedAt *time.Time
}

// ResolveConflict notes an operator's choice, {"take":"close"},
// {"take":"local"}, {"value":…} or {"text":"…"}, and has the record looked at
// again; the cycle carries it out and closes the conflict. ErrNotFound,
// ErrDecided and ErrBadValue are the caller's mistakes.
func (s *Store) ResolveConflict(ctx context.Context, id int64, raw jsontext.Value) error {
	var c choice
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("conflict %d: %w", id, err)
	}
	err := s.tx(ctx, func(tx pgx.Tx) error {
		open, err := s.lockConflict(ctx, tx, id)
		if err != nil {
			return err
		}
		chosen := c
		if c.Take == "" {
			if chosen, err = s.typed(ctx, tx, open, c); err != nil {
				return err
			}
		}
		text, err := json.Marshal(chosen)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE closesync.conflict_log SET choice = $2::text::jsonb WHERE id = $1`, id, string(text)); err != nil {
			return err
		}
		return s.again(ctx, tx, []int64{open.Record}, fmt.Sprintf("resolve conflict %d", id))
	})
	if err != nil {
		return fmt.Errorf("conflict %d: %w", id, err)
	}
	return nil
}

func (s *Store) lockConflict(ctx context.Context, tx pgx.Tx, id int64) (openConflict, error) {
	var c openConflict
	err := tx.QueryRow(ctx, `SELECT record_id, object_type, field, status, coalesce(winner, ''), resolved_at FROM closesync.conflict_log
		WHERE connection = $1 AND id = $2 FOR UPDATE`, s.id, id).Scan(&c.Record, &c.ObjectType, &c.Field, &c.Status, &c.Winner, &c.ResolvedAt)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return c, ErrNotFound
	case err == nil && c.Status != "open":
		return c, fmt.Errorf("%w (%s) on %s", ErrDecided, c.winner(), c.ResolvedAt.UTC().Format(time.DateTime))
	}
	return c, err
}

func (c openConflict) winner() string {
	switch c.Winner {
	case "":
		return "the sides agreed by themselves"
	case "value":
		return "a third value"
	}
	return c.Winner + " won"
}

// typed makes a value of the field's own kind.
func (s *Store) typed(ctx context.Context, q Querier, of openConflict, c choice) (choice, error) {
	f, definition, err := s.fieldOf(ctx, q, of)
	if err != nil {
		return c, err
	}
	raw := c.Value
	if c.Text != nil {
		raw = fromText(f, definition, *c.Text)
	}
	v, err := mapping.Canon(f, raw)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrBadValue, err)
	}
	if f.Required && v.IsNull() {
		return c, fmt.Errorf("%w: %s cannot be empty", ErrBadValue, of.Field)
	}
	if err := definition.takes(of.Field, v); err != nil {
		return c, err
	}
	if f.Kind == mapping.Reference && !v.IsNull() {
		if err := s.knows(ctx, q, f, v); err != nil {
			return c, err
		}
	}
	return choice{Value: jsontext.Value(v)}, nil
}

// fieldOf gives the field with the kind of its column, and of a custom field
// what Close says about it.
func (s *Store) fieldOf(ctx context.Context, q Querier, of openConflict) (mapping.Field, definition, error) {
	t := s.table(of.ObjectType)
	if t == nil {
		return mapping.Field{}, definition{}, ErrNoTable
	}
	f, ok := t.object.Field(of.Field)
	if !ok {
		return f, definition{}, fmt.Errorf("%w: %s is mapped no longer", ErrBadValue, of.Field)
	}
	for _, c := range t.columns {
		if c.field.Close == of.Field {
			f = c.field
		}
	}
	var d definition
	if !mapping.IsCustom(of.Field) {
		return f, d, nil
	}
	err := q.QueryRow(ctx, `SELECT coalesce(type, ''), coalesce(multiple, false), coalesce(choices, '[]')::text FROM crm.custom_fields WHERE close_id = $1`,
		strings.TrimPrefix(of.Field, "custom.")).Scan(&d.Type, &d.Multiple, &d.choices)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return f, d, err
}

// definition is what Close says about a custom field; the zero value nothing.
type definition struct {
	Type     string
	Multiple bool
	choices  string
}

// takes checks a value against the definition.
func (d definition) takes(field string, v mapping.Value) error {
	if v.IsNull() || d.Type == "" {
		return nil
	}
	items := []mapping.Value{v}
	if v[0] == '[' {
		if !d.Multiple {
			return fmt.Errorf("%w: %s takes one value", ErrBadValue, field)
		}
		items = mapping.Items(v)
	}
	var choices []string
	if err := json.Unmarshal([]byte(d.choices), &choices); err != nil {
		return err
	}
	for _, item := range items {
		text, isText := item.Text()
		switch {
		case d.Type == "number" && isText:
			return fmt.Errorf("%w: %s takes a number", ErrBadValue, field)
		case d.Type != "number" && !isText:
			return fmt.Errorf("%w: %s takes text", ErrBadValue, field)
		case d.Type == "choices" && len(choices) > 0 && !slices.Contains(choices, text):
			return fmt.Errorf("%w: %s takes one of %s", ErrBadValue, field, strings.Join(choices, ", "))
		}
	}
	return nil
}

// fromText reads what a person typed: as the field's own text, else as JSON
// where it is that, else as text.
func fromText(f mapping.Field, d definition, text string) jsontext.Value {
	isText := f.Kind == mapping.Text || f.Kind == mapping.Reference || (f.Kind == mapping.Any && d.Type != "" && d.Type != "number" && !d.Multiple)
	typed := jsontext.Value(text)
	if text == "" || text == "null" {
		return jsontext.Value("null")
	}
	if typed.IsValid() && (!isText || typed.Kind() == '"') {
		return typed
	}
	quoted, _ := jsontext.AppendQuote(nil, text) // of bad UTF-8, it replaces that
	return quoted
}

// knows checks that a reference names a record that is linked here.
func (s *Store) knows(ctx context.Context, q Querier, f mapping.Field, v mapping.Value) error {
	id, _ := v.Text()
	keys, err := s.localKeys(ctx, q, f.Parent, []string{id})
	if err == nil && keys[id] == "" {
		err = fmt.Errorf("%w: there is no %s with the Close id %s here", ErrBadValue, f.Parent, id)
	}
	return err
}
