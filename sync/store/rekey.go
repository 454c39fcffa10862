package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// rekeyed is a record whose row may have another key now.
type rekeyed struct {
	ID           int64
	CloseID, Key string
	now          string
}

// rekey lets links follow rows whose primary key changed (fault C29). Keys may
// change places in one statement, so the hints alone cannot say which row went
// where: the Close id in the row does. A row without one follows its hints.
func (s *Store) rekey(ctx context.Context, tx pgx.Tx, objectType string, hints []hint) error {
	t := s.table(objectType)
	var keys []string
	next := map[string]string{}
	for _, h := range hints {
		if h.OldKey == nil || h.ObjectType != objectType {
			continue
		}
		keys = append(keys, *h.OldKey, h.Key)
		next[*h.OldKey] = h.Key
	}
	if len(keys) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `SELECT id, coalesce(close_id, ''), local_key, '' FROM closesync.records
		WHERE connection = $1 AND object_type = $2 AND local_key = ANY ($3) ORDER BY id FOR UPDATE`, s.id, objectType, keys)
	if err != nil {
		return err
	}
	var list []*rekeyed
	var closeIDs []string
	for rows.Next() {
		r := &rekeyed{}
		if err := rows.Scan(&r.ID, &r.CloseID, &r.Key, &r.now); err != nil {
			return err
		}
		list, closeIDs = append(list, r), append(closeIDs, r.CloseID)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	places, err := s.places(ctx, tx, t, closeIDs)
	if err != nil {
		return err
	}
	return s.moveLinks(ctx, tx, assignKeys(list, places, next))
}

// follow lets the links of missing rows follow them to other keys ahead of the
// hints that tell of it: nothing under the old key is no delete then. It
// reports whether there were any.
func (s *Store) follow(ctx context.Context, tx pgx.Tx, objectType string, missing []*engine.State) (bool, error) {
	var closeIDs []string
	for _, st := range missing {
		if st.CloseID != "" {
			closeIDs = append(closeIDs, st.CloseID)
		}
	}
	places, err := s.places(ctx, tx, s.table(objectType), closeIDs)
	if err != nil {
		return false, err
	}
	rows, err := tx.Query(ctx, `SELECT old_key, local_key FROM closesync.outbox
		WHERE connection = $1 AND object_type = $2 AND old_key IS NOT NULL ORDER BY id`, s.id, objectType)
	if err != nil {
		return false, err
	}
	next := map[string]string{}
	var from, to string
	if _, err := pgx.ForEachRow(rows, []any{&from, &to}, func() error { next[from] = to; return nil }); err != nil {
		return false, err
	}
	var moves []hint
	for _, st := range missing {
		key, found := places[st.CloseID]
		if !found {
			key = endOf(next, st.LocalKey)
		}
		if key != st.LocalKey {
			moves = append(moves, hint{ObjectType: objectType, Key: key, OldKey: &st.LocalKey})
		}
	}
	if len(moves) == 0 {
		return false, nil
	}
	return true, s.rekey(ctx, tx, objectType, moves)
}

// places gives the keys of rows by Close id.
func (s *Store) places(ctx context.Context, tx pgx.Tx, t *table, closeIDs []string) (map[string]string, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("SELECT t.%[2]s::text, t.%[3]s::text FROM %[1]s t WHERE t.%[2]s = ANY ($1::text[])", t.name, t.closeID, t.key), closeIDs)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var id, key string
		if err := rows.Scan(&id, &key); err != nil {
			return nil, err
		}
		found[id] = key
	}
	return found, rows.Err()
}

// assignKeys decides where each record's row is now; two never get one key.
func assignKeys(list []*rekeyed, places, next map[string]string) []*rekeyed {
	taken := map[string]bool{}
	for _, r := range list {
		if key, ok := places[r.CloseID]; ok && r.CloseID != "" {
			r.now = key
			taken[key] = true
		}
	}
	for _, r := range list {
		if r.now != "" {
			continue
		}
		key := endOf(next, r.Key)
		if !taken[key] {
			r.now = key
			taken[key] = true
		}
	}
	return list
}

// endOf follows changes of a key. A chain of them ends; a circle must, too.
func endOf(next map[string]string, key string) string {
	for range next {
		to, ok := next[key]
		if !ok {
			break
		}
		key = to
	}
	return key
}

func (s *Store) moveLinks(ctx context.Context, tx pgx.Tx, list []*rekeyed) error {
	ids, keys := make([]int64, len(list)), make([]*string, len(list))
	for i, r := range list {
		ids[i], keys[i] = r.ID, some(r.now)
	}
	if _, err := tx.Exec(ctx, `UPDATE closesync.records SET local_key = NULL WHERE id = ANY ($1)`, ids); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE closesync.records r SET local_key = v.key FROM unnest($1::bigint[], $2::text[]) AS v(id, key)
		WHERE r.id = v.id AND v.key IS NOT NULL`, ids, keys); err != nil {
		return err
	}
	return s.markIDs(ctx, tx, ids, false, engine.Cause{"source": "local"}, 2, 0)
}
