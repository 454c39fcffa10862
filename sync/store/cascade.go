package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// dependent is a row that refers to one about to be deleted.
type dependent struct {
	Key  string
	Text string // the row as jsonb
}

// dependents reads and locks the rows that refer to rows of a parent type: the
// user's foreign keys may take them along, and the worker's own deletes are not
// captured.
func (w *writing) dependents(ctx context.Context, parent string, keys []string) (map[string][]dependent, error) {
	found := map[string][]dependent{}
	for _, objectType := range mapping.Types() {
		t := w.table(objectType)
		if t == nil {
			continue
		}
		for _, c := range t.columns {
			if c.field.Kind != mapping.Reference || c.field.Parent != parent {
				continue
			}
			rows, err := w.tx.Query(ctx, fmt.Sprintf("SELECT t.%[2]s::text, %[5]s FROM %[1]s t WHERE t.%[3]s = ANY ($1::text[]::%[4]s[]) ORDER BY t.%[2]s FOR UPDATE NOWAIT",
				t.name, t.key, c.name, c.cast, t.json()), keys)
			if err != nil {
				return nil, err
			}
			list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dependent])
			if err != nil {
				return nil, err
			}
			found[objectType] = append(found[objectType], list...)
		}
	}
	return found, nil
}

// deleteParents deletes rows and follows what the foreign keys did: a row that
// went along is forgotten, not taken for a local deletion, and is in the
// journal if Close never had it (promise 2); one that lost its reference is
// looked at again.
func (w *writing) deleteParents(ctx context.Context, t *table, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	children, err := w.dependents(ctx, t.object.Type, keys)
	if err != nil {
		return err
	}
	if err := w.deleteRows(ctx, w.tx, t, keys); err != nil {
		return err
	}
	for _, objectType := range mapping.Types() {
		if len(children[objectType]) == 0 {
			continue
		}
		if err := w.afterCascade(ctx, w.table(objectType), children[objectType]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) afterCascade(ctx context.Context, t *table, list []dependent) error {
	var keys []string
	byKey := map[string]dependent{}
	for _, d := range list {
		keys = append(keys, d.Key)
		byKey[d.Key] = d
	}
	rows, err := w.tx.Query(ctx, fmt.Sprintf("SELECT t.%[2]s::text FROM %[1]s t WHERE t.%[2]s = ANY ($1::text[]::%[3]s[])", t.name, t.key, t.keyCast), keys)
	if err != nil {
		return err
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if err := w.markLocal(ctx, w.tx, t.object.Type, left, true); err != nil {
		return err
	}
	for _, key := range left {
		delete(byKey, key)
	}
	return w.forgetCascaded(ctx, t, byKey)
}

// forgetCascaded takes the link of rows that a cascade deleted. Close decides
// what becomes of each: a record that was moved in time gets its row again.
func (w *writing) forgetCascaded(ctx context.Context, t *table, gone map[string]dependent) error {
	if len(gone) == 0 {
		return nil
	}
	objectType := t.object.Type
	// A row never seen has no record yet; its values must not vanish unseen.
	if err := w.markLocal(ctx, w.tx, objectType, keysOf(gone), true); err != nil {
		return err
	}
	rows, err := w.tx.Query(ctx, `
		UPDATE closesync.records n SET base = NULL, remote_hash = NULL, remote_version = NULL, local_xid = NULL,
		       local_key = NULL, state = CASE WHEN n.close_id IS NULL THEN 'deleted' WHEN n.state = 'held' THEN 'synced' ELSE n.state END
		FROM closesync.records o WHERE n.id = o.id AND o.connection = $1 AND o.object_type = $2 AND o.local_key = ANY ($3)
		RETURNING n.id, coalesce(n.close_id, ''), o.local_key`, w.id, objectType, keysOf(gone))
	if err != nil {
		return err
	}
	type forgotten struct {
		ID           int64
		CloseID, Key string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[forgotten])
	if err != nil {
		return err
	}
	for _, f := range list {
		rec, err := t.record([]byte(gone[f.Key].Text))
		if err != nil {
			return err
		}
		st := &engine.State{ID: f.ID, Type: objectType, CloseID: f.CloseID, LocalKey: f.Key}
		w.journal = append(w.journal, journalEntry{state: st, direction: "from_close", action: "delete", old: recordJSON(rec),
			cause: engine.Cause{"source": "parent deleted"}})
	}
	return nil
}
