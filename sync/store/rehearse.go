package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// errRehearsed ends a rehearsal's transaction so that nothing of it stays.
var errRehearsed = errors.New("the rehearsal ends here")

// Rehearse lets do use a local side of which everything is undone afterwards.
// It locks no row of a user; workers wait for the records that it touches, so
// do must be quick and must not ask Close. do may be called again.
func (s *Store) Rehearse(ctx context.Context, do func(engine.Rehearsal) error) error {
	err := s.tx(ctx, func(tx pgx.Tx) error {
		r := &Store{pool: tx, name: s.name, id: s.id, role: s.role, objects: s.objects, log: s.log, rehearses: true}
		r.tables.Store(s.tables.Load())
		if err := r.beginRehearsal(ctx); err != nil {
			return err
		}
		if err := do(r); err != nil {
			return err
		}
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return fmt.Errorf("store.Rehearse: %w", err)
}

// beginRehearsal is what the first start of a worker would have done.
func (s *Store) beginRehearsal(ctx context.Context) error {
	if s.id == 0 {
		if err := s.introduce(ctx, false); err != nil {
			return err
		}
	}
	if _, err := s.pool.Exec(ctx, `UPDATE closesync.connections SET bound_at = closesync.clock() WHERE id = $1 AND bound_at IS NULL`, s.id); err != nil {
		return err
	}
	if err := s.meetMapping(ctx); err != nil {
		return err
	}
	return s.register(ctx)
}

// Pretend lets rows look created in Close, for what waits for them.
func (s *Store) Pretend(ctx context.Context, ids map[int64]string) error {
	records, closeIDs := make([]int64, 0, len(ids)), make([]string, 0, len(ids))
	for record, id := range ids {
		records, closeIDs = append(records, record), append(closeIDs, id)
	}
	_, err := s.pool.Exec(ctx, `UPDATE closesync.records r SET close_id = v.close_id FROM unnest($1::bigint[], $2::text[]) AS v(id, close_id) WHERE r.id = v.id`, records, closeIDs)
	return err
}

// Elapse makes due what waits for a moment.
func (s *Store) Elapse(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `UPDATE closesync.dirty SET not_before = closesync.clock() WHERE connection = $1 AND not_before > closesync.clock() AND isfinite(not_before)`, s.id)
	return err
}

// HeldRows lists the keys of rows of before the first load that are held.
func (s *Store) HeldRows(ctx context.Context, objectType string) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT local_key FROM closesync.records WHERE connection = $1 AND object_type = $2
		AND existed AND close_id IS NULL AND state = 'held'`, s.id, objectType)
	if err != nil {
		return nil, fmt.Errorf("store.HeldRows(%s): %w", objectType, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Undecided lists what of these types open holds and conflicts are about. The
// value that a hold of a clear would take away is that of the base.
func (s *Store) Undecided(ctx context.Context, types []string) ([]engine.Undecided, error) {
	rows, err := s.pool.Query(ctx, `SELECT h.id, r.object_type, coalesce(r.close_id, ''), coalesce(r.local_key, ''), h.kind, h.field, h.reason,
		       coalesce((r.base -> h.field)::text, 'null'), 'null', 'null'
		FROM closesync.holds h JOIN closesync.hold_items i ON i.hold_id = h.id JOIN closesync.records r ON r.id = i.record_id
		WHERE h.connection = $1 AND h.object_type = ANY ($2) AND h.status = 'open'
		UNION ALL
		SELECT l.id, l.object_type, coalesce(l.close_id, ''), coalesce(l.local_key, ''), '', l.field, l.rule,
		       coalesce(l.base_value, 'null')::text, coalesce(l.local_value, 'null')::text, coalesce(l.close_value, 'null')::text
		FROM closesync.conflict_log l WHERE l.connection = $1 AND l.object_type = ANY ($2) AND l.status = 'open' ORDER BY 1`, s.id, types)
	if err != nil {
		return nil, fmt.Errorf("store.Undecided: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[engine.Undecided])
}

// LinkedCount is how many records are linked on both sides.
func (s *Store) LinkedCount(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM closesync.records WHERE connection = $1 AND close_id IS NOT NULL AND local_key IS NOT NULL`, s.id).Scan(&n)
	return n, err
}
