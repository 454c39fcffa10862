package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// ErrNotFound: there is no such conflict, hold or record. ErrDecided: a
// decision about it was taken, and stands.
var (
	ErrNotFound = errors.New("not found")
	ErrDecided  = errors.New("is decided already")
)

// operator is the cause of what a person asked for.
var operator = engine.Cause{"source": "operator"}

// RetryErrors has parked records tried again from a fresh reading and says how
// many. ids are those of the list, or Close ids; nil means all.
func (s *Store) RetryErrors(ctx context.Context, ids []string) (count int, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		found, err := idsOf(ctx, tx, `UPDATE closesync.records SET state = 'synced', last_error = NULL, error_class = NULL, attempts = 0,
			       parked = NULL
			WHERE connection = $1 AND state = 'error' AND ($2::text[] IS NULL OR id::text = ANY ($2) OR close_id = ANY ($2)) RETURNING id`, s.id, ids)
		if err != nil {
			return err
		}
		if count = len(found); count == 0 {
			return nil
		}
		return s.again(ctx, tx, found, "retry errors")
	})
	if err != nil {
		return 0, fmt.Errorf("store.RetryErrors: %w", err)
	}
	return count, nil
}

// DecideHold lets the writes of a hold go, or drops them.
func (s *Store) DecideHold(ctx context.Context, id int64, approve bool) error {
	status, act := "rejected", "reject"
	if approve {
		status, act = "approved", "approve"
	}
	err := s.tx(ctx, func(tx pgx.Tx) error {
		done, err := idsOf(ctx, tx, `UPDATE closesync.holds SET status = $3, decided_at = closesync.clock()
			WHERE connection = $1 AND id = $2 AND status = 'open' RETURNING id`, s.id, id, status)
		if err != nil {
			return err
		}
		if len(done) == 0 {
			return s.whyNotOpen(ctx, tx, id)
		}
		if approve {
			// From now on they are rows like any other.
			if _, err := tx.Exec(ctx, `UPDATE closesync.records r SET existed = false FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id
				WHERE i.hold_id = $1 AND h.kind = $2 AND r.id = i.record_id`, id, engine.FirstStart); err != nil {
				return err
			}
		}
		ids, err := idsOf(ctx, tx, `SELECT r.id FROM closesync.hold_items i JOIN closesync.records r ON r.id = i.record_id WHERE i.hold_id = $1`, id)
		if err != nil {
			return err
		}
		return s.again(ctx, tx, ids, fmt.Sprintf("%s hold %d", act, id))
	})
	if err != nil {
		return fmt.Errorf("hold %d: %w", id, err)
	}
	return nil
}

// whyNotOpen says what became of a hold that is not open.
func (s *Store) whyNotOpen(ctx context.Context, q Querier, id int64) error {
	var status string
	var at time.Time
	err := q.QueryRow(ctx, `SELECT status, decided_at FROM closesync.holds WHERE connection = $1 AND id = $2`, s.id, id).Scan(&status, &at)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: it was %s on %s", ErrDecided, status, at.UTC().Format(time.DateTime))
}

// Unfinished tells how many of the records of a decision still wait for a
// worker: the one of a conflict, or those of a hold.
func (s *Store) Unfinished(ctx context.Context, conflict, hold int64) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM closesync.dirty d WHERE d.connection = $1 AND d.not_before < 'infinity' AND d.record_id IN (
		SELECT record_id FROM closesync.conflict_log WHERE id = $2 UNION ALL SELECT record_id FROM closesync.hold_items WHERE hold_id = $3)`,
		s.id, conflict, hold).Scan(&n)
	return n, err
}

// Retrying tells how many records that an operator had tried again wait.
func (s *Store) Retrying(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM closesync.dirty WHERE connection = $1 AND not_before < 'infinity' AND cause ->> 'source' = 'operator'`, s.id).Scan(&n)
	return n, err
}

// SetPause stops or starts a direction: "to_close", "from_close" or "" for
// both. What changes meanwhile waits.
func (s *Store) SetPause(ctx context.Context, direction string, paused bool) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE closesync.connections SET
			pause_to_close = CASE WHEN $2 IN ('', 'to_close') THEN $3 ELSE pause_to_close END,
			pause_from_close = CASE WHEN $2 IN ('', 'from_close') THEN $3 ELSE pause_from_close END WHERE id = $1`, s.id, direction, paused)
		if err != nil {
			return err
		}
		act := "pause"
		if !paused {
			act = "resume"
			if err := s.wakeSleepers(ctx, tx); err != nil {
				return err
			}
		}
		if err := s.noteAct(ctx, tx, strings.TrimSpace(act+" "+direction), 0); err != nil {
			return err
		}
		return s.rouse(ctx, tx)
	})
}

// NoteAct keeps what an operator did in the runs, where it stays visible.
func (s *Store) NoteAct(ctx context.Context, act string) error {
	return s.noteAct(ctx, s.pool, act, 0)
}

// operatorKind begins the kind of those runs that are a person's acts.
const operatorKind = "operator: "

// noteAct holds no values of records, as runs are kept longer than those may be.
func (s *Store) noteAct(ctx context.Context, q Querier, act string, changed int) error {
	_, err := q.Exec(ctx, `INSERT INTO closesync.run_log (connection, kind, finished_at, state, changed)
		VALUES ($1, $2, closesync.clock(), 'done', $3)`, s.id, operatorKind+act, changed)
	return err
}

// again has records compared at once, from a fresh reading, and notes the act.
func (s *Store) again(ctx context.Context, tx pgx.Tx, ids []int64, act string) error {
	if err := s.noteAct(ctx, tx, act, len(ids)); err != nil {
		return err
	}
	if err := s.markIDs(ctx, tx, ids, true, operator, 3, 0); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE closesync.dirty SET attempts = 0 WHERE record_id = ANY ($1)`, ids); err != nil {
		return err
	}
	return s.rouse(ctx, tx)
}

// rouse wakes the workers also from a process that has no queue of its own.
func (s *Store) rouse(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_notify('closesync_outbox', $1)`, itoa(int64(s.id))); err != nil {
		return err
	}
	return s.wake(ctx, tx)
}

func idsOf(ctx context.Context, q Querier, sql string, args ...any) ([]int64, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
