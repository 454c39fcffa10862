package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// epochSQL names what changes when the database is another than it was: the
// start of its server (a restart, a failover, a restored data folder), the
// database itself and the file of a table of ours (a dump that was read back).
const epochSQL = "SELECT concat_ws('/', extract(epoch FROM pg_postmaster_start_time()), (SELECT oid FROM pg_database WHERE datname = current_database()), pg_relation_filenode('closesync.intents'))"

// Epoch tells one life of the database from another: between two, commits may
// have been lost (faults C4, C5).
func (s *Store) Epoch(ctx context.Context) (epoch string, err error) {
	if err := s.pool.QueryRow(ctx, epochSQL).Scan(&epoch); err != nil {
		return "", fmt.Errorf("store.Epoch: %w", err)
	}
	return epoch, nil
}

// Heard tells which Close ids have or had a row here.
func (s *Store) Heard(ctx context.Context, objectType string, closeIDs []string) (map[string]bool, error) {
	found := map[string]bool{}
	rows, err := s.pool.Query(ctx, `SELECT close_id FROM closesync.records WHERE connection = $1 AND object_type = $2
		AND close_id = ANY ($3) AND (local_key IS NOT NULL OR state = 'deleted')`, s.id, objectType, closeIDs)
	if err != nil {
		return nil, fmt.Errorf("store.Heard: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, id := range ids {
		found[id] = true
	}
	return found, err
}

// Unsent gives the records of rows that have no Close id and no create under
// way.
func (s *Store) Unsent(ctx context.Context, objectType string) ([]int64, error) {
	rows, err := s.pool.Query(ctx, `SELECT r.id FROM closesync.records r WHERE r.connection = $1 AND r.object_type = $2
		AND r.close_id IS NULL AND r.local_key IS NOT NULL AND r.state NOT IN ('deleted', 'detached')
		AND NOT EXISTS (SELECT FROM closesync.intents i WHERE i.record_id = r.id AND i.action = 'create' AND i.state IN ('open', 'unknown', 'ambiguous'))
		ORDER BY r.id`, s.id, objectType)
	if err != nil {
		return nil, fmt.Errorf("store.Unsent: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
