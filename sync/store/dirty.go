package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// dueNow is a condition on a mark. The clock is read once for all of them: read
// for each, no index could be asked.
const dueNow = `not_before < 'infinity' AND greatest(not_before, lease_until) <= (SELECT closesync.clock())`

// Claim takes up to n due records for this worker until the lease ends. Others
// pass over them (SKIP LOCKED); a claim whose lease ended may be taken again,
// under a higher fence.
// Records of a table that is gone wait until it is back. Of the most urgent
// ones, every other claim takes edits made here first, and the others news of
// Close: however many there are on one side, the other has a share of the
// calls (fault A40).
func (s *Store) Claim(ctx context.Context, n int, lease time.Duration) (claims []*engine.Claim, err error) {
	err = insist(ctx, func() error {
		claims, err = s.claim(ctx, n, lease)
		return err
	})
	return claims, err
}

func (s *Store) claim(ctx context.Context, n int, lease time.Duration) ([]*engine.Claim, error) {
	closeFirst := "" // an index has each of the two orders
	if s.turn.Add(1)%2 == 1 {
		closeFirst = "DESC"
	}
	rows, err := s.pool.Query(ctx, `
		WITH due AS (
			SELECT record_id FROM closesync.dirty m
			WHERE connection = $1 AND `+dueNow+`
			  AND ($4::text[] IS NULL OR EXISTS (SELECT FROM closesync.records x WHERE x.id = m.record_id AND x.object_type = ANY ($4)))
			  AND ($6::bigint[] IS NULL OR record_id = ANY ($6))
			ORDER BY priority DESC, (coalesce(local_at, '-infinity') = '-infinity') `+closeFirst+`, marked_at LIMIT $2 FOR UPDATE SKIP LOCKED)
		UPDATE closesync.dirty d SET lease_until = closesync.clock() + $3::interval, fence = d.fence + 1, worker = $5
		FROM due, closesync.records r WHERE d.record_id = due.record_id AND r.id = d.record_id
		RETURNING d.record_id, r.object_type, coalesce(r.close_id, ''), coalesce(r.local_key, ''), r.state, d.gen, d.fence, d.events,
		          d.refetch, d.refill, d.attempts, coalesce(d.local_at, '-infinity'::timestamptz) = '-infinity'::timestamptz, d.local_at, d.cause::text, d.marked_at`,
		s.id, n, lease, s.onlyUsable(), s.worker, s.pursued)
	if err != nil {
		return nil, fmt.Errorf("store.Claim: %w", err)
	}
	defer rows.Close()
	var claims []*engine.Claim
	for rows.Next() {
		var c engine.Claim
		var never bool
		var at *time.Time
		var cause string
		if err := rows.Scan(&c.RecordID, &c.Type, &c.CloseID, &c.LocalKey, &c.Status, &c.Gen, &c.Fence, &c.Events, &c.Fetch, &c.Refill, &c.Attempts, &never, &at, &cause, &c.MarkedAt); err != nil {
			return nil, fmt.Errorf("store.Claim: %w", err)
		}
		c.LocalAt = deref(at)
		_ = json.Unmarshal([]byte(cause), &c.Cause)
		claims = append(claims, &c)
	}
	// An UPDATE returns rows in the order of their pages.
	slices.SortFunc(claims, func(a, b *engine.Claim) int { return cmp.Compare(a.RecordID, b.RecordID) })
	return claims, rows.Err()
}

// onlyUsable is nil when every mapped table is there.
func (s *Store) onlyUsable() []string {
	if list := s.usable(); len(list) < len(s.objects) {
		return list
	}
	return nil
}

// checkFences drops the claims that somebody else took over since: a worker
// that slept through its lease must not write (fault D5).
func (s *Store) checkFences(ctx context.Context, tx pgx.Tx, b *engine.Batch) error {
	if len(b.Claims) == 0 {
		return nil
	}
	ids, fences := make([]int64, len(b.Claims)), make([]int64, len(b.Claims))
	for i, c := range b.Claims {
		ids[i], fences[i] = c.RecordID, c.Fence
	}
	rows, err := tx.Query(ctx, `SELECT d.record_id FROM closesync.dirty d
		JOIN unnest($1::bigint[], $2::bigint[]) AS v(id, fence) ON d.record_id = v.id AND d.fence = v.fence
		ORDER BY d.record_id FOR UPDATE OF d`, ids, fences)
	if err != nil {
		return err
	}
	held, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	if len(held) == len(b.Claims) {
		return nil
	}
	mine := map[int64]bool{}
	for _, id := range held {
		mine[id] = true
	}
	keep := b.Claims[:0:0]
	b.IDs = map[string][]int64{}
	for _, c := range b.Claims {
		if mine[c.RecordID] {
			keep = append(keep, c)
			b.IDs[c.Type] = append(b.IDs[c.Type], c.RecordID)
		}
	}
	b.Claims = keep
	return nil
}

// finishClaims removes the marks whose generation did not move while the
// record was worked on (rule R2) and frees the others for the next cycle.
func (s *Store) finishClaims(ctx context.Context, tx pgx.Tx, claims []*engine.Claim) error {
	if len(claims) == 0 {
		return nil
	}
	var done, doneGen []int64
	var retry, waiting []*engine.Claim
	var asleep, asleepGen []int64
	for _, c := range claims {
		switch {
		case c.Retry > 0:
			retry = append(retry, c)
		case c.Wait > 0:
			waiting = append(waiting, c)
		case c.Sleep:
			asleep, asleepGen = append(asleep, c.RecordID), append(asleepGen, c.Gen)
		case c.Keep:
			// It stays claimed: its write to Close is under way.
		default:
			done, doneGen = append(done, c.RecordID), append(doneGen, c.Gen)
		}
	}
	if len(done) > 0 {
		if _, err := tx.Exec(ctx, `DELETE FROM closesync.dirty d USING unnest($1::bigint[], $2::bigint[]) AS v(id, gen)
			WHERE d.record_id = v.id AND d.gen = v.gen`, done, doneGen); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE closesync.dirty SET lease_until = '-infinity', attempts = 0, marked_at = closesync.clock()
			WHERE record_id = ANY ($1)`, done); err != nil {
			return err
		}
	}
	if err := s.sleep(ctx, tx, asleep, asleepGen); err != nil {
		return err
	}
	if err := s.wait(ctx, tx, waiting); err != nil {
		return err
	}
	for _, c := range retry {
		// A hint that came meanwhile does not wait for the pause of the old try.
		if _, err := tx.Exec(ctx, `UPDATE closesync.dirty SET lease_until = '-infinity', refetch = true, attempts = attempts + 1,
			not_before = CASE WHEN gen = $3 THEN closesync.clock() + $2::interval ELSE not_before END,
			marked_at = CASE WHEN gen = $3 THEN marked_at ELSE closesync.clock() END
			WHERE record_id = $1`, c.RecordID, c.Retry, c.Gen); err != nil {
			return err
		}
	}
	return nil
}

// wait leaves marks for a while; not those that were raised meanwhile.
func (s *Store) wait(ctx context.Context, tx pgx.Tx, claims []*engine.Claim) error {
	if len(claims) == 0 {
		return nil
	}
	ids, gens, waits := make([]int64, len(claims)), make([]int64, len(claims)), make([]time.Duration, len(claims))
	for i, c := range claims {
		ids[i], gens[i], waits[i] = c.RecordID, c.Gen, c.Wait
	}
	_, err := tx.Exec(ctx, `UPDATE closesync.dirty d SET lease_until = '-infinity',
		not_before = CASE WHEN d.gen = v.gen THEN closesync.clock() + v.wait ELSE d.not_before END
		FROM unnest($1::bigint[], $2::bigint[], $3::interval[]) AS v(id, gen, wait) WHERE d.record_id = v.id`, ids, gens, waits)
	return err
}

// sleep leaves marks until an operator ends a pause; not those that were raised
// meanwhile. The lock on the connection orders it with that end: either it is
// seen here, or it comes after this transaction and wakes these marks.
func (s *Store) sleep(ctx context.Context, tx pgx.Tx, ids, gens []int64) error {
	if len(ids) == 0 {
		return nil
	}
	var paused bool
	if err := tx.QueryRow(ctx, `SELECT pause_to_close OR pause_from_close FROM closesync.connections WHERE id = $1 FOR SHARE`, s.id).Scan(&paused); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE closesync.dirty d SET lease_until = '-infinity', refetch = true,
		not_before = CASE WHEN $3 AND d.gen = v.gen THEN 'infinity' ELSE closesync.clock() END
		FROM unnest($1::bigint[], $2::bigint[]) AS v(id, gen) WHERE d.record_id = v.id`, ids, gens, paused)
	return err
}

// wakeSleepers makes the marks due that wait for the end of a pause.
func (s *Store) wakeSleepers(ctx context.Context, q Querier) error {
	_, err := q.Exec(ctx, `UPDATE closesync.dirty SET not_before = closesync.clock() WHERE connection = $1 AND not_before = 'infinity'`, s.id)
	return err
}

// Release gives claims back unfinished; they are due again after the delay.
func (s *Store) Release(ctx context.Context, claims []*engine.Claim, delay time.Duration) error {
	ids, fences := make([]int64, len(claims)), make([]int64, len(claims))
	for i, c := range claims {
		ids[i], fences[i] = c.RecordID, c.Fence
	}
	return insist(ctx, func() error {
		_, err := s.pool.Exec(ctx, `UPDATE closesync.dirty d SET lease_until = '-infinity', not_before = closesync.clock() + $3::interval
			FROM unnest($1::bigint[], $2::bigint[]) AS v(id, fence) WHERE d.record_id = v.id AND d.fence = v.fence`, ids, fences, delay)
		return err
	})
}

const markSQL = `
INSERT INTO closesync.dirty (record_id, connection, refetch, cause, priority, not_before)
SELECT v.id, $1, $3, $4::text::jsonb, $5, closesync.clock() + $6::interval FROM unnest($2::bigint[]) AS v(id) ORDER BY v.id
ON CONFLICT (record_id) DO UPDATE SET gen = dirty.gen + 1, refetch = dirty.refetch OR excluded.refetch, cause = excluded.cause,
    priority = greatest(dirty.priority, excluded.priority), not_before = least(dirty.not_before, excluded.not_before)`

func (s *Store) markIDs(ctx context.Context, q Querier, ids []int64, fetch bool, cause engine.Cause, priority int, after time.Duration) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := q.Exec(ctx, markSQL, s.id, ids, fetch, causeJSON(cause), priority, after)
	return err
}

// records gives the rows of closesync.records for Close ids, making those that
// are missing.
func (s *Store) recordIDs(ctx context.Context, q Querier, objectType string, closeIDs []string) ([]int64, error) {
	if len(closeIDs) == 0 {
		return nil, nil
	}
	if _, err := q.Exec(ctx, `INSERT INTO closesync.records (connection, object_type, close_id)
		SELECT $1, $2, v FROM unnest($3::text[]) AS v ORDER BY v ON CONFLICT (connection, object_type, close_id) DO NOTHING`, s.id, objectType, closeIDs); err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, `SELECT id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND close_id = ANY ($3)`, s.id, objectType, closeIDs)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

func (s *Store) markRemote(ctx context.Context, q Querier, objectType string, closeIDs []string, fetch bool) error {
	ids, err := s.recordIDs(ctx, q, objectType, closeIDs)
	if err != nil {
		return err
	}
	return s.markIDs(ctx, q, ids, fetch, engine.Cause{"source": "reference"}, 1, 0)
}

// markLocal marks the records of rows dirty, making records for unknown rows.
func (s *Store) markLocal(ctx context.Context, q Querier, objectType string, keys []string, fetch bool) error {
	if len(keys) == 0 {
		return nil
	}
	if _, err := q.Exec(ctx, `INSERT INTO closesync.records (connection, object_type, local_key)
		SELECT $1, $2, v FROM unnest($3::text[]) AS v ORDER BY v ON CONFLICT (connection, object_type, local_key) DO NOTHING`, s.id, objectType, keys); err != nil {
		return err
	}
	if err := s.linkKnown(ctx, q, objectType, keys); err != nil {
		return err
	}
	rows, err := q.Query(ctx, `SELECT id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND local_key = ANY ($3)`, s.id, objectType, keys)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	return s.markIDs(ctx, q, ids, fetch, engine.Cause{"source": "local"}, 1, 0)
}

// Mark marks records of Close dirty by id and wakes the workers.
func (s *Store) Mark(ctx context.Context, objectType string, closeIDs []string, cause engine.Cause, priority int) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		ids, err := s.recordIDs(ctx, tx, objectType, closeIDs)
		if err != nil {
			return err
		}
		if err := s.markIDs(ctx, tx, ids, true, cause, priority, 0); err != nil {
			return err
		}
		return s.wake(ctx, tx)
	})
}

func (s *Store) wake(ctx context.Context, tx pgx.Tx) error {
	if s.enqueue == nil {
		return nil
	}
	return s.enqueue(ctx, tx)
}

func (w *writing) markAgain(ctx context.Context) error {
	for _, st := range w.states {
		if st.Outcome.Unmark {
			if _, err := w.tx.Exec(ctx, "DELETE FROM closesync.dirty WHERE record_id = $1", st.ID); err != nil {
				return err
			}
		}
		if o := st.Outcome; o.Mark {
			if err := w.markIDs(ctx, w.tx, []int64{st.ID}, o.Fetch, o.Cause, 0, o.After); err != nil {
				return err
			}
		}
	}
	return nil
}

// NextDue tells how long until a mark is due: 0 for now, false for none.
func (s *Store) NextDue(ctx context.Context) (time.Duration, bool, error) {
	var wait *float64
	err := s.pool.QueryRow(ctx, `SELECT extract(epoch FROM greatest(not_before, lease_until, closesync.clock()) - closesync.clock())::float8
		FROM closesync.dirty m WHERE connection = $1 AND greatest(not_before, lease_until) < 'infinity'
		  AND ($2::text[] IS NULL OR EXISTS (SELECT FROM closesync.records x WHERE x.id = m.record_id AND x.object_type = ANY ($2)))
		  AND ($3::bigint[] IS NULL OR record_id = ANY ($3))
		ORDER BY greatest(not_before, lease_until) LIMIT 1`, s.id, s.onlyUsable(), s.pursued).Scan(&wait)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil || wait == nil {
		return 0, false, err
	}
	return max(0, time.Duration(*wait*float64(time.Second))), true, nil
}

// MarkRows marks rows dirty by key, as a captured change would.
func (s *Store) MarkRows(ctx context.Context, objectType string, keys []string) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		if err := s.markLocal(ctx, tx, objectType, keys, true); err != nil {
			return err
		}
		return s.wake(ctx, tx)
	})
}

// Pursue marks records by Close id and rows by key, and has this store claim
// those alone from now on.
func (s *Store) Pursue(ctx context.Context, closeIDs, keys map[string][]string, cause engine.Cause) error {
	var pursued []int64
	err := s.tx(ctx, func(tx pgx.Tx) error {
		pursued = []int64{}
		for _, objectType := range s.usable() {
			if err := s.markLocal(ctx, tx, objectType, keys[objectType], true); err != nil {
				return err
			}
			ids, err := s.recordIDs(ctx, tx, objectType, closeIDs[objectType])
			if err != nil {
				return err
			}
			rows, err := idsOf(ctx, tx, `SELECT id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND local_key = ANY ($3)`, s.id, objectType, keys[objectType])
			if err != nil {
				return err
			}
			if err := s.markIDs(ctx, tx, ids, true, cause, 2, 0); err != nil {
				return err
			}
			pursued = append(append(pursued, ids...), rows...)
		}
		return s.wake(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("store.Pursue: %w", err)
	}
	s.pursued = pursued
	return nil
}
