package store

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
)

// waiting is what is still to be done, by where it waits.
type waiting struct {
	hints   int64            // local changes not yet looked at
	writes  int64            // writes to Close that are under way
	events  int64            // events not yet worked on
	records map[string]int64 // records to be compared, by object type
	load    bool             // the first load has not come to its end
}

func (w waiting) none() bool {
	for _, n := range w.records {
		if n > 0 {
			return false
		}
	}
	return w.hints+w.writes+w.events == 0 && !w.load
}

// One statement sees one moment: a hint that becomes a mark between two
// statements would be seen in neither place. A mark that waits for somebody
// (a conflict, a hold, an error, a hidden record) is due at infinity or, where it
// is tried again by itself, in a long time; its writes are not under way.
const waitingSQL = `
WITH due AS (
    SELECT r.object_type, cardinality(d.events) AS events FROM closesync.dirty d JOIN closesync.records r ON r.id = d.record_id
    WHERE d.connection = $1 AND NOT (d.not_before > closesync.clock() + interval '1 minute' AND r.state IN ('conflict', 'held', 'error', 'hidden')))
SELECT (SELECT count(*) FROM closesync.outbox WHERE connection = $1),
       (SELECT count(*) FROM closesync.intents i LEFT JOIN closesync.records r ON r.id = i.record_id
        WHERE i.connection = $1 AND i.state IN ('open', 'unknown') AND coalesce(r.state, '') NOT IN ('held', 'hidden', 'error', 'conflict', 'deleted')),
       (SELECT coalesce(sum(events), 0) FROM due),
       NOT EXISTS (SELECT FROM closesync.checkpoints WHERE connection = $1 AND stream = 'backfill' AND position -> 'done' = 'true'),
       (SELECT coalesce(jsonb_object_agg(object_type, n), '{}')::text FROM (SELECT object_type, count(*) AS n FROM due GROUP BY 1) v)`

func (s *Store) waiting(ctx context.Context) (waiting, error) {
	var w waiting
	var records string
	if err := s.pool.QueryRow(ctx, waitingSQL, s.id).Scan(&w.hints, &w.writes, &w.events, &w.load, &records); err != nil {
		return w, err
	}
	return w, json.Unmarshal([]byte(records), &w.records)
}

// Idle reports whether nothing waits in either direction, the first load
// included. Open conflicts, holds, parked and hidden records do not count.
func (s *Store) Idle(ctx context.Context) (bool, error) {
	w, err := s.waiting(ctx)
	if err != nil {
		return false, fmt.Errorf("store.Idle: %w", err)
	}
	return w.none(), nil
}
