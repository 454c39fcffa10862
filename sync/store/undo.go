package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// ErrNoUndo: what the journal tells cannot be taken back.
var ErrNoUndo = errors.New("cannot be undone")

// undoEntry is one line of the journal that is taken back.
type undoEntry struct {
	ObjectType, CloseID, Action, Field, Intent string
	Old, New                                   jsontext.Value
}

// Undo takes back one change of the journal, with all that went to Close in
// the same call: it writes the old values into the row, as a local edit that
// the cycle then carries out like any other. A field that changed since is not
// touched, and then nothing is. It says how many fields it wrote.
func (s *Store) Undo(ctx context.Context, journal int64) (count int, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		entries, err := s.undoEntries(ctx, tx, journal)
		if err != nil {
			return err
		}
		count = len(entries)
		if err := s.writeBack(ctx, tx, entries); err != nil {
			return err
		}
		if err := s.noteAct(ctx, tx, fmt.Sprintf("undo %d", journal), count); err != nil {
			return err
		}
		return s.rouse(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("journal %d: %w", journal, err)
	}
	return count, nil
}

func (s *Store) undoEntries(ctx context.Context, tx pgx.Tx, journal int64) ([]undoEntry, error) {
	rows, err := tx.Query(ctx, `SELECT o.object_type, coalesce(o.close_id, ''), o.action, coalesce(o.field, ''), coalesce(o.cause ->> 'intent', ''),
		       coalesce(o.old_value, 'null'), coalesce(o.new_value, 'null')
		FROM closesync.journal_log j JOIN closesync.journal_log o ON o.connection = j.connection AND (o.id = j.id OR (
		     o.close_id = j.close_id AND o.direction = j.direction AND o.cause ->> 'intent' = j.cause ->> 'intent'))
		WHERE j.connection = $1 AND j.id = $2 ORDER BY o.id`, s.id, journal)
	if err != nil {
		return nil, err
	}
	entries, err := pgx.CollectRows(rows, pgx.RowToStructByPos[undoEntry])
	switch {
	case err != nil:
		return nil, err
	case len(entries) == 0:
		return nil, ErrNotFound
	}
	for _, e := range entries {
		if e.Field == "" || (e.Action != "update" && e.Action != "move") {
			return nil, fmt.Errorf("%w: a %s of a whole record; Close never gives a deleted one back under its id, and a created one is deleted like any other",
				ErrNoUndo, e.Action)
		}
	}
	return entries, nil
}

// writeBack writes the old values over the new ones.
func (s *Store) writeBack(ctx context.Context, tx pgx.Tx, entries []undoEntry) error {
	first := entries[0]
	t := s.table(first.ObjectType)
	if t == nil {
		return fmt.Errorf("%w: %s is not mapped", ErrNoUndo, first.ObjectType)
	}
	states, err := s.load(ctx, tx, first.ObjectType, nil, []string{first.CloseID})
	if err != nil {
		return err
	}
	st := states[0]
	if !st.Local.Exists || st.Unreadable != "" {
		return fmt.Errorf("%w: %s has no row", ErrNoUndo, first.CloseID)
	}
	rec, err := s.earlier(t.object, st, entries)
	if err != nil {
		return err
	}
	parents, err := s.parentsOf(ctx, tx, t, rec)
	if err != nil {
		return err
	}
	set := mapping.Record{}
	for _, e := range entries {
		set[e.Field] = rec.Get(e.Field)
	}
	if err := s.updateRows(ctx, tx, t, []*rowWrite{{st, st.LocalKey, rec, st.CloseID, set}}, parents); err != nil {
		return err
	}
	return s.markLocalAt(ctx, tx, first.ObjectType, map[string]hint{st.LocalKey: {At: time.Now()}})
}

// earlier is the row with the old values in it.
func (s *Store) earlier(o *mapping.Object, st *engine.State, entries []undoEntry) (mapping.Record, error) {
	rec := st.Local.Record.Clone()
	for _, e := range entries {
		f, ok := o.Field(e.Field)
		if !ok || f.ReadOnly {
			return nil, fmt.Errorf("%w: %s is not for anybody to write", ErrNoUndo, e.Field)
		}
		was, err := mapping.Canon(f, e.New)
		if err != nil {
			return nil, err
		}
		if !mapping.Same(f, rec.Get(e.Field), was) {
			return nil, fmt.Errorf("%w: %s was changed again since", ErrNoUndo, e.Field)
		}
		if rec[e.Field], err = mapping.Canon(f, e.Old); err != nil {
			return nil, err
		}
	}
	return rec, nil
}

// parentsOf gives the local keys of the records that a row refers to.
func (s *Store) parentsOf(ctx context.Context, tx pgx.Tx, t *table, rec mapping.Record) (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	for _, f := range t.object.Parents() {
		id, ok := rec.Get(f.Close).Text()
		if !ok {
			continue
		}
		keys, err := s.localKeys(ctx, tx, f.Parent, []string{id})
		if err != nil {
			return nil, err
		}
		if keys[id] == "" && f.Required {
			return nil, fmt.Errorf("%w: %s has no row", ErrNoUndo, id)
		}
		found[f.Parent] = keys
	}
	return found, nil
}
