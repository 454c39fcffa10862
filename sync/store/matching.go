package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// matchRows links the rows of a type that certainly are records of Close.
func (s *Store) matchRows(ctx context.Context, tx pgx.Tx, t *table) error {
	if len(t.object.Match) == 0 {
		return nil
	}
	if err := s.keyRows(ctx, tx, t); err != nil {
		return err
	}
	if err := s.linkCertain(ctx, tx, t.object); err != nil {
		return err
	}
	if err := s.parkAmbiguous(ctx, tx, t.object); err != nil {
		return err
	}
	// Only those of what is left to a person are needed any more.
	_, err := tx.Exec(ctx, `DELETE FROM closesync.match_keys k WHERE k.connection = $1 AND k.object_type = $2 AND NOT EXISTS (
		SELECT FROM closesync.records r WHERE r.connection = $1 AND r.object_type = $2 AND r.error_class = $3 AND r.state = 'error'
		AND k.ref = CASE k.side WHEN 'l' THEN r.id::text ELSE r.close_id END)`, s.id, t.object.Type, engine.Ambiguous)
	return err
}

// keyBatch is how many rows are keyed at once.
const keyBatch = 5000

// keyRows makes the keys of the rows that were there and are not linked.
func (s *Store) keyRows(ctx context.Context, tx pgx.Tx, t *table) error {
	for last := int64(0); ; {
		rows, err := tx.Query(ctx, fmt.Sprintf(`
			SELECT r.id, r.local_key, %[4]s FROM closesync.records r JOIN %[1]s t ON t.%[2]s = r.local_key::%[3]s
			WHERE r.connection = $1 AND r.object_type = $2 AND r.existed AND r.close_id IS NULL AND r.state = 'synced' AND r.id > $3 ORDER BY r.id LIMIT $4`,
			t.name, t.key, t.keyCast, t.json()), s.id, t.object.Type, last, keyBatch)
		if err != nil {
			return err
		}
		states, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*engine.State, error) {
			st := &engine.State{Type: t.object.Type}
			var text string
			if err := row.Scan(&st.ID, &st.LocalKey, &text); err != nil {
				return nil, err
			}
			if rec, err := t.record([]byte(text)); err == nil { // else it meets nobody and is parked by its cycle
				st.Local = reconcile.Side{Exists: true, Record: rec}
			}
			return st, nil
		})
		if err != nil || len(states) == 0 {
			return err
		}
		last = states[len(states)-1].ID
		if err := s.resolveParents(ctx, tx, t, states); err != nil {
			return err
		}
		if err := s.keyStates(ctx, tx, t, states); err != nil {
			return err
		}
	}
}

// keyStates replaces the keys of rows by those of what they hold now.
func (s *Store) keyStates(ctx context.Context, tx pgx.Tx, t *table, states []*engine.State) error {
	var refs []string
	var l keyList
	for _, st := range states {
		ref := strconv.FormatInt(st.ID, 10)
		refs = append(refs, ref)
		l.add(ref, t.object.MatchKeys(st.Local.Record))
	}
	return s.saveKeys(ctx, tx, t.object.Type, "l", refs, l)
}

// meetings are the pairs of an unlinked row of before and an unlinked record of
// Close that share a key.
const meetings = `
WITH met AS (
    SELECT DISTINCT o.id AS "row", o.local_key AS local, r.ref AS remote FROM closesync.match_keys l
    JOIN closesync.match_keys r ON r.connection = l.connection AND r.object_type = l.object_type AND r.key = l.key AND r.side = 'r'
    JOIN closesync.records o ON o.id = l.ref::bigint AND o.existed AND o.close_id IS NULL AND o.state <> 'deleted'
    WHERE l.connection = $1 AND l.object_type = $2 AND l.side = 'l'
      AND NOT EXISTS (SELECT FROM closesync.records x WHERE x.connection = l.connection AND x.object_type = l.object_type AND x.close_id = r.ref
                      AND (x.local_key IS NOT NULL OR x.state = 'deleted'))),
pairs AS (SELECT "row", local, remote, count(*) OVER (PARTITION BY "row") AS locals, count(*) OVER (PARTITION BY remote) AS remotes FROM met)`

// linkCertain links the pairs that meet nobody else. A record that a hint made
// for the Close id gives way; its mark goes to the linked one.
func (s *Store) linkCertain(ctx context.Context, tx pgx.Tx, o *mapping.Object) error {
	rows, err := tx.Query(ctx, meetings+` SELECT local, remote FROM pairs WHERE locals = 1 AND remotes = 1 ORDER BY remote`, s.id, o.Type)
	if err != nil {
		return err
	}
	var keys, ids []string
	var key, id string
	if _, err = pgx.ForEachRow(rows, []any{&key, &id}, func() error {
		keys, ids = append(keys, key), append(ids, id)
		return nil
	}); err != nil || len(keys) == 0 {
		return err
	}
	rows, err = tx.Query(ctx, `DELETE FROM closesync.records WHERE connection = $1 AND object_type = $2 AND close_id = ANY ($3) AND local_key IS NULL
		RETURNING close_id`, s.id, o.Type, ids)
	if err != nil {
		return err
	}
	marked, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		WITH linked AS (
			UPDATE closesync.records r SET close_id = v.id, existed = false, state = 'synced', last_error = NULL, error_class = NULL
			FROM unnest($3::text[], $4::text[]) AS v(key, id) WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = v.key RETURNING r.close_id, r.local_key)
		INSERT INTO closesync.journal_log (connection, object_type, close_id, local_key, direction, action, new_value, cause)
		SELECT $1, $2, close_id, local_key, 'from_close', 'link', to_jsonb(close_id), jsonb_build_object('source', 'match', 'fields', $5::text[]) FROM linked`,
		s.id, o.Type, keys, ids, o.Match); err != nil {
		return err
	}
	again, err := idsOf(ctx, tx, `SELECT id FROM closesync.records WHERE connection = $1 AND object_type = $2 AND close_id = ANY ($3)`, s.id, o.Type, marked)
	if err != nil {
		return err
	}
	return s.markIDs(ctx, tx, again, true, engine.Cause{"source": "match"}, 0, 0)
}

// parkAmbiguous parks both sides of what meets several, each naming the others.
func (s *Store) parkAmbiguous(ctx context.Context, tx pgx.Tx, o *mapping.Object) error {
	_, err := tx.Exec(ctx, meetings+`,
		many AS (SELECT local, remotes > 1 AS shared, remote FROM pairs),
		told AS (SELECT local, (array_agg(remote ORDER BY remote))[1:10] AS names, bool_or(shared) AS shared FROM many GROUP BY local)
		UPDATE closesync.records r SET state = 'error', error_class = $3, last_error = 'may be ' || array_to_string(told.names, ' or ')
		       || CASE WHEN told.shared THEN ', and so may other rows' ELSE '' END || '; write the right id into the row that it belongs to'
		FROM told WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = told.local`, s.id, o.Type, engine.Ambiguous)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, meetings+`,
		told AS (SELECT remote, (array_agg(local ORDER BY local))[1:10] AS names FROM pairs GROUP BY remote),
		gone AS (DELETE FROM closesync.arrivals a USING told WHERE a.connection = $1 AND a.object_type = $2 AND a.close_id = told.remote)
		INSERT INTO closesync.records AS r (connection, object_type, close_id, state, error_class, last_error)
		SELECT $1, $2, remote, 'error', $3, 'may be the row ' || array_to_string(names, ' or ') || '; write its id into the right one' FROM told
		ON CONFLICT (close_id, object_type, connection) DO UPDATE SET state = 'error', error_class = excluded.error_class, last_error = excluded.last_error
		WHERE r.local_key IS NULL`, s.id, o.Type, engine.Ambiguous)
	return err
}
