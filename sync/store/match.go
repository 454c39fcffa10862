package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// Match decides, once for each type and parents first, what becomes of the rows
// that were there before the first load. One that meets exactly one record of
// Close, which meets nobody else, is linked with it. Those that may be one of
// several are parked, and so are these. The rest would be created in Close and
// is held, a hold for each type.
func (s *Store) Match(ctx context.Context, types []string) error {
	err := s.tx(ctx, func(tx pgx.Tx) error {
		for _, objectType := range mapping.Types() {
			t := s.table(objectType)
			var due bool
			if t != nil {
				err := tx.QueryRow(ctx, `SELECT count(*) > 0 FROM (SELECT FROM closesync.first_loads
					WHERE connection = $1 AND object_type = $2 AND object_type = ANY ($3) AND matched_at IS NULL FOR UPDATE) v`, s.id, objectType, types).Scan(&due)
				if err != nil {
					return err
				}
			}
			if !due {
				continue
			}
			if err := s.matchRows(ctx, tx, t); err != nil {
				return err
			}
			if err := s.holdExisting(ctx, tx, t); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE closesync.first_loads SET matched_at = closesync.clock() WHERE connection = $1 AND object_type = $2`, s.id, objectType); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store.Match: %w", err)
	}
	return nil
}

// holdExisting holds what is left over. A type that only comes from Close has
// nothing to hold: its rows stay and are never sent.
func (s *Store) holdExisting(ctx context.Context, tx pgx.Tx, t *table) error {
	if t.object.Direction == mapping.FromClose {
		_, err := tx.Exec(ctx, `UPDATE closesync.records SET existed = false WHERE connection = $1 AND object_type = $2 AND existed`, s.id, t.object.Type)
		return err
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`
		WITH due AS (
			UPDATE closesync.records r SET state = 'held', error_class = 'guard', last_error = $4 FROM %[1]s t
			WHERE r.connection = $1 AND r.object_type = $2 AND t.%[2]s = r.local_key::%[3]s AND r.existed AND r.close_id IS NULL AND r.state = 'synced'
			RETURNING r.id),
		made AS (
			INSERT INTO closesync.holds (connection, kind, object_type, reason) SELECT $1, $3, $2, $4 WHERE EXISTS (SELECT FROM due)
			ON CONFLICT (connection, kind, object_type, field) WHERE status = 'open' DO UPDATE SET reason = excluded.reason RETURNING id)
		INSERT INTO closesync.hold_items (hold_id, record_id) SELECT made.id, due.id FROM made, due ON CONFLICT DO NOTHING`,
		t.name, t.key, t.keyCast), s.id, t.object.Type, engine.FirstStart, engine.FirstStartReason)
	if err != nil {
		return err
	}
	return s.tellParents(ctx, tx, t)
}

// tellParents has the held children of held parents say so.
func (s *Store) tellParents(ctx context.Context, tx pgx.Tx, t *table) error {
	for _, c := range t.columns {
		if !c.field.Required || c.field.Kind != mapping.Reference {
			continue
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(`
			UPDATE closesync.records r SET last_error = r.last_error || '; its ' || $3 || ' is not in Close either', waits_for = $3 || '#' || p.local_key
			FROM %[1]s t JOIN closesync.records p ON p.connection = $1 AND p.object_type = $3 AND p.local_key = t.%[4]s::text AND p.close_id IS NULL
			WHERE r.connection = $1 AND r.object_type = $2 AND r.existed AND r.state = 'held' AND t.%[2]s = r.local_key::%[3]s`,
			t.name, t.key, t.keyCast, c.name), s.id, t.object.Type, c.field.Parent)
		if err != nil {
			return err
		}
	}
	return nil
}
