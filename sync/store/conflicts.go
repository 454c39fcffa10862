package store

import (
	"context"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// saveConflicts stores what both sides changed. An open conflict is stored
// once and its values follow both sides until somebody decides.
func (w *writing) saveConflicts(ctx context.Context) error {
	for _, st := range w.states {
		open := map[string]bool{}
		for _, c := range st.Outcome.Plan.Conflicts {
			status := "resolved"
			if c.Open {
				status = "open"
				open[c.Field] = true
			}
			decided, err := w.decided(ctx, st.ID, c)
			if err != nil {
				return err
			}
			if decided {
				continue
			}
			_, err = w.tx.Exec(ctx, `
				INSERT INTO closesync.conflict_log (connection, record_id, object_type, close_id, local_key, field, base_value, local_value,
				       close_value, rule, winner, status, resolved_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb, $9::text::jsonb, $10, $11, $12,
				        CASE WHEN $12 = 'resolved' THEN closesync.clock() END)
				ON CONFLICT (record_id, field) WHERE status = 'open' DO UPDATE
				SET local_value = excluded.local_value, close_value = excluded.close_value`,
				w.id, st.ID, st.Type, some(st.CloseID), some(st.LocalKey), c.Field, jsonb(c.Base), jsonb(c.Local), jsonb(c.Remote),
				c.Rule, some(c.Winner), status)
			if err != nil {
				return err
			}
		}
		if st.Status == "conflict" && st.Outcome.Status != "" && len(open) == 0 {
			if _, err := w.tx.Exec(ctx, `UPDATE closesync.conflict_log SET status = 'resolved', resolved_at = closesync.clock(),
				winner = coalesce(winner, choice ->> 'take', 'close') WHERE record_id = $1 AND status = 'open'`, st.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// decided closes the open conflict that an operator's choice is about, with the
// values that it was carried out on; false if there is none.
func (w *writing) decided(ctx context.Context, record int64, c reconcile.Conflict) (bool, error) {
	if c.Rule != reconcile.RuleOperator {
		return false, nil
	}
	tag, err := w.tx.Exec(ctx, `UPDATE closesync.conflict_log SET status = 'resolved', resolved_at = closesync.clock(),
		winner = coalesce($3, choice ->> 'take'), local_value = $4::text::jsonb, close_value = $5::text::jsonb
		WHERE record_id = $1 AND field = $2 AND status = 'open'`, record, c.Field, some(c.Winner), jsonb(c.Local), jsonb(c.Remote))
	return tag.RowsAffected() > 0, err
}

func jsonb(v mapping.Value) *string {
	if v.IsNull() {
		return nil
	}
	return jsonOrNull(v)
}
