package store

import (
	"context"

	"closesync/mapping"
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
			_, err := w.tx.Exec(ctx, `
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

func jsonb(v mapping.Value) *string {
	if v.IsNull() {
		return nil
	}
	return jsonOrNull(v)
}
