package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

var errPreview = errors.New("preview ends here")

// Preview lets decide see the batch's records as Decide would and then rolls
// everything back: nothing is written anywhere.
func (s *Store) Preview(ctx context.Context, b engine.Batch, decide func(engine.Present, []*engine.State) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, objectType := range mapping.Types() {
			ids, closeIDs := b.IDs[objectType], b.CloseIDs[objectType]
			if s.table(objectType) == nil || len(ids)+len(closeIDs) == 0 {
				continue
			}
			states, err := s.load(ctx, tx, objectType, ids, closeIDs)
			if err != nil {
				return err
			}
			if err := decide(engine.Present{}, readable(states)); err != nil {
				return err
			}
		}
		return errPreview
	})
	if errors.Is(err, errPreview) {
		return nil
	}
	return fmt.Errorf("store.Preview: %w", err)
}

// Unlinked lists the rows that have no Close id yet and would be created.
func (s *Store) Unlinked(ctx context.Context, objectType string) ([]string, error) {
	t := s.table(objectType)
	rows, err := s.pool.Query(ctx, fmt.Sprintf(`SELECT t.%[2]s::text FROM %[1]s t
		LEFT JOIN closesync.records r ON r.connection = $1 AND r.object_type = $2 AND r.local_key = t.%[2]s::text
		WHERE r.close_id IS NULL AND coalesce(r.state, '') NOT IN ('deleted', 'detached') ORDER BY t.%[2]s`, t.name, t.key), s.id, objectType)
	if err != nil {
		return nil, fmt.Errorf("store.Unlinked(%s): %w", objectType, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// LinkedCount is how many records are linked on both sides.
func (s *Store) LinkedCount(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM closesync.records WHERE connection = $1 AND close_id IS NOT NULL AND local_key IS NOT NULL`, s.id).Scan(&n)
	return n, err
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
