package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

const twinsClass = "duplicate"

// ReportTwins parks the living records of each group, which carry one marker,
// and releases those of the type that were parked so and are in no group now.
func (s *Store) ReportTwins(ctx context.Context, objectType string, groups [][]string) error {
	err := s.tx(ctx, func(tx pgx.Tx) error {
		parked := []string{}
		for _, ids := range groups {
			living, err := s.living(ctx, tx, objectType, ids)
			if err != nil {
				return err
			}
			if len(living) < 2 {
				continue
			}
			parked = append(parked, living...)
			if _, err := tx.Exec(ctx, `UPDATE closesync.records SET state = 'error', error_class = $4, last_error = $5
				WHERE connection = $1 AND object_type = $2 AND close_id = ANY ($3) AND state = 'synced'`, s.id, objectType, living, twinsClass,
				strings.Join(living, " and ")+" carry one marker: a create of ours took effect more than once; merge them in Close, or delete one"); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE closesync.records SET state = 'synced', error_class = NULL, last_error = NULL
			WHERE connection = $1 AND object_type = $2 AND state = 'error' AND error_class = $3 AND close_id <> ALL ($4)`, s.id, objectType, twinsClass, parked)
		return err
	})
	if err != nil {
		return fmt.Errorf("store.ReportTwins(%s): %w", objectType, err)
	}
	return nil
}

func (s *Store) living(ctx context.Context, q Querier, objectType string, ids []string) ([]string, error) {
	rows, err := q.Query(ctx, `SELECT close_id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND close_id = ANY ($3)
		AND state <> 'deleted' ORDER BY close_id`, s.id, objectType, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
