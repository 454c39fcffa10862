package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// Approved gives the decision on the newest hold of each record that has one:
// "approved" or "rejected". A row changed since then is another matter.
func (s *Store) Approved(ctx context.Context, recordIDs []int64) (map[int64]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT ON (i.record_id) i.record_id, h.status FROM closesync.hold_items i
		JOIN closesync.holds h ON h.id = i.hold_id LEFT JOIN closesync.dirty d ON d.record_id = i.record_id
		WHERE i.record_id = ANY ($1) AND h.status <> 'open' AND (d.local_at IS NULL OR d.local_at <= h.decided_at) ORDER BY i.record_id, h.id DESC`, recordIDs)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64]string{}
	for rows.Next() {
		var id int64
		var status string
		if err := rows.Scan(&id, &status); err != nil {
			return nil, err
		}
		found[id] = status
	}
	return found, rows.Err()
}

// Counts gives what the guards decide from: what was sent in the window and
// what waits to be sent.
func (s *Store) Counts(ctx context.Context, objectType string, window time.Duration) (engine.GuardCounts, error) {
	t := s.table(objectType)
	var c engine.GuardCounts
	if t == nil {
		return c, nil
	}
	err := s.pool.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE action = 'delete'), count(*) FILTER (WHERE action = 'create') FROM closesync.intents
		WHERE connection = $1 AND object_type = $2 AND created_at > closesync.clock() - $3::interval AND state = 'done'
		  AND NOT EXISTS (SELECT FROM closesync.hold_items h WHERE h.record_id = intents.record_id)`,
		s.id, objectType, window).Scan(&c.Deletes, &c.Creates)
	if err != nil {
		return c, err
	}
	// What an open hold keeps back still waits to be sent: else the last few of
	// a mass delete would find themselves alone and pass.
	err = s.pool.QueryRow(ctx, `
		WITH held AS (SELECT i.record_id, h.kind FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id
		    WHERE h.connection = $1 AND h.object_type = $2 AND h.status = 'open'),
		due AS (SELECT c.close_id IS NULL AS fresh, EXISTS (SELECT FROM `+t.name+` t WHERE t.`+t.key+` = c.local_key::`+t.keyCast+`) AS there
		    FROM closesync.dirty d JOIN closesync.records c ON c.id = d.record_id
		    WHERE d.connection = $1 AND c.object_type = $2 AND c.local_key IS NOT NULL AND c.state <> 'deleted' AND `+s.alone(t)+`
		      AND NOT EXISTS (SELECT FROM held WHERE held.record_id = c.id)
		      AND NOT EXISTS (SELECT FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id WHERE i.record_id = c.id AND h.status <> 'open'))
		SELECT (SELECT count(*) FROM due WHERE NOT fresh AND NOT there) + (SELECT count(*) FROM held WHERE kind = 'delete'),
		       (SELECT count(*) FROM due WHERE fresh) + (SELECT count(*) FROM held WHERE kind = 'create')`,
		s.id, objectType).Scan(&c.PendingDeletes, &c.PendingCreates)
	if err != nil || c.PendingDeletes+c.Deletes < 5 {
		return c, err
	}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM closesync.records WHERE connection = $1 AND object_type = $2
		AND close_id IS NOT NULL AND local_key IS NOT NULL`, s.id, objectType).Scan(&c.Linked)
	return c, err
}

// hold puts a record into the open hold of its kind, making the hold first.
func (w *writing) hold(ctx context.Context, st *engine.State, in *engine.Intent) error {
	var id int64
	kind := string(in.Action)
	if in.First {
		kind = engine.FirstStart
	}
	err := w.tx.QueryRow(ctx, `INSERT INTO closesync.holds (connection, kind, object_type, reason) VALUES ($1, $2, $3, $4)
		ON CONFLICT (connection, kind, object_type) WHERE status = 'open' DO UPDATE SET reason = excluded.reason RETURNING id`,
		w.id, kind, st.Type, in.Held).Scan(&id)
	if err != nil {
		return err
	}
	_, err = w.tx.Exec(ctx, `INSERT INTO closesync.hold_items (hold_id, record_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, st.ID)
	return err
}

// Pauses tells which directions an operator has stopped.
func (s *Store) Pauses(ctx context.Context) (toClose, fromClose bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT pause_to_close, pause_from_close FROM closesync.connections WHERE id = $1`, s.id).Scan(&toClose, &fromClose)
	return toClose, fromClose, err
}

// StartRun notes that a load, search or audit began.
func (s *Store) StartRun(ctx context.Context, kind, objectType string) (id int64, err error) {
	err = s.pool.QueryRow(ctx, `INSERT INTO closesync.run_log (connection, kind, object_type) VALUES ($1, $2, $3) RETURNING id`, s.id, kind, some(objectType)).Scan(&id)
	return id, err
}

// FinishRun notes how it ended.
func (s *Store) FinishRun(ctx context.Context, id int64, seen, changed, requests int64, problem error) error {
	state, text := "done", ""
	if problem != nil {
		state, text = "failed", problem.Error()
	}
	_, err := s.pool.Exec(ctx, `UPDATE closesync.run_log SET finished_at = closesync.clock(), state = $2, seen = $3, changed = $4, requests = $5, error = $6 WHERE id = $1`,
		id, state, seen, changed, requests, some(text))
	return err
}

// SaveReference mirrors Close's catalogue into the reference tables; what is
// no longer there goes, what is the same is not written, and what could not be
// read stays.
func (s *Store) SaveReference(ctx context.Context, r engine.Reference) error {
	return s.tx(ctx, func(tx pgx.Tx) error {
		if err := mirror(ctx, tx, "users", []string{"email", "first_name", "last_name", "active"}, r.Users, func(u engine.User) []any {
			return []any{u.ID, u.Email, u.FirstName, u.LastName, u.Active}
		}); err != nil {
			return err
		}
		if err := mirror(ctx, tx, "lead_statuses", []string{"label"}, r.LeadStatuses, func(l engine.LeadStatus) []any { return []any{l.ID, l.Label} }); err != nil {
			return err
		}
		if err := mirror(ctx, tx, "pipelines", []string{"name"}, r.Pipelines, func(p engine.Pipeline) []any { return []any{p.ID, p.Name} }); err != nil {
			return err
		}
		if err := mirror(ctx, tx, "opportunity_statuses", []string{"label", "type", "pipeline_id", "position"}, r.Opportunities, func(o engine.OpportunityStatus) []any {
			return []any{o.ID, o.Label, o.Type, o.PipelineID, o.Position}
		}); err != nil {
			return err
		}
		return mirror(ctx, tx, "custom_fields", []string{"object_type", "name", "type", "multiple", "choices"}, r.CustomFields, func(c engine.CustomField) []any {
			return []any{c.ID, c.ObjectType, c.Name, c.Type, c.Multiple, c.Choices}
		})
	})
}

func mirror[T any](ctx context.Context, tx pgx.Tx, name string, columns []string, list []T, values func(T) []any) error {
	if list == nil {
		return nil
	}
	set, params, differ, target := "", "$1", "", quote("crm", name)
	for i, c := range columns {
		if i > 0 {
			set += ", "
			differ += " OR "
		}
		set += quote(c) + " = excluded." + quote(c)
		differ += "t." + quote(c) + " IS DISTINCT FROM excluded." + quote(c)
		params += ", $" + itoa(int64(i+2))
	}
	names := quote("close_id")
	for _, c := range columns {
		names += ", " + quote(c)
	}
	ids := make([]string, 0, len(list))
	for _, item := range list {
		v := values(item)
		ids = append(ids, v[0].(string))
		if _, err := tx.Exec(ctx, "INSERT INTO "+target+" AS t ("+names+") VALUES ("+params+") ON CONFLICT (close_id) DO UPDATE SET "+set+" WHERE "+differ, v...); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "DELETE FROM "+target+" WHERE close_id <> ALL ($1)", ids)
	return err
}
