package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// Stage keeps records of Close apart, with the keys by which rows of before may
// be matched with them. A record that comes again replaces itself.
func (s *Store) Stage(ctx context.Context, records map[string][]mapping.Remote, cp *engine.Checkpoint) error {
	err := s.tx(ctx, func(tx pgx.Tx) error {
		for _, objectType := range mapping.Types() {
			if s.table(objectType) == nil {
				continue
			}
			if err := s.stage(ctx, tx, s.objects[objectType], records[objectType]); err != nil {
				return err
			}
		}
		if cp == nil {
			return nil
		}
		return s.saveCheckpoint(ctx, tx, *cp)
	})
	if err != nil {
		return fmt.Errorf("store.Stage: %w", err)
	}
	return nil
}

func (s *Store) stage(ctx context.Context, tx pgx.Tx, o *mapping.Object, records []mapping.Remote) error {
	if len(records) == 0 {
		return nil
	}
	n := len(records)
	ids, created, versions := make([]string, n), make([]time.Time, n), make([]time.Time, n)
	markers, texts, empties := make([]string, n), make([]string, n), make([]string, n)
	keys := keyList{}
	for i, r := range records {
		ids[i], created[i], versions[i], markers[i] = r.ID, r.Created, r.Version, r.Marker
		texts[i] = string(mapping.EncodeBase(r.Record))
		empties[i] = emptyFields(r.Record)
		keys.add(r.ID, o.MatchKeys(r.Record))
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO closesync.arrivals AS a (connection, object_type, close_id, created, version, marker, record, empty)
		SELECT $1, $2, v.id, v.created, v.version, v.marker, v.record::json, string_to_array(v.empty, E'\n')
		FROM unnest($3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::text[]) AS v(id, created, version, marker, record, empty)
		ORDER BY v.id
		ON CONFLICT (connection, object_type, close_id) DO UPDATE SET version = excluded.version, marker = excluded.marker,
		    record = excluded.record, empty = excluded.empty WHERE a.version <= excluded.version`,
		s.id, o.Type, ids, created, versions, markers, texts, empties)
	if err != nil {
		return err
	}
	return s.saveKeys(ctx, tx, o.Type, "r", ids, keys)
}

// emptyFields lists the fields that a reading knows to be empty, a line each.
func emptyFields(r mapping.Record) string {
	text := ""
	for _, name := range fieldsOf(r) {
		if r[name].IsNull() {
			if text != "" {
				text += "\n"
			}
			text += name
		}
	}
	return text
}

// keyList pairs records with the keys of their match rule.
type keyList struct{ refs, keys []string }

func (l *keyList) add(ref string, keys []string) {
	for _, k := range keys {
		l.refs, l.keys = append(l.refs, ref), append(l.keys, k)
	}
}

// saveKeys replaces the keys of records of one side.
func (s *Store) saveKeys(ctx context.Context, tx pgx.Tx, objectType, side string, refs []string, l keyList) error {
	if len(s.objects[objectType].Match) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `DELETE FROM closesync.match_keys WHERE connection = $1 AND object_type = $2 AND side = $3::text::"char" AND ref = ANY ($4)`,
		s.id, objectType, side, refs); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO closesync.match_keys (connection, object_type, side, ref, key)
		SELECT $1, $2, $3::text::"char", v.ref, v.key FROM unnest($4::text[], $5::text[]) AS v(ref, key) ORDER BY 4, 5 ON CONFLICT DO NOTHING`,
		s.id, objectType, side, l.refs, l.keys)
	return err
}

// Staged gives up to n staged records in the order of their creation, behind
// the last one; the zero Remote for the first ones.
func (s *Store) Staged(ctx context.Context, objectType string, last mapping.Remote, n int) ([]mapping.Remote, error) {
	rows, err := s.pool.Query(ctx, `SELECT close_id, created, version, marker, record::text, empty FROM closesync.arrivals
		WHERE connection = $1 AND object_type = $2 AND (created, close_id) > ($3, $4) ORDER BY created, close_id LIMIT $5`,
		s.id, objectType, last.Created, last.ID, n)
	if err != nil {
		return nil, fmt.Errorf("store.Staged: %w", err)
	}
	defer rows.Close()
	var list []mapping.Remote
	for rows.Next() {
		r := mapping.Remote{Type: objectType}
		var text string
		var empty []string
		if err := rows.Scan(&r.ID, &r.Created, &r.Version, &r.Marker, &text, &empty); err != nil {
			return nil, fmt.Errorf("store.Staged: %w", err)
		}
		r.Created, r.Version = r.Created.UTC(), r.Version.UTC()
		if r.Record, err = mapping.DecodeBase([]byte(text)); err != nil {
			return nil, fmt.Errorf("store.Staged: %w", err)
		}
		for _, name := range empty {
			r.Record[name] = mapping.Null
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Unstage forgets staged records.
func (s *Store) Unstage(ctx context.Context, records []mapping.Remote) error {
	byType := map[string][]string{}
	for _, r := range records {
		byType[r.Type] = append(byType[r.Type], r.ID)
	}
	for _, objectType := range keysOf(byType) {
		if _, err := s.pool.Exec(ctx, `DELETE FROM closesync.arrivals WHERE connection = $1 AND object_type = $2 AND close_id = ANY ($3)`, s.id, objectType, byType[objectType]); err != nil {
			return fmt.Errorf("store.Unstage: %w", err)
		}
	}
	return nil
}

// AnyStaged reports whether anything is kept apart.
func (s *Store) AnyStaged(ctx context.Context) (some bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM closesync.arrivals WHERE connection = $1)`, s.id).Scan(&some)
	return some, err
}
