package store

import (
	"context"
	"fmt"
	"time"

	"closesync/mapping"
	"closesync/sync/engine"
)

// Crossings gives the updates of records that may have reached Close after
// since, in its time, oldest first: those that an event of that time may tell
// more of. One that failed changed nothing.
func (s *Store) Crossings(ctx context.Context, recordIDs []int64, since time.Time) (map[int64][]engine.Crossing, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT record_id, id, coalesce(sent, '{}')::text, coalesce(seen, '{}')::text, coalesce(answer, '{}')::text, version_read, version_left, version_told
		FROM closesync.intents
		WHERE record_id = ANY ($1) AND action = 'update' AND state <> 'failed' AND version_read IS NOT NULL
		  AND coalesce(version_left, 'infinity') >= $2
		ORDER BY id`, recordIDs, since)
	if err != nil {
		return nil, fmt.Errorf("store.Crossings: %w", err)
	}
	defer rows.Close()
	found := map[int64][]engine.Crossing{}
	for rows.Next() {
		var id int64
		var c engine.Crossing
		var sent, seen, answer string
		var read, left, told *time.Time
		if err := rows.Scan(&id, &c.Intent, &sent, &seen, &answer, &read, &left, &told); err != nil {
			return nil, fmt.Errorf("store.Crossings: %w", err)
		}
		c.Read, c.Left, c.Told = deref(read).UTC(), deref(left).UTC(), deref(told).UTC()
		for _, part := range []struct {
			text string
			to   *mapping.Record
		}{{sent, &c.Sent}, {seen, &c.Seen}, {answer, &c.Answer}} {
			if *part.to, err = wholeRecord(part.text); err != nil {
				return nil, fmt.Errorf("store.Crossings: %w", err)
			}
		}
		found[id] = append(found[id], c)
	}
	return found, rows.Err()
}

// noteTold notes up to which version it is taken in what writes overwrote.
func (w *writing) noteTold(ctx context.Context) error {
	for _, st := range w.states {
		for _, t := range st.Outcome.Told {
			if _, err := w.tx.Exec(ctx, `UPDATE closesync.intents SET version_told = $2 WHERE id = $1`, t.Intent, t.Upto); err != nil {
				return err
			}
		}
	}
	return nil
}
