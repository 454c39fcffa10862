package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

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
			some(wholeJSON(in.Sent)), moment(in.Since), marked, w.name, some(wholeJSON(in.Seen)), moment(in.Read)).Scan(&in.ID, &in.Marker)
		if err != nil {
			return err
		}
		if err := w.savePartings(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// A marker names the connection and the record, and is like no other: record
// numbers come again after a restore from a backup. A record that has one
// keeps it over all tries.
const intentSQL = `
INSERT INTO closesync.intents (connection, record_id, object_type, close_id, local_key, action, sent, close_at, seen, version_read, marker)
VALUES ($1, $2::bigint, $3::text, $4, $5, $6, $7::text::jsonb, $8, $11::text::jsonb, $12, CASE WHEN $9::bool THEN coalesce(
	(SELECT o.marker FROM closesync.intents o WHERE o.record_id = $2::bigint AND o.action = 'create' AND o.marker IS NOT NULL ORDER BY o.id LIMIT 1),
	'closesync/' || $10::text || '/' || $3::text || '/' || $2::bigint || '/' || replace(gen_random_uuid()::text, '-', '')) END)
RETURNING id, coalesce(marker, '')`

// FinishIntent notes what became of a write: "done", "failed" or "unknown". A
// worker that lost its claim does not overrule what another has found out.
func (s *Store) FinishIntent(ctx context.Context, id int64, state, problem string) error {
	return insist(ctx, func() error {
		_, err := s.pool.Exec(ctx, `UPDATE closesync.intents SET state = $2, error = $3, finished_at = closesync.clock()
			WHERE id = $1 AND state IN ('open', 'unknown', 'ambiguous')`, id, state, some(problem))
		return err
	})
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
	return insist(ctx, func() error {
		_, err := s.pool.Exec(ctx, `UPDATE closesync.intents SET state = 'ambiguous', candidates = $2
			WHERE id = $1 AND state IN ('open', 'unknown', 'ambiguous')`, intent, closeIDs)
		return err
	})
}

// endIntents ends the writes whose fate the states tell, and has the journal
// tell of those that changed something in Close. One that another worker ended
// meanwhile is told of by that one.
func (w *writing) endIntents(ctx context.Context) error {
	var ids []int64
	var states []string
	var problems, answers []*string
	var left []*time.Time
	for _, st := range w.ended {
		for _, e := range st.Ended {
			ids, states = append(ids, e.Intent), append(states, e.State)
			problems, answers = append(problems, some(e.Problem)), append(answers, some(wholeJSON(e.Answer)))
			left = append(left, moment(e.Left))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := w.tx.Query(ctx, `UPDATE closesync.intents i SET state = v.state, error = v.problem, answer = v.answer::jsonb, version_left = v.version, finished_at = closesync.clock()
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS v(id, state, problem, answer, version)
		WHERE i.id = v.id AND i.state IN ('open', 'unknown', 'ambiguous') RETURNING i.id`, ids, states, problems, answers, left)
	if err != nil {
		return err
	}
	mine, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	for _, st := range w.ended {
		for _, e := range st.Ended {
			if e.Action != "" && slices.Contains(mine, e.Intent) {
				w.journal = append(w.journal, pushed(st, e)...)
			}
		}
	}
	return nil
}

// pushed tells the journal what a write changed in Close, and what decided it.
func pushed(st *engine.State, e engine.Ended) []journalEntry {
	cause := func(field string) engine.Cause {
		c := engine.Cause{}
		if e.Why != nil {
			c = ruled(e.Why.Cause, e.Why.Plan, field)
		}
		c["intent"] = e.Intent
		return c
	}
	if len(e.Sent) == 0 {
		return []journalEntry{{st, "to_close", string(e.Action), "", recordJSON(e.Old), "", cause("")}}
	}
	var list []journalEntry
	for _, f := range fieldsOf(e.Sent) {
		action := string(e.Action)
		if e.Action == reconcile.Update {
			action = changed(st.Type, f)
		}
		list = append(list, journalEntry{st, "to_close", action, f, filled(e.Old.Get(f)), filled(e.Sent.Get(f)), cause(f)})
	}
	return list
}

// filled is "" for an empty value: the journal shows it as NULL.
func filled(v mapping.Value) mapping.Value {
	if v.IsNull() {
		return ""
	}
	return v
}
