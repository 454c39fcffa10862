package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// register notes, once for each object type, the rows that were there before
// the connection was bound to its organization: what a program inserts later
// is new and goes to Close as usual. Hints tell them apart where the triggers
// were there first. Before the binding nothing is registered, and before the
// registration no hint is taken.
func (s *Store) register(ctx context.Context) error {
	for _, objectType := range mapping.Types() {
		t := s.table(objectType)
		if _, done := s.registered.Load(objectType); done || t == nil {
			continue
		}
		done := false
		err := s.tx(ctx, func(tx pgx.Tx) error {
			var bound, first bool
			err := tx.QueryRow(ctx, `
				WITH bound AS (SELECT id FROM closesync.connections WHERE id = $1 AND bound_at IS NOT NULL),
				made AS (INSERT INTO closesync.first_loads (connection, object_type) SELECT id, $2 FROM bound ON CONFLICT DO NOTHING RETURNING connection)
				SELECT EXISTS (SELECT FROM bound), EXISTS (SELECT FROM made)`, s.id, objectType).Scan(&bound, &first)
			done = bound
			if err != nil || !first {
				return err
			}
			return s.registerRows(ctx, tx, t)
		})
		if err != nil {
			return fmt.Errorf("store.register(%s): %w", objectType, err)
		}
		if done {
			s.registered.Store(objectType, true)
		}
	}
	return nil
}

// registerRows makes a record for each row. One that carries a Close id is
// linked by it; rows that carry the same one are left to a person.
func (s *Store) registerRows(ctx context.Context, tx pgx.Tx, t *table) error {
	_, err := tx.Exec(ctx, fmt.Sprintf(`
		WITH old AS (
			SELECT t.%[2]s::text AS key, nullif(t.%[3]s::text, '') AS id, count(*) OVER (PARTITION BY nullif(t.%[3]s::text, '')) AS n FROM %[1]s t
			WHERE NOT EXISTS (SELECT FROM closesync.records r WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = t.%[2]s::text)
			  AND NOT EXISTS (SELECT FROM closesync.outbox o JOIN closesync.connections c ON c.id = o.connection
				WHERE o.connection = $1 AND o.object_type = $2 AND o.operation = 'I' AND o.local_key = t.%[2]s::text AND o.at >= c.bound_at))
		INSERT INTO closesync.records AS r (connection, object_type, local_key, close_id, existed, state, error_class, last_error)
		SELECT $1, $2, key, CASE WHEN n = 1 THEN id END, id IS NULL OR n > 1,
		       CASE WHEN id IS NOT NULL AND n > 1 THEN 'error' ELSE 'synced' END,
		       CASE WHEN id IS NOT NULL AND n > 1 THEN 'ambiguous' END,
		       CASE WHEN id IS NOT NULL AND n > 1 THEN n || ' rows carry the Close id ' || id || '; leave it in one of them' END
		FROM old
		ON CONFLICT (close_id, object_type, connection) DO UPDATE SET local_key = excluded.local_key WHERE r.local_key IS NULL`,
		t.name, t.key, t.closeID), s.id, t.object.Type)
	return err
}

// FirstLoads tells how far each usable type is that was registered.
func (s *Store) FirstLoads(ctx context.Context) (map[string]engine.FirstLoad, error) {
	rows, err := s.pool.Query(ctx, `SELECT object_type, staged, matched_at IS NOT NULL, loaded_at IS NOT NULL FROM closesync.first_loads
		WHERE connection = $1 AND object_type = ANY ($2)`, s.id, s.usable())
	if err != nil {
		return nil, fmt.Errorf("store.FirstLoads: %w", err)
	}
	found := map[string]engine.FirstLoad{}
	var objectType string
	var f engine.FirstLoad
	_, err = pgx.ForEachRow(rows, []any{&objectType, &f.Staged, &f.Matched, &f.Loaded}, func() error {
		found[objectType] = f
		return nil
	})
	return found, err
}

// BeginLoad decides whether the load of types keeps what it reads apart: it does
// if rows of before may be matched with it. What was decided stays decided.
func (s *Store) BeginLoad(ctx context.Context, types []string) error {
	var ruled []string
	for _, objectType := range types {
		if t := s.table(objectType); t != nil && len(t.object.Match) > 0 {
			ruled = append(ruled, objectType)
		}
	}
	_, err := s.pool.Exec(ctx, `UPDATE closesync.first_loads SET staged = true WHERE connection = $1 AND object_type = ANY ($2) AND matched_at IS NULL
		AND EXISTS (SELECT FROM closesync.records WHERE connection = $1 AND object_type = ANY ($3) AND existed AND close_id IS NULL AND state <> 'deleted')`,
		s.id, types, ruled)
	if err != nil {
		return fmt.Errorf("store.BeginLoad: %w", err)
	}
	return nil
}

// EndLoad lets the records of types be sent to Close from now on, and has those
// looked at that waited for it or that Close did not show: a row may carry the
// id of a record that is not there.
func (s *Store) EndLoad(ctx context.Context, types []string) error {
	err := s.tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE closesync.first_loads SET loaded_at = closesync.clock()
			WHERE connection = $1 AND object_type = ANY ($2) AND loaded_at IS NULL`, s.id, types); err != nil {
			return err
		}
		unseen, err := idsOf(ctx, tx, `SELECT id FROM closesync.records WHERE connection = $1 AND object_type = ANY ($2)
			AND close_id IS NOT NULL AND local_key IS NOT NULL AND base IS NULL AND state IN ('synced', 'conflict')`, s.id, types)
		if err != nil {
			return err
		}
		if err := s.markIDs(ctx, tx, unseen, true, engine.Cause{"source": "backfill"}, 0, 0); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE closesync.dirty SET not_before = closesync.clock()
			WHERE connection = $1 AND not_before > closesync.clock() AND not_before < 'infinity'`, s.id); err != nil {
			return err
		}
		return s.wake(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("store.EndLoad: %w", err)
	}
	return nil
}
