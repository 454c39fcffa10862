package store

import (
	"context"
	"fmt"
	"time"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// saveIntents stores the writes to Close that the outcomes ask for and gives
// them their ids.
func (w *writing) saveIntents(ctx context.Context) error {
	for _, st := range w.states {
		in := st.Outcome.Intent
		if in == nil {
			continue
		}
		marked := in.Action == reconcile.Create && w.objects[st.Type].ExternalID != "" && !in.Plain
		err := w.tx.QueryRow(ctx, intentSQL, w.id, st.ID, st.Type, some(st.CloseID), some(st.LocalKey), string(in.Action),
			some(wholeJSON(in.Sent)), moment(in.Since), marked, w.name, some(wholeJSON(in.Seen))).Scan(&in.ID, &in.Marker)
		if err != nil {
			return err
		}
	}
	return nil
}

// A marker names the connection and the record, and is like no other: record
// numbers come again after a restore from a backup. A record that has one
// keeps it over all tries.
const intentSQL = `
INSERT INTO closesync.intents (connection, record_id, object_type, close_id, local_key, action, sent, close_at, seen, marker)
VALUES ($1, $2::bigint, $3::text, $4, $5, $6, $7::text::jsonb, $8, $11::text::jsonb, CASE WHEN $9::bool THEN coalesce(
	(SELECT o.marker FROM closesync.intents o WHERE o.record_id = $2::bigint AND o.action = 'create' AND o.marker IS NOT NULL ORDER BY o.id LIMIT 1),
	'closesync/' || $10::text || '/' || $3::text || '/' || $2::bigint || '/' || replace(gen_random_uuid()::text, '-', '')) END)
RETURNING id, coalesce(marker, '')`

// FinishIntent notes what became of a write: "done", "failed" or "unknown". A
// worker that lost its claim does not overrule what another has found out.
func (s *Store) FinishIntent(ctx context.Context, id int64, state, problem string) error {
	_, err := s.pool.Exec(ctx, `UPDATE closesync.intents SET state = $2, error = $3, finished_at = closesync.clock()
		WHERE id = $1 AND state IN ('open', 'unknown', 'ambiguous')`, id, state, some(problem))
	return err
}

// Answered notes that a write was done and what Close then held of it.
func (s *Store) Answered(ctx context.Context, id int64, answer mapping.Record) error {
	_, err := s.pool.Exec(ctx, `UPDATE closesync.intents SET state = 'done', answer = $2::text::jsonb, finished_at = closesync.clock()
		WHERE id = $1 AND state IN ('open', 'unknown', 'ambiguous')`, id, some(wholeJSON(answer)))
	return err
}

// Writes gives the updates of records in the window, oldest first, at most a
// hundred each. One that failed changed nothing.
func (s *Store) Writes(ctx context.Context, recordIDs []int64, window time.Duration) (map[int64][]engine.Write, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT v.id, extract(epoch FROM closesync.clock() - i.created_at)::float8, i.sent::text, coalesce(i.seen, '{}')::text, coalesce(i.answer, '{}')::text
		FROM unnest($1::bigint[]) AS v(id) CROSS JOIN LATERAL (
			SELECT * FROM closesync.intents i WHERE i.record_id = v.id AND i.action = 'update' AND i.state <> 'failed'
			  AND i.created_at > closesync.clock() - $2::interval ORDER BY i.id DESC LIMIT 100) i
		ORDER BY i.id`, recordIDs, window)
	if err != nil {
		return nil, fmt.Errorf("store.Writes: %w", err)
	}
	defer rows.Close()
	found := map[int64][]engine.Write{}
	for rows.Next() {
		var id int64
		var age float64
		var sent, seen, answer string
		if err := rows.Scan(&id, &age, &sent, &seen, &answer); err != nil {
			return nil, fmt.Errorf("store.Writes: %w", err)
		}
		w := engine.Write{Age: time.Duration(age * float64(time.Second))}
		for _, part := range []struct {
			text string
			to   *mapping.Record
		}{{sent, &w.Sent}, {seen, &w.Seen}, {answer, &w.Answer}} {
			if *part.to, err = wholeRecord(part.text); err != nil {
				return nil, fmt.Errorf("store.Writes: %w", err)
			}
		}
		found[id] = append(found[id], w)
	}
	return found, rows.Err()
}

// SetCandidates leaves a create of unknown outcome to a person, who chooses
// among records of Close.
func (s *Store) SetCandidates(ctx context.Context, intent int64, closeIDs []string) error {
	_, err := s.pool.Exec(ctx, `UPDATE closesync.intents SET state = 'ambiguous', candidates = $2
		WHERE id = $1 AND state IN ('open', 'unknown', 'ambiguous')`, intent, closeIDs)
	return err
}

// JournalPush records a write to Close once its answer is known.
func (s *Store) JournalPush(ctx context.Context, st *engine.State, action, closeID string, old, sent mapping.Record, cause engine.Cause) error {
	for _, f := range fieldsOf(sent) {
		_, err := s.pool.Exec(ctx, `INSERT INTO closesync.journal_log (connection, object_type, close_id, local_key, direction, action, field, old_value, new_value, cause)
			VALUES ($1, $2, $3, $4, 'to_close', $5, $6, $7::text::jsonb, $8::text::jsonb, $9::text::jsonb)`,
			s.id, st.Type, some(closeID), some(st.LocalKey), action, f, jsonb(old.Get(f)), jsonb(sent.Get(f)), causeJSON(cause))
		if err != nil {
			return err
		}
	}
	if len(sent) > 0 {
		return nil
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO closesync.journal_log (connection, object_type, close_id, local_key, direction, action, old_value, cause)
		VALUES ($1, $2, $3, $4, 'to_close', $5, $6::text::jsonb, $7::text::jsonb)`,
		s.id, st.Type, some(closeID), some(st.LocalKey), action, jsonOrNull(recordJSON(old)), causeJSON(cause))
	return err
}
