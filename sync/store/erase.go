package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Erase removes a record and, of a lead, its children from every table: rows,
// bases, events, hints, journal, conflicts and what was sent. What is left are
// ids that keep the record from coming back. It deletes nothing in Close: do
// that first. It says how many records went.
func (s *Store) Erase(ctx context.Context, record int64) (count int, err error) {
	err = s.tx(ctx, func(tx pgx.Tx) error {
		family, err := s.family(ctx, tx, record)
		if err != nil {
			return err
		}
		if len(family) == 0 {
			return ErrNotFound
		}
		count = len(family)
		if err := s.eraseRows(ctx, tx, family); err != nil {
			return err
		}
		if err := s.eraseTraces(ctx, tx, family); err != nil {
			return err
		}
		return s.noteAct(ctx, tx, fmt.Sprintf("erase %s %s", family[0].ObjectType, family[0].name()), count)
	})
	if err != nil {
		return 0, fmt.Errorf("store.Erase: %w", err)
	}
	return count, nil
}

// relative is a record that is erased, or erased along with its lead.
type relative struct {
	ID                            int64
	ObjectType, CloseID, LocalKey string
}

func (r relative) name() string {
	if r.CloseID != "" {
		return r.CloseID
	}
	return r.LocalKey
}

// family is the record itself and then the children that cannot be without it,
// as their rows or their bases say.
func (s *Store) family(ctx context.Context, tx pgx.Tx, record int64) ([]relative, error) {
	const columns = `SELECT r.id, r.object_type, coalesce(r.close_id, ''), coalesce(r.local_key, '') FROM closesync.records r `
	rows, err := tx.Query(ctx, columns+`WHERE r.connection = $1 AND r.id = $2 FOR UPDATE`, s.id, record)
	if err != nil {
		return nil, err
	}
	family, err := pgx.CollectRows(rows, pgx.RowToStructByPos[relative])
	if err != nil || len(family) == 0 {
		return nil, err
	}
	head := family[0]
	for _, objectType := range s.usable() {
		t := s.table(objectType)
		for _, c := range t.columns {
			if c.field.Parent != head.ObjectType || !c.field.Required {
				continue
			}
			rows, err := tx.Query(ctx, columns+fmt.Sprintf(`WHERE r.connection = $1 AND r.object_type = $2
				AND (r.base ->> $3 = nullif($4, '') OR EXISTS (SELECT FROM %s t WHERE t.%s = r.local_key::%s AND t.%s::text = $5))
				ORDER BY r.id FOR UPDATE`, t.name, t.key, t.keyCast, c.name), s.id, objectType, c.field.Close, head.CloseID, head.LocalKey)
			if err != nil {
				return nil, err
			}
			children, err := pgx.CollectRows(rows, pgx.RowToStructByPos[relative])
			if err != nil {
				return nil, err
			}
			family = append(family, children...)
		}
	}
	return family, nil
}

// eraseRows deletes the rows, children first: a user's foreign key may not
// cascade.
func (s *Store) eraseRows(ctx context.Context, tx pgx.Tx, family []relative) error {
	for i := len(family) - 1; i >= 0; i-- {
		r := family[i]
		t := s.table(r.ObjectType)
		if t == nil || r.LocalKey == "" {
			continue
		}
		if err := s.deleteRows(ctx, tx, t, []string{r.LocalKey}); err != nil {
			return err
		}
	}
	return nil
}

// eraseTraces takes the records out of the worker's own tables. An event that
// another record still waits for is fetched instead.
func (s *Store) eraseTraces(ctx context.Context, tx pgx.Tx, family []relative) error {
	var ids []int64
	var closes, types, keys []string
	for _, r := range family {
		ids = append(ids, r.ID)
		if r.CloseID != "" {
			closes = append(closes, r.CloseID)
		}
		if r.LocalKey != "" {
			types, keys = append(types, r.ObjectType), append(keys, r.LocalKey)
		}
	}
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO closesync.erased (connection, close_id) SELECT $1, v FROM unnest($2::text[]) AS v ON CONFLICT DO NOTHING`, []any{s.id, closes}},
		{`DELETE FROM closesync.inbox i USING unnest($2::text[]) AS v WHERE i.connection = $1 AND position(v::bytea IN i.body) > 0`, []any{s.id, closes}},
		{`DELETE FROM closesync.outbox o USING unnest($2::text[], $3::text[]) AS v(t, key)
			WHERE o.connection = $1 AND o.object_type = v.t AND (o.local_key = v.key OR o.old_key = v.key)`, []any{s.id, types, keys}},
		{`DELETE FROM closesync.journal_log WHERE connection = $1 AND close_id = ANY ($2)`, []any{s.id, closes}},
		{`DELETE FROM closesync.journal_log j USING unnest($2::text[], $3::text[]) AS v(t, key)
			WHERE j.connection = $1 AND j.object_type = v.t AND j.local_key = v.key`, []any{s.id, types, keys}},
		{`DELETE FROM closesync.conflict_log WHERE connection = $1 AND record_id = ANY ($2)`, []any{s.id, ids}},
		{`DELETE FROM closesync.arrivals WHERE connection = $1 AND (close_id = ANY ($2) OR EXISTS (SELECT FROM json_each_text(record) f WHERE f.value = ANY ($2)))`, []any{s.id, closes}},
		{`DELETE FROM closesync.match_keys WHERE connection = $1 AND (side = 'r' AND ref = ANY ($2) OR side = 'l' AND ref = ANY ($3::bigint[]::text[]))`, []any{s.id, closes, ids}},
		{`DELETE FROM closesync.partings WHERE record_id = ANY ($1)`, []any{ids}},
		{`DELETE FROM closesync.intents WHERE connection = $1 AND record_id = ANY ($2)`, []any{s.id, ids}},
		{`DELETE FROM closesync.dirty WHERE connection = $1 AND record_id = ANY ($2)`, []any{s.id, ids}},
		{`UPDATE closesync.records SET base = NULL, remote_hash = NULL, local_key = NULL, local_xid = NULL, parked = NULL, removed = NULL, last_error = NULL,
			error_class = NULL, state = 'deleted' WHERE connection = $1 AND id = ANY ($2)`, []any{s.id, ids}},
	} {
		if _, err := tx.Exec(ctx, step.sql, step.args...); err != nil {
			return err
		}
	}
	return nil
}
