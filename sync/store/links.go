package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"closesync/sync/engine"
)

// linkKnown links rows that a local program inserted with a Close id: a row
// restored, or moved from another table. The record that has the id already
// takes the row over, unless it has a living row; so nothing is created twice.
// Only the records of the given local keys are looked at.
func (s *Store) linkKnown(ctx context.Context, q Querier, objectType string, keys []string) error {
	t := s.table(objectType)
	if t == nil || len(keys) == 0 {
		return nil
	}
	// A wrong id that Close does not have may be corrected.
	if _, err := q.Exec(ctx, fmt.Sprintf(`
		UPDATE closesync.records r SET close_id = NULL, state = 'synced', last_error = NULL, error_class = NULL FROM %[1]s t
		WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = ANY ($3) AND r.state = 'error' AND r.error_class = 'missing' AND r.base IS NULL
		  AND t.%[3]s = r.local_key::%[4]s AND t.%[2]s::text IS DISTINCT FROM r.close_id`, t.name, t.closeID, t.key, t.keyCast), s.id, objectType, keys); err != nil {
		return err
	}
	rows, err := q.Query(ctx, fmt.Sprintf(`
		SELECT r.id, r.local_key, t.%[2]s::text AS close_id FROM closesync.records r
		JOIN %[1]s t ON t.%[3]s = r.local_key::%[4]s
		WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = ANY ($3) AND r.close_id IS NULL AND coalesce(t.%[2]s::text, '') <> ''
		  AND NOT EXISTS (SELECT FROM closesync.intents i WHERE i.connection = $1 AND i.record_id = r.id AND i.state IN ('open', 'unknown'))
		ORDER BY r.id`, t.name, t.closeID, t.key, t.keyCast), s.id, objectType, keys)
	if err != nil {
		return err
	}
	type found struct {
		ID           int64
		Key, CloseID string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := s.linkOne(ctx, q, t, f.ID, f.Key, f.CloseID); err != nil {
			return err
		}
	}
	return nil
}

// linkOne gives the Close id to the row's record, or the row to the id's.
func (s *Store) linkOne(ctx context.Context, q Querier, t *table, id int64, key, closeID string) error {
	if err := s.rouseChildren(ctx, q, []string{engine.LocalName(t.object.Type, key), engine.CloseName(t.object.Type, closeID)}); err != nil {
		return err
	}
	_, err := q.Exec(ctx, `UPDATE closesync.records SET close_id = $2 WHERE id = $1
		AND NOT EXISTS (SELECT FROM closesync.records o WHERE o.connection = $3 AND o.object_type = $4 AND o.close_id = $2)`,
		id, closeID, s.id, t.object.Type)
	if err != nil {
		return err
	}
	tag, err := q.Exec(ctx, fmt.Sprintf(`DELETE FROM closesync.records r USING closesync.records o
		WHERE r.id = $1 AND r.close_id IS NULL AND o.connection = $2 AND o.object_type = $3 AND o.close_id = $4 AND o.state <> 'deleted'
		  AND NOT EXISTS (SELECT FROM %s t WHERE t.%s = o.local_key::%s)`, t.name, t.key, t.keyCast), id, s.id, t.object.Type, closeID)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	_, err = q.Exec(ctx, `UPDATE closesync.records SET local_key = $4, local_xid = NULL WHERE connection = $1 AND object_type = $2 AND close_id = $3`,
		s.id, t.object.Type, closeID, key)
	if err != nil {
		return err
	}
	return s.chosen(ctx, q, t.object.Type, id)
}

// chosen ends a create that a person had to decide, by giving its row a Close
// id: the other candidates are records of their own.
func (s *Store) chosen(ctx context.Context, q Querier, objectType string, record int64) error {
	rows, err := q.Query(ctx, `WITH ended AS (UPDATE closesync.intents SET state = 'done', finished_at = closesync.clock()
			WHERE connection = $1 AND record_id = $2 AND state = 'ambiguous' RETURNING candidates)
		SELECT DISTINCT unnest(candidates) FROM ended`, s.id, record)
	if err != nil {
		return err
	}
	candidates, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(candidates) == 0 {
		return err
	}
	return s.markRemote(ctx, q, objectType, candidates, true)
}

// freeLabels takes the Close ids that are about to be put back from rows which
// bear them and belong to other records: two rows may have exchanged theirs.
// Those rows get their own at their next look.
func (w *writing) freeLabels(ctx context.Context, t *table, updates []*rowWrite) error {
	var ids []string
	for _, u := range updates {
		if u.state.Mislabelled && u.closes != "" {
			ids = append(ids, u.closes)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	freed, err := idsOf(ctx, w.tx, fmt.Sprintf(`UPDATE %[1]s t SET %[2]s = NULL FROM closesync.records r
		WHERE r.connection = $1 AND r.object_type = $2 AND r.local_key = t.%[3]s::text AND r.close_id <> t.%[2]s::text
		AND t.%[2]s::text = ANY ($3) RETURNING r.id`, t.name, t.closeID, t.key), w.id, t.object.Type, ids)
	if err != nil {
		return err
	}
	return w.markIDs(ctx, w.tx, freed, false, engine.Cause{"source": "local"}, 1, 0)
}
