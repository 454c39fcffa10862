package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// hint is one captured local change.
type hint struct {
	ObjectType string
	Key        string
	Operation  string
	OldKey     *string
	At         time.Time
}

// Absorb turns up to n captured changes into dirty marks and says how many
// there were and which tables were truncated.
func (s *Store) Absorb(ctx context.Context, n int) (count int, truncated []string, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		truncated = nil
		rows, err := tx.Query(ctx, `
			WITH taken AS (DELETE FROM closesync.outbox WHERE id IN (
				SELECT id FROM closesync.outbox WHERE connection = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
				RETURNING id, object_type, local_key, operation::text, old_key, at)
			SELECT object_type, local_key, operation, old_key, at FROM taken ORDER BY id`, s.id, n)
		if err != nil {
			return err
		}
		hints, err := pgx.CollectRows(rows, pgx.RowToStructByPos[hint])
		if err != nil || len(hints) == 0 {
			count = 0
			return err
		}
		count = len(hints)
		truncated, err = s.takeHints(ctx, tx, hints)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("store.Absorb: %w", err)
	}
	return count, truncated, nil
}

func (s *Store) takeHints(ctx context.Context, tx pgx.Tx, hints []hint) (truncated []string, err error) {
	marks := map[string]map[string]time.Time{}
	for _, h := range hints {
		if s.tables[h.ObjectType] == nil {
			continue
		}
		if h.Operation == "T" {
			truncated = append(truncated, h.ObjectType)
			if err := s.forgetRows(ctx, tx, h.ObjectType); err != nil {
				return nil, err
			}
			continue
		}
		if h.OldKey != nil {
			// The row's key changed: the link stays with the row (fault C29).
			if _, err := tx.Exec(ctx, `UPDATE closesync.records SET local_key = $4 WHERE connection = $1 AND object_type = $2 AND local_key = $3`,
				s.id, h.ObjectType, *h.OldKey, h.Key); err != nil {
				return nil, err
			}
		}
		if marks[h.ObjectType] == nil {
			marks[h.ObjectType] = map[string]time.Time{}
		}
		marks[h.ObjectType][h.Key] = h.At
	}
	for objectType, keys := range marks {
		if err := s.markLocalAt(ctx, tx, objectType, keys); err != nil {
			return nil, err
		}
	}
	return truncated, nil
}

func (s *Store) markLocalAt(ctx context.Context, tx pgx.Tx, objectType string, marks map[string]time.Time) error {
	keys := keysOf(marks)
	if err := s.markLocal(ctx, tx, objectType, keys); err != nil {
		return err
	}
	at := make([]time.Time, len(keys))
	for i, k := range keys {
		at[i] = marks[k]
	}
	_, err := tx.Exec(ctx, `UPDATE closesync.dirty d SET local_at = v.at, priority = 2, not_before = least(not_before, clock_timestamp())
		FROM unnest($3::text[], $4::timestamptz[]) AS v(key, at)
		JOIN closesync.records r ON r.connection = $1 AND r.object_type = $2 AND r.local_key = v.key WHERE d.record_id = r.id`,
		s.id, objectType, keys, at)
	return err
}

// forgetRows makes the records of an emptied table look never seen here, so
// that the next full load fills it again and nothing is deleted in Close
// (fault C18).
func (s *Store) forgetRows(ctx context.Context, tx pgx.Tx, objectType string) error {
	t := s.tables[objectType]
	_, err := tx.Exec(ctx, fmt.Sprintf(`
		UPDATE closesync.records r SET local_key = NULL, base = NULL, remote_hash = NULL, remote_version = NULL, local_xid = NULL
		WHERE r.connection = $1 AND r.object_type = $2 AND r.state <> 'deleted'
		  AND NOT EXISTS (SELECT FROM %s t WHERE t.%s = r.local_key::%s)`, t.name, t.key, t.keyCast), s.id, objectType)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DELETE FROM closesync.checkpoints WHERE connection = $1 AND stream = 'backfill'`, s.id)
	return err
}
