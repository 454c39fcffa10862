package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// loadAbsent finds the records that emptied references of the states named and
// whose rows were deleted here while Close still has them.
func (s *Store) loadAbsent(ctx context.Context, tx pgx.Tx, t *table, states []*engine.State) error {
	for _, f := range t.object.Parents() {
		p := s.table(f.Parent)
		asks := map[string][]*engine.State{}
		for _, st := range states {
			id, ok := st.Base.Get(f.Close).Text()
			if ok && p != nil && st.Local.Exists && st.Local.Record.Get(f.Close).IsNull() {
				asks[id] = append(asks[id], st)
			}
		}
		if len(asks) == 0 {
			continue
		}
		rows, err := tx.Query(ctx, `SELECT p.close_id, p.state, coalesce(p.last_error, '') FROM closesync.records p
			WHERE p.connection = $1 AND p.object_type = $2 AND p.close_id = ANY ($3) AND p.state <> 'deleted' AND `+p.rowless("p"), s.id, f.Parent, keysOf(asks))
		if err != nil {
			return err
		}
		var id string
		var absent engine.Absent
		_, err = pgx.ForEachRow(rows, []any{&id, &absent.State, &absent.Error}, func() error {
			for _, st := range asks[id] {
				if st.Absent == nil {
					st.Absent = map[string]engine.Absent{}
				}
				st.Absent[f.Close] = absent
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loadOwners tells what is known of the deletion in Close of each record's
// parent.
func (s *Store) loadOwners(ctx context.Context, tx pgx.Tx, t *table, states []*engine.State) error {
	f, ok := requiredParent(t.object)
	if !ok {
		return nil
	}
	asks := map[string][]*engine.State{}
	for _, st := range states {
		if id, ok := st.Base.Get(f.Close).Text(); ok && st.Local.Exists {
			asks[id] = append(asks[id], st)
		}
	}
	if len(asks) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `
		SELECT p.close_id, coalesce(h.status = 'open', false), coalesce(h.status = 'rejected', false), EXISTS (SELECT FROM closesync.dirty d JOIN closesync.inbox i ON i.id = ANY (d.events)
		       WHERE d.record_id = p.id AND i.action = 'deleted' AND i.object_id = p.close_id)
		FROM closesync.records p LEFT JOIN LATERAL (SELECT h.status FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id
		     WHERE i.record_id = p.id AND h.kind = 'inbound_delete' ORDER BY h.id DESC LIMIT 1) h ON true
		WHERE p.connection = $1 AND p.object_type = $2 AND p.close_id = ANY ($3)`, s.id, f.Parent, keysOf(asks))
	if err != nil {
		return err
	}
	var id string
	var owner engine.Owner
	_, err = pgx.ForEachRow(rows, []any{&id, &owner.Held, &owner.Rejected, &owner.Going}, func() error {
		for _, st := range asks[id] {
			st.Owner = owner
		}
		return nil
	})
	return err
}

// releaseReferences has the records decided anew whose references waited for
// others: those that have their rows again, or are deleted in Close by now.
func (w *writing) releaseReferences(ctx context.Context, objectType string, states []*engine.State) error {
	var back, gone []string
	for _, st := range states {
		switch o := st.Outcome; {
		case st.CloseID == "":
		case o.Plan.Local == reconcile.Create && st.Base != nil:
			back = append(back, st.CloseID)
		case o.Status == engine.Deleted && st.Status != engine.Deleted:
			gone = append(gone, st.CloseID)
		}
	}
	for _, t := range w.usable() {
		for _, f := range w.table(t).object.Parents() {
			if f.Parent != objectType {
				continue
			}
			if err := w.releaseBy(ctx, w.table(t), f, back, true); err != nil {
				return err
			}
			if err := w.releaseBy(ctx, w.table(t), f, gone, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaseBy marks the waiting records of one type that refer to the given ones.
// Only records that are marked or parked can be waiting.
func (w *writing) releaseBy(ctx context.Context, child *table, f mapping.Field, closeIDs []string, refill bool) error {
	if len(closeIDs) == 0 {
		return nil
	}
	_, err := w.tx.Exec(ctx, fmt.Sprintf(`
		INSERT INTO closesync.dirty (record_id, connection, refetch, refill, cause, priority)
		SELECT r.id, $1, true, $5, $6::text::jsonb, 1 FROM closesync.records r
		WHERE r.id IN (SELECT record_id FROM closesync.dirty WHERE connection = $1
		      UNION ALL SELECT id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND state IN ('held', 'error'))
		  AND r.object_type = $2 AND r.base ->> $3 = ANY ($4) AND EXISTS (SELECT FROM %s x WHERE x.%s = r.local_key::%s) ORDER BY r.id
		ON CONFLICT (record_id) DO UPDATE SET gen = dirty.gen + 1, refetch = true, refill = dirty.refill OR excluded.refill,
		    not_before = least(dirty.not_before, closesync.clock())`, child.name, child.key, child.keyCast),
		w.id, child.object.Type, f.Close, closeIDs, refill, causeJSON(engine.Cause{"source": "reference"}))
	return err
}
