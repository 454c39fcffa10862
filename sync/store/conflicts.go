package store

import (
	"context"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// saveConflicts stores what both sides changed. An open conflict is stored
// once and its values follow both sides until somebody decides, or until they
// agree by themselves; a field that rests was not compared.
func (w *writing) saveConflicts(ctx context.Context) error {
	for _, st := range w.states {
		open := []string{}
		for _, c := range st.Outcome.Plan.Conflicts {
			if c.Open {
				open = append(open, c.Field)
			}
			if err := w.saveConflict(ctx, st, c); err != nil {
				return err
			}
		}
		if !mayBeOpen(st) || (!st.Outcome.Whole && st.Outcome.Status != engine.Deleted) {
			continue
		}
		for f, why := range st.Outcome.Plan.Reasons {
			if why == reconcile.ReasonPaused {
				open = append(open, f)
			}
		}
		_, err := w.tx.Exec(ctx, `UPDATE closesync.conflict_log SET status = 'resolved', resolved_at = closesync.clock(), winner = coalesce(choice ->> 'take', winner)
			WHERE record_id = $1 AND status = 'open' AND field <> ALL ($2)`, st.ID, open)
		if err != nil {
			return err
		}
	}
	return nil
}

// mayBeOpen reports whether a record may have open conflicts: those that do are
// in conflict, unless something worse is the matter.
func mayBeOpen(st *engine.State) bool {
	return st.Status == engine.Conflict || st.Status == engine.Errored || st.Status == engine.Held
}

// saveConflict stores one; the decision of an open one closes it.
func (w *writing) saveConflict(ctx context.Context, st *engine.State, c reconcile.Conflict) error {
	base, local, remote := jsonb(c.Base), jsonb(c.Local), jsonb(c.Remote)
	winner := c.Winner
	if winner == "" && !c.Open {
		winner = "value"
	}
	if !c.Open {
		tag, err := w.tx.Exec(ctx, `UPDATE closesync.conflict_log SET status = 'resolved', resolved_at = closesync.clock(), winner = $3,
			local_value = $4::text::jsonb, close_value = $5::text::jsonb WHERE record_id = $1 AND field = $2 AND status = 'open'`,
			st.ID, c.Field, winner, local, remote)
		if err != nil || tag.RowsAffected() > 0 {
			return err
		}
	}
	_, err := w.tx.Exec(ctx, `
		INSERT INTO closesync.conflict_log (connection, record_id, object_type, close_id, local_key, field, base_value, local_value,
		       close_value, rule, winner, status, resolved_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb, $9::text::jsonb, $10, $11,
		        CASE WHEN $12 THEN 'open' ELSE 'resolved' END, CASE WHEN NOT $12 THEN closesync.clock() END)
		ON CONFLICT (record_id, field) WHERE status = 'open' DO UPDATE
		SET local_value = excluded.local_value, close_value = excluded.close_value`,
		w.id, st.ID, st.Type, some(st.CloseID), some(st.LocalKey), c.Field, base, local, remote, c.Rule, some(winner), c.Open)
	return err
}

func jsonb(v mapping.Value) *string {
	if v.IsNull() {
		return nil
	}
	return jsonOrNull(v)
}
