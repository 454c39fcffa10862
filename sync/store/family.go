package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// owners lists the usable tables whose rows cannot be without one of another
// object type, with the field that refers to it.
func (s *Store) owners(visit func(child *table, f mapping.Field)) {
	for _, objectType := range s.usable() {
		t := s.table(objectType)
		for _, f := range t.object.Parents() {
			if f.Required && s.table(f.Parent) != nil {
				visit(t, f)
			}
		}
	}
}

// rowless is the condition that the record of that alias has a key, but no row.
func (t *table) rowless(alias string) string {
	return fmt.Sprintf("(%[1]s.local_key IS NOT NULL AND NOT EXISTS (SELECT FROM %[2]s t WHERE t.%[3]s = %[1]s.local_key::%[4]s))",
		alias, t.name, t.key, t.keyCast)
}

// Gone tells which of the records lost their row to a delete here, and whether
// the record each hung at waits for the same decision.
func (s *Store) Gone(ctx context.Context, recordIDs []int64) (map[int64]engine.Gone, error) {
	byType := ""
	for _, objectType := range s.usable() {
		byType += fmt.Sprintf(" WHEN %s THEN %s", literal(objectType), s.table(objectType).rowless("r"))
	}
	if byType == "" {
		return nil, nil
	}
	// One way through the records: as a union, a part for each type, Postgres
	// would start parallel workers for it in every cycle.
	rows, err := s.pool.Query(ctx, `SELECT r.id FROM unnest($1::bigint[]) AS v (id) JOIN closesync.records r ON r.id = v.id
		WHERE r.base IS NOT NULL AND r.state <> 'deleted' AND CASE r.object_type`+byType+` ELSE false END`, recordIDs)
	if err != nil {
		return nil, fmt.Errorf("store.Gone: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	gone := map[int64]engine.Gone{}
	for _, id := range ids {
		gone[id] = engine.Gone{}
	}
	return gone, s.goneParents(ctx, ids, gone)
}

// goneParent is the condition that record p is what record c hung at by f, was
// deleted here, and is not decided yet.
func (s *Store) goneParent(f mapping.Field) string {
	return fmt.Sprintf("p.close_id = c.base ->> %s AND p.object_type = %s AND p.connection = c.connection AND p.state NOT IN ('deleted', 'detached') AND %s",
		literal(f.Close), literal(f.Parent), s.table(f.Parent).rowless("p"))
}

// alone is the condition that record c did not go with its parent.
func (s *Store) alone(t *table) string {
	where := "true"
	for _, f := range t.object.Parents() {
		if f.Required && s.table(f.Parent) != nil {
			where += fmt.Sprintf(" AND NOT EXISTS (SELECT FROM closesync.records p WHERE %s)", s.goneParent(f))
		}
	}
	return where
}

// goneParents adds the parents. One whose delete waits to be absorbed is as
// good as marked.
func (s *Store) goneParents(ctx context.Context, ids []int64, gone map[int64]engine.Gone) error {
	var parts []string
	s.owners(func(child *table, f mapping.Field) {
		parts = append(parts, fmt.Sprintf(`
			SELECT c.id, p.state, coalesce(p.last_error, ''), d.record_id IS NOT NULL OR EXISTS (SELECT FROM closesync.outbox o
			       WHERE o.connection = p.connection AND o.object_type = p.object_type AND o.local_key = p.local_key)
			FROM closesync.records c
			JOIN closesync.records p ON %s
			LEFT JOIN closesync.dirty d ON d.record_id = p.id
			WHERE c.id = ANY ($1) AND c.object_type = %s`, s.goneParent(f), literal(child.object.Type)))
	})
	if len(parts) == 0 {
		return nil
	}
	rows, err := s.pool.Query(ctx, strings.Join(parts, " UNION ALL "), ids)
	if err != nil {
		return fmt.Errorf("store.Gone: %w", err)
	}
	var id int64
	var p engine.Parent
	_, err = pgx.ForEachRow(rows, []any{&id, &p.Status, &p.Error, &p.Pending}, func() error {
		parent := p
		gone[id] = engine.Gone{Parent: &parent}
		return nil
	})
	return err
}

// Relatives gives the records of children that Close shows inside a parent
// whose row was deleted here, by Close id; creating says that a create of their
// type is under way, so that one without a record may be ours.
func (s *Store) Relatives(ctx context.Context, objectType string, closeIDs []string) (found map[string]engine.Relative, creating bool, err error) {
	t := s.table(objectType)
	found = map[string]engine.Relative{}
	if t == nil {
		return found, false, nil
	}
	if creating, err = s.creating(ctx, s.pool, objectType); err != nil {
		return nil, false, err
	}
	rows, err := s.pool.Query(ctx, s.relativesSQL(t), s.id, objectType, closeIDs)
	if err != nil {
		return nil, false, fmt.Errorf("store.Relatives: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r engine.Relative
		var id string
		var base *string
		var version *time.Time
		if err := rows.Scan(&r.ID, &id, &base, &version, &r.Row, &r.Stuck, &r.Busy, &r.WaitsFor); err != nil {
			return nil, false, fmt.Errorf("store.Relatives: %w", err)
		}
		r.Version = deref(version).UTC()
		if base != nil {
			if r.Base, err = mapping.DecodeBase([]byte(*base)); err != nil {
				return nil, false, err
			}
		}
		found[id] = r
	}
	return found, creating, rows.Err()
}

func (s *Store) relativesSQL(t *table) string {
	row, stuck := "'gone'", "false"
	for _, c := range t.columns {
		f := c.field
		if f.Kind != mapping.Reference || !f.Required {
			continue
		}
		// A reference that was emptied names no other parent.
		row = fmt.Sprintf(`CASE WHEN t.%[1]s IS NULL THEN 'gone' WHEN t.%[4]s IS NULL THEN 'here'
			WHEN EXISTS (SELECT FROM closesync.records p WHERE p.connection = r.connection AND p.object_type = %[2]s
			     AND p.close_id = r.base ->> %[3]s AND p.local_key = t.%[4]s::text) THEN 'here' ELSE 'elsewhere' END`,
			t.key, literal(f.Parent), literal(f.Close), c.name)
		stuck = fmt.Sprintf("coalesce(r.parked ? %s, false)", literal(f.Close))
	}
	return fmt.Sprintf(`
		SELECT r.id, r.close_id, r.base::text, r.remote_version, %s, %s, EXISTS (SELECT FROM closesync.intents i
		       WHERE i.connection = r.connection AND i.record_id = r.id AND i.state IN ('open', 'unknown')), coalesce(r.waits_for, '')
		FROM closesync.records r LEFT JOIN %s t ON t.%s = r.local_key::%s
		WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id = ANY ($3) AND r.state <> 'deleted'`, row, stuck, t.name, t.key, t.keyCast)
}

// takeFamilies carries children along with a parent that is gone in Close by
// our delete, or that came back.
func (w *writing) takeFamilies(ctx context.Context, states []*engine.State) error {
	for _, st := range states {
		o := st.Outcome
		switch {
		case len(o.Family)+len(o.Wake) == 0:
		case o.Status == engine.Deleted:
			if err := w.buryFamily(ctx, st, o); err != nil {
				return err
			}
		case o.Plan.Local == "create":
			if err := w.recallFamily(ctx, o); err != nil {
				return err
			}
		}
	}
	return nil
}

// recallFamily makes children look never seen here, so that they are read
// again and get their rows back.
func (w *writing) recallFamily(ctx context.Context, o *engine.Outcome) error {
	_, err := w.tx.Exec(ctx, `UPDATE closesync.records SET base = NULL, remote_hash = NULL, remote_version = NULL, local_xid = NULL,
		state = 'synced', last_error = NULL, error_class = NULL WHERE id = ANY ($1)`, o.Family)
	if err != nil {
		return err
	}
	return w.markIDs(ctx, w.tx, slices.Concat(o.Wake, o.Family), true, o.Cause, 0, 0)
}

// buryFamily ends the records of children that Close deleted with their parent.
func (w *writing) buryFamily(ctx context.Context, parent *engine.State, o *engine.Outcome) error {
	rows, err := w.tx.Query(ctx, `
		UPDATE closesync.records n SET state = 'deleted', base = NULL, local_key = NULL, parked = NULL, last_error = NULL, error_class = NULL,
		       removed = NULL, last_synced_at = closesync.clock()
		FROM closesync.records o WHERE n.id = o.id AND o.id = ANY ($1) AND o.state <> 'deleted'
		RETURNING n.id, n.object_type, n.close_id, coalesce(o.local_key, ''), coalesce(o.base, '{}')::text`, o.Family)
	if err != nil {
		return err
	}
	defer rows.Close()
	keys := map[string][]string{}
	for rows.Next() {
		st := &engine.State{}
		var base string
		if err := rows.Scan(&st.ID, &st.Type, &st.CloseID, &st.LocalKey, &base); err != nil {
			return err
		}
		if st.LocalKey != "" {
			keys[st.Type] = append(keys[st.Type], st.LocalKey)
		}
		cause := engine.Cause{"source": "parent deleted", "parent": parent.CloseID}
		w.journal = append(w.journal, journalEntry{state: st, direction: "to_close", action: "delete", old: mapping.Value(base), cause: cause})
	}
	if err := rows.Err(); err != nil {
		return err
	}
	// The events in a mark may tell what the delete took along.
	if _, err = w.tx.Exec(ctx, "DELETE FROM closesync.dirty WHERE record_id = ANY ($1) AND events = '{}'", o.Family); err != nil {
		return err
	}
	if _, err = w.tx.Exec(ctx, "UPDATE closesync.dirty SET local_at = NULL, refetch = false, not_before = closesync.clock(), attempts = 0 WHERE record_id = ANY ($1)", o.Family); err != nil {
		return err
	}
	for _, objectType := range mapping.Types() {
		if err := w.markSurvivors(ctx, objectType, keys[objectType]); err != nil {
			return err
		}
	}
	return nil
}

// markSurvivors has new records made for rows that were inserted under the keys
// of records that are ended.
func (w *writing) markSurvivors(ctx context.Context, objectType string, keys []string) error {
	t := w.table(objectType)
	if t == nil || len(keys) == 0 {
		return nil
	}
	rows, err := w.tx.Query(ctx, fmt.Sprintf("SELECT t.%[2]s::text FROM %[1]s t WHERE t.%[2]s = ANY ($1::text[]::%[3]s[])", t.name, t.key, t.keyCast), keys)
	if err != nil {
		return err
	}
	living, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	return w.markLocal(ctx, w.tx, objectType, living, false)
}
