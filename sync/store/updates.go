package store

import (
	"context"

	"closesync/sync/engine"
)

// OpenUpdates gives, by record and oldest first, the updates that were sent
// without a known answer. As with creates, one that is open while its record
// is claimed anew belongs to a worker that died.
func (s *Store) OpenUpdates(ctx context.Context, recordIDs []int64) (map[int64][]engine.OpenUpdate, error) {
	rows, err := s.pool.Query(ctx, `SELECT i.id, i.record_id, i.sent::text FROM closesync.intents i
		WHERE i.connection = $1 AND i.record_id = ANY ($2) AND i.action = 'update' AND i.state IN ('open', 'unknown') ORDER BY i.id`, s.id, recordIDs)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64][]engine.OpenUpdate{}
	for rows.Next() {
		var o engine.OpenUpdate
		var record int64
		var sent string
		if err := rows.Scan(&o.Intent, &record, &sent); err != nil {
			return nil, err
		}
		if o.Sent, err = wholeRecord(sent); err != nil {
			return nil, err
		}
		found[record] = append(found[record], o)
	}
	return found, rows.Err()
}
