package store

import (
	"context"
	"fmt"
	"time"

	"closesync/sync/engine"
)

// savePartings keeps what a delete's reading showed of the records that it ends.
func (w *writing) savePartings(ctx context.Context, in *engine.Intent) error {
	if len(in.Ends) == 0 {
		return nil
	}
	var ids []int64
	var seen []string
	for _, p := range in.Ends {
		ids, seen = append(ids, p.Record), append(seen, wholeJSON(p.Seen))
	}
	_, err := w.tx.Exec(ctx, `INSERT INTO closesync.partings (record_id, intent_id, seen)
		SELECT v.id, $1, v.seen::jsonb FROM unnest($2::bigint[], $3::text[]) AS v(id, seen) ORDER BY v.id
		ON CONFLICT (record_id) DO UPDATE SET intent_id = excluded.intent_id, seen = excluded.seen, told = false`, in.ID, ids, seen)
	return err
}

// Endings gives the deletes of ours that ended records, and those that were
// meant for records of the given Close ids. One that failed ended nothing.
func (s *Store) Endings(ctx context.Context, recordIDs []int64, owners []string) (map[int64]engine.Ending, map[string]engine.Ending, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT p.record_id, '', p.seen::text, p.told, i.close_at
		FROM closesync.partings p JOIN closesync.intents i ON i.id = p.intent_id
		WHERE p.record_id = ANY ($2) AND i.connection = $1 AND i.state <> 'failed'
		UNION ALL
		SELECT 0, r.close_id, '{}', false, i.close_at
		FROM closesync.records r JOIN closesync.partings p ON p.record_id = r.id JOIN closesync.intents i ON i.id = p.intent_id
		WHERE r.connection = $1 AND r.object_type = ANY ($4) AND r.close_id = ANY ($3) AND i.record_id = r.id AND i.state <> 'failed'`,
		s.id, recordIDs, owners, s.usable())
	if err != nil {
		return nil, nil, fmt.Errorf("store.Endings: %w", err)
	}
	defer rows.Close()
	own, of := map[int64]engine.Ending{}, map[string]engine.Ending{}
	for rows.Next() {
		var id int64
		var closeID, seen string
		var e engine.Ending
		var sent *time.Time
		if err := rows.Scan(&id, &closeID, &seen, &e.Told, &sent); err != nil {
			return nil, nil, fmt.Errorf("store.Endings: %w", err)
		}
		e.Sent = deref(sent).UTC()
		if closeID != "" {
			of[closeID] = e
			continue
		}
		if e.Seen, err = wholeRecord(seen); err != nil {
			return nil, nil, fmt.Errorf("store.Endings: %w", err)
		}
		own[id] = e
	}
	return own, of, rows.Err()
}

// noteParted notes of which records it is told what our deletes took along.
func (w *writing) noteParted(ctx context.Context) error {
	var ids []int64
	for _, st := range w.states {
		if st.Outcome.Parted {
			ids = append(ids, st.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := w.tx.Exec(ctx, `UPDATE closesync.partings SET told = true WHERE record_id = ANY ($1)`, ids)
	return err
}
