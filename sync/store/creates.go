package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// OpenCreates gives, by record, the creates that were sent without a known
// answer. An intent that is open while its record is claimed anew belongs to a
// worker that died: its outcome is as unknown.
func (s *Store) OpenCreates(ctx context.Context, recordIDs []int64) (map[int64]engine.OpenCreate, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT i.id, i.record_id, i.sent::text, coalesce(i.marker, ''), i.close_at,
		       extract(epoch FROM closesync.clock() - i.created_at)::float8
		FROM closesync.intents i WHERE i.connection = $1 AND i.record_id = ANY ($2) AND i.action = 'create' AND i.state IN ('open', 'unknown', 'ambiguous')
		ORDER BY i.id`, s.id, recordIDs)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64]engine.OpenCreate{}
	for rows.Next() {
		var o engine.OpenCreate
		var record int64
		var sent string
		var since *time.Time
		var age float64
		if err := rows.Scan(&o.Intent, &record, &sent, &o.Marker, &since, &age); err != nil {
			return nil, err
		}
		if since != nil {
			o.Since = since.UTC()
		}
		o.Age = time.Duration(age * float64(time.Second))
		if o.Sent, err = mapping.DecodeBase([]byte(sent)); err != nil {
			return nil, err
		}
		found[record] = o
	}
	return found, rows.Err()
}

// AllCreates gives every create of a type without a known answer that carries
// no marker, oldest first: Intent and Sent alone. One that is linked is settled,
// even if its intent does not say so yet.
func (s *Store) AllCreates(ctx context.Context, objectType string) ([]engine.OpenCreate, error) {
	rows, err := s.pool.Query(ctx, `SELECT i.id, i.sent::text FROM closesync.intents i JOIN closesync.records r ON r.id = i.record_id
		WHERE i.connection = $1 AND i.object_type = $2 AND i.action = 'create' AND i.state IN ('open', 'unknown', 'ambiguous') AND i.marker IS NULL
		  AND r.close_id IS NULL ORDER BY i.id`, s.id, objectType)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []engine.OpenCreate
	for rows.Next() {
		var o engine.OpenCreate
		var sent string
		if err := rows.Scan(&o.Intent, &sent); err != nil {
			return nil, err
		}
		if o.Sent, err = mapping.DecodeBase([]byte(sent)); err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, rows.Err()
}

// Linked tells which Close ids already have a row here.
func (s *Store) Linked(ctx context.Context, objectType string, closeIDs []string) (map[string]bool, error) {
	found := map[string]bool{}
	if len(closeIDs) == 0 {
		return found, nil
	}
	rows, err := s.pool.Query(ctx, `SELECT close_id FROM closesync.records WHERE connection = $1 AND object_type = $2
		AND close_id = ANY ($3) AND local_key IS NOT NULL`, s.id, objectType, closeIDs)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, id := range ids {
		found[id] = true
	}
	return found, err
}

// Choices gives the decisions that an operator took on open conflicts.
func (s *Store) Choices(ctx context.Context, recordIDs []int64) (map[int64]map[string]reconcile.Choice, error) {
	rows, err := s.pool.Query(ctx, `SELECT record_id, field, coalesce(choice ->> 'take', ''), coalesce((choice -> 'value')::text, '')
		FROM closesync.conflict_log WHERE record_id = ANY ($1) AND status = 'open' AND choice IS NOT NULL`, recordIDs)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[int64]map[string]reconcile.Choice{}
	for rows.Next() {
		var id int64
		var field, take, value string
		if err := rows.Scan(&id, &field, &take, &value); err != nil {
			return nil, err
		}
		if found[id] == nil {
			found[id] = map[string]reconcile.Choice{}
		}
		choice := reconcile.Choice{Take: mapping.Policy(take)}
		if take == "" {
			if choice.Value, err = mapping.Canon(mapping.Field{Close: field, Kind: mapping.Any}, []byte(value)); err != nil {
				return nil, err
			}
		}
		found[id][field] = choice
	}
	return found, rows.Err()
}
