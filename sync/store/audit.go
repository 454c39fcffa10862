package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// Unchanged reports, for each Close id with the hash of its reading, whether
// the record is linked, agrees with that reading and has a row nobody wrote
// since. Such a record needs no decision, and most of a full compare is that.
func (s *Store) Unchanged(ctx context.Context, objectType string, ids []string, hashes []int64) ([]bool, error) {
	same := make([]bool, len(ids))
	t := s.table(objectType)
	if t == nil || len(ids) == 0 {
		return same, nil
	}
	// The row is looked up by a subquery, not a join: without statistics a join
	// is planned as a scan of both tables.
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`
		SELECT r.close_id, r.remote_hash FROM closesync.records r
		WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id = ANY ($3) AND r.state = 'synced'
		  AND r.local_xid = (SELECT t.xmin::text::bigint FROM %s t WHERE t.%s = r.local_key::%s)`, t.name, t.key, t.keyCast), s.id, objectType, ids)
	if err != nil {
		return nil, fmt.Errorf("store.Unchanged: %w", err)
	}
	defer rows.Close()
	known := make(map[string]int64, len(ids))
	for rows.Next() {
		var id string
		var hash int64
		if err := rows.Scan(&id, &hash); err != nil {
			return nil, fmt.Errorf("store.Unchanged: %w", err)
		}
		known[id] = hash
	}
	for i, id := range ids {
		hash, ok := known[id]
		same[i] = ok && hash == hashes[i]
	}
	return same, rows.Err()
}

// AuditRows marks what triggers did not report: rows written by somebody else
// since our last write, rows without a record, and records whose row is gone.
func (s *Store) AuditRows(ctx context.Context, objectType string) (int, error) {
	t := s.table(objectType)
	if t == nil {
		return 0, nil
	}
	marked := 0
	err := s.tx(ctx, func(tx pgx.Tx) error {
		marked = 0
		rows, err := tx.Query(ctx, fmt.Sprintf(`
			SELECT t.%[2]s::text FROM %[1]s t
			LEFT JOIN closesync.records r ON r.connection = $1 AND r.object_type = $2 AND r.local_key = t.%[2]s::text
			WHERE (r.id IS NULL OR (r.local_xid IS DISTINCT FROM t.xmin::text::bigint AND r.state IN ('synced', 'conflict')))`, t.name, t.key), s.id, objectType)
		if err != nil {
			return err
		}
		keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		if err := s.markLocal(ctx, tx, objectType, keys, true); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, fmt.Sprintf(`
			SELECT r.id FROM closesync.records r WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key IS NOT NULL AND r.state NOT IN ('deleted', 'held')
			AND NOT EXISTS (SELECT FROM %s t WHERE t.%s = r.local_key::%s)`, t.name, t.key, t.keyCast), s.id, objectType)
		if err != nil {
			return err
		}
		gone, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		marked = len(keys) + len(gone)
		if marked == 0 {
			return nil
		}
		if err := s.markIDs(ctx, tx, gone, true, engine.Cause{"source": "audit"}, 0, 0); err != nil {
			return err
		}
		return s.wake(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("store.AuditRows(%s): %w", objectType, err)
	}
	return marked, nil
}

// Known is how many records of a type are known to be in Close, those kept
// apart in a first load among them.
func (s *Store) Known(ctx context.Context, objectType string) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM closesync.records WHERE connection = $1 AND object_type = $2 AND close_id IS NOT NULL
		AND state <> 'deleted') + (SELECT count(*) FROM closesync.arrivals a WHERE a.connection = $1 AND a.object_type = $2
		AND NOT EXISTS (SELECT FROM closesync.records r WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id = a.close_id))`, s.id, objectType).Scan(&n)
	return n, err
}

// Unseen lists the Close ids of every record that should be visible in Close.
// since is in Close's time and so is what it is compared with: our clock may be
// hours apart (fault A30).
func (s *Store) Unseen(ctx context.Context, objectType string, since time.Time) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT close_id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND close_id IS NOT NULL
		AND state NOT IN ('deleted', 'detached', 'hidden', 'held') AND base IS NOT NULL AND coalesce(remote_version, '-infinity') < $3`, s.id, objectType, since)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
