package store

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// holdsOf gives, for a record r, its parts in holds that still count: open
// ones, and decided ones as long as they are not carried out and the row was
// not edited since the decision, which was about something else then.
const holdsOf = `(SELECT jsonb_agg(jsonb_build_object('kind', h.kind, 'field', h.field, 'reason', h.reason, 'status', h.status) ORDER BY h.id)
	FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id LEFT JOIN closesync.dirty d ON d.record_id = i.record_id
	WHERE i.record_id = r.id AND NOT i.done AND (h.status = 'open' OR d.local_at IS NULL OR d.local_at <= h.decided_at))::text`

func decodeHolds(text *string) (list []engine.Hold, err error) {
	if text != nil {
		err = json.Unmarshal([]byte(*text), &list)
	}
	return list, err
}

// HeldTypes lists the object types that have an open hold of deletes or clears.
func (s *Store) HeldTypes(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT object_type FROM closesync.holds WHERE connection = $1 AND status = 'open' AND kind IN ('delete', 'clear')`, s.id)
	if err != nil {
		return nil, fmt.Errorf("store.HeldTypes: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// saveHolds enters what guards keep back into the open holds, and takes out
// what there is nothing to decide about any more.
func (w *writing) saveHolds(ctx context.Context) error {
	for _, st := range w.states {
		o := st.Outcome
		for _, h := range o.Holds {
			if err := w.hold(ctx, st, h); err != nil {
				return err
			}
		}
		if o.Whole {
			if err := w.dropHolds(ctx, st); err != nil {
				return err
			}
		}
		for _, h := range o.Done {
			_, err := w.tx.Exec(ctx, `UPDATE closesync.hold_items i SET done = true FROM closesync.holds h
				WHERE h.id = i.hold_id AND i.record_id = $1 AND h.kind = $2 AND h.field = $3 AND h.status <> 'open'`, st.ID, h.Kind, h.Field)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// hold puts a record into the open hold of its kind, making the hold first. A
// hold older than its words keeps them: they say what it was opened for.
func (w *writing) hold(ctx context.Context, st *engine.State, h engine.Hold) error {
	var id int64
	err := w.tx.QueryRow(ctx, `INSERT INTO closesync.holds (connection, kind, object_type, field, reason) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (connection, kind, object_type, field) WHERE status = 'open' DO UPDATE SET reason = holds.reason RETURNING id`,
		w.id, h.Kind, st.Type, h.Field, h.Reason).Scan(&id)
	if err != nil {
		return err
	}
	_, err = w.tx.Exec(ctx, `INSERT INTO closesync.hold_items (hold_id, record_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, st.ID)
	return err
}

// dropHolds takes a record out of the open holds that its outcome does not
// name. A hold that has nobody left is no hold.
func (w *writing) dropHolds(ctx context.Context, st *engine.State) error {
	for _, h := range st.Holds {
		if h.Status != engine.HoldOpen || names(st.Outcome.Holds, h) {
			continue
		}
		_, err := w.tx.Exec(ctx, `WITH gone AS (
				DELETE FROM closesync.hold_items i USING closesync.holds h WHERE h.id = i.hold_id AND i.record_id = $1
				AND h.kind = $2 AND h.field = $3 AND h.status = 'open' RETURNING i.hold_id)
			DELETE FROM closesync.holds h USING gone WHERE h.id = gone.hold_id
			AND NOT EXISTS (SELECT FROM closesync.hold_items i WHERE i.hold_id = h.id AND i.record_id <> $1)`, st.ID, h.Kind, h.Field)
		if err != nil {
			return err
		}
	}
	return nil
}

func names(list []engine.Hold, h engine.Hold) bool {
	for _, l := range list {
		if l.Kind == h.Kind && l.Field == h.Field {
			return true
		}
	}
	return false
}
