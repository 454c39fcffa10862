package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// longestBurst is how long a row that is changed all the time is put off.
const longestBurst = 5 * time.Second

// Restless tells which of the claimed records were changed here again since the
// claim. One marked longer than longestBurst ago is not told: it has waited
// enough. Only the newest hints are looked at, since a mass change is no burst.
func (s *Store) Restless(ctx context.Context, claims []*engine.Claim) (map[int64]bool, error) {
	ids, at := make([]int64, len(claims)), make([]time.Time, len(claims))
	for i, c := range claims {
		ids[i], at[i] = c.RecordID, c.LocalAt
	}
	rows, err := s.pool.Query(ctx, `
		WITH hints AS (SELECT object_type, local_key FROM closesync.outbox WHERE connection = $1 ORDER BY id DESC LIMIT 200)
		SELECT d.record_id FROM unnest($2::bigint[], $3::timestamptz[]) AS v(id, at)
		JOIN closesync.dirty d ON d.record_id = v.id AND d.marked_at > closesync.clock() - $4::interval
		JOIN closesync.records r ON r.id = v.id
		WHERE d.local_at > v.at OR (r.object_type, r.local_key) IN (SELECT object_type, local_key FROM hints)`, s.id, ids, at, longestBurst)
	if err != nil {
		return nil, fmt.Errorf("store.Restless: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("store.Restless: %w", err)
	}
	restless := make(map[int64]bool, len(found))
	for _, id := range found {
		restless[id] = true
	}
	return restless, nil
}
