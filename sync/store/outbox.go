package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// hint is one captured local change.
type hint struct {
	ObjectType string
	Key        string
	Operation  string
	OldKey     *string
	At         time.Time
	OldRow     *string // of a delete, as jsonb
	Xid        int64   // of the transaction that changed the row
}

// takenHints are those of one connection's tables that are there; those of a
// missing one wait until it is back (fault C17).
const takenHints = `connection = $1 AND object_type IN (SELECT object_type FROM closesync.first_loads WHERE connection = $1)
	AND ($2::text[] IS NULL OR object_type = ANY ($2))`

// Absorb turns up to n captured changes into dirty marks and says how many
// there were and which tables were truncated, for which a full compare is owed.
// Most times there are none, which is found out without a transaction.
func (s *Store) Absorb(ctx context.Context, n int) (count int, truncated []string, err error) {
	if some, err := s.Hinted(ctx); err != nil || !some {
		return 0, nil, err
	}
	err = s.tx(ctx, func(tx pgx.Tx) error {
		truncated = nil
		// Hints go and marks come in one piece: lost with the server, the hints are
		// back. The intent of a write, which is made sure of, comes after.
		if err := lazily(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			WITH taken AS (DELETE FROM closesync.outbox WHERE id IN (
				SELECT id FROM closesync.outbox WHERE `+takenHints+` ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)
				RETURNING id, object_type, local_key, operation::text, old_key, at, old_row::text, xid::text::bigint AS xid)
			SELECT object_type, local_key, operation, old_key, at, old_row, xid FROM taken ORDER BY id`, s.id, s.onlyUsable(), n)
		if err != nil {
			return err
		}
		hints, err := pgx.CollectRows(rows, pgx.RowToStructByPos[hint])
		if err != nil || len(hints) == 0 {
			count = 0
			return err
		}
		count = len(hints)
		if truncated, err = s.takeHints(ctx, tx, hints); err != nil || len(truncated) == 0 {
			return err
		}
		return s.owe(ctx, tx, truncated)
	})
	if err != nil {
		return 0, nil, fmt.Errorf("store.Absorb: %w", err)
	}
	return count, truncated, nil
}

// Hinted reports whether there are captured changes that Absorb would take.
func (s *Store) Hinted(ctx context.Context) (some bool, err error) {
	err = s.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM closesync.outbox WHERE "+takenHints+")", s.id, s.onlyUsable()).Scan(&some)
	if err != nil {
		return false, fmt.Errorf("store.Hinted: %w", err)
	}
	return some, nil
}

func (s *Store) takeHints(ctx context.Context, tx pgx.Tx, hints []hint) (truncated []string, err error) {
	marks := map[string]map[string]hint{} // by key, the newest
	for _, h := range hints {
		if s.table(h.ObjectType) == nil {
			continue
		}
		if h.Operation == "T" {
			truncated = append(truncated, h.ObjectType)
			delete(marks, h.ObjectType) // those rows are gone, and not by a delete
			if err := s.forgetRows(ctx, tx, h.ObjectType); err != nil {
				return nil, err
			}
			continue
		}
		if marks[h.ObjectType] == nil {
			marks[h.ObjectType] = map[string]hint{}
		}
		marks[h.ObjectType][h.Key] = h
	}
	for _, objectType := range mapping.Types() { // the same order everywhere, so that none waits for another
		keys := marks[objectType]
		if len(keys) == 0 {
			continue
		}
		if err := s.rekey(ctx, tx, objectType, hints); err != nil {
			return nil, err
		}
		if err := s.markLocalAt(ctx, tx, objectType, keys); err != nil {
			return nil, err
		}
		if err := s.keepRemoved(ctx, tx, objectType, hints); err != nil {
			return nil, err
		}
	}
	return truncated, nil
}

// markLocalAt marks rows that a user changed. Whether Close is read before the
// change is sent is the engine's to say. A row changed again so soon is left
// alone until it rests, see Restless.
func (s *Store) markLocalAt(ctx context.Context, tx pgx.Tx, objectType string, marks map[string]hint) error {
	keys := keysOf(marks)
	if err := s.markLocal(ctx, tx, objectType, keys, false); err != nil {
		return err
	}
	at, xids := make([]time.Time, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		at[i], xids[i] = marks[k].At, marks[k].Xid
	}
	_, err := tx.Exec(ctx, `UPDATE closesync.dirty d SET local_at = v.at, priority = 2,
		not_before = CASE WHEN d.gen > 1 AND d.local_at > v.at - $5::interval AND d.marked_at > closesync.clock() - $6::interval
			THEN closesync.clock() + $5::interval ELSE least(not_before, closesync.clock()) END,
		cause = d.cause || CASE WHEN v.xid > 0 THEN jsonb_build_object('transaction', v.xid) ELSE '{}' END
		FROM unnest($3::text[], $4::timestamptz[], $7::bigint[]) AS v(key, at, xid)
		JOIN closesync.records r ON r.connection = $1 AND r.object_type = $2 AND r.local_key = v.key WHERE d.record_id = r.id`,
		s.id, objectType, keys, at, engine.RestFor, longestBurst, xids)
	return err
}

// forgetRows makes the records of an emptied table look never seen here, so
// that they are read again and the table is filled, and nothing is deleted in
// Close (fault C18). A new row may have got an old key meanwhile: only the
// Close id in the row proves that it is the same.
func (s *Store) forgetRows(ctx context.Context, tx pgx.Tx, objectType string) error {
	t := s.table(objectType)
	same := fmt.Sprintf("SELECT FROM %s t WHERE t.%s = r.local_key::%s", t.name, t.key, t.keyCast)
	_, err := tx.Exec(ctx, fmt.Sprintf(`DELETE FROM closesync.records r WHERE r.connection = $1 AND r.object_type = $2
		AND r.close_id IS NULL AND r.local_key IS NOT NULL AND NOT EXISTS (%s)
		AND NOT EXISTS (SELECT FROM closesync.intents i WHERE i.connection = $1 AND i.record_id = r.id AND i.state IN ('open', 'unknown'))`, same), s.id, objectType)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`
		UPDATE closesync.records r SET local_key = NULL, base = NULL, remote_hash = NULL, remote_version = NULL, local_xid = NULL
		WHERE r.connection = $1 AND r.object_type = $2 AND r.close_id IS NOT NULL AND r.local_key IS NOT NULL AND r.state <> 'deleted'
		  AND NOT EXISTS (%s AND t.%s::text = r.close_id) RETURNING r.id`, same, t.closeID), s.id, objectType)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	return s.markIDs(ctx, tx, ids, true, engine.Cause{"source": "truncate"}, 0, 0)
}

// emptied reports whether a mapped table was truncated and the hint of it is
// still to be absorbed: a row missing now is not a row deleted.
func (s *Store) emptied(ctx context.Context, tx pgx.Tx, objectType string) (found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM closesync.outbox WHERE connection = $1 AND object_type = $2 AND operation = 'T')`, s.id, objectType).Scan(&found)
	return found, err
}
