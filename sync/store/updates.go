package store

import (
	"context"
	"slices"

	"closesync/sync/engine"
)

// OpenWrites gives, by record and oldest first, the updates and deletes that
// were sent without a known answer. As with creates, one that is open while its record
// is claimed anew belongs to a worker that died.
func (s *Store) OpenWrites(ctx context.Context, recordIDs []int64) (map[int64][]engine.OpenWrite, error) {
	rows, err := s.pool.Query(ctx, `SELECT i.id, i.record_id, i.action, coalesce(i.sent, '{}')::text FROM closesync.intents i
		WHERE i.connection = $1 AND i.record_id = ANY ($2) AND i.action IN ('update', 'delete') AND i.state IN ('open', 'unknown') ORDER BY i.id`, s.id, recordIDs)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64][]engine.OpenWrite{}
	for rows.Next() {
		var o engine.OpenWrite
		var record int64
		var sent string
		if err := rows.Scan(&o.Intent, &record, &o.Action, &sent); err != nil {
			return nil, err
		}
		if o.Sent, err = wholeRecord(sent); err != nil {
			return nil, err
		}
		found[record] = append(found[record], o)
	}
	return found, rows.Err()
}

// loadUnanswered notes of which records updates or deletes have no answer yet.
func (s *Store) loadUnanswered(ctx context.Context, q Querier, states []*engine.State) error {
	var known []int64
	for _, st := range states {
		if st.ID != 0 && st.Base != nil {
			known = append(known, st.ID)
		}
	}
	if len(known) == 0 {
		return nil
	}
	list, err := idsOf(ctx, q, `SELECT DISTINCT record_id FROM closesync.intents
		WHERE connection = $1 AND record_id = ANY ($2) AND action IN ('update', 'delete') AND state IN ('open', 'unknown')`, s.id, known)
	for _, st := range states {
		st.Unanswered = slices.Contains(list, st.ID)
	}
	return err
}
