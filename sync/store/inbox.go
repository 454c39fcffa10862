package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
	"closesync/sync/engine"
)

// Accept stores events and marks their records, in one transaction. It returns
// only after the commit, so that an answer to Close implies a durable row.
// An event already stored is passed over (B1); the same id with a newer
// date_updated is new (B2), and so is one that was stored as stale when it comes
// from a source that can be trusted: its content may be used now.
func (s *Store) Accept(ctx context.Context, source string, events []engine.Event) (fresh int, err error) {
	events = distinct(events)
	if len(events) == 0 {
		return 0, nil
	}
	err = s.tx(ctx, func(tx pgx.Tx) error {
		fresh = 0
		stored, err := s.insertEvents(ctx, tx, source, events)
		if err != nil || len(stored) == 0 {
			return err
		}
		fresh = len(stored)
		if err := s.markEvents(ctx, tx, source, stored); err != nil {
			return err
		}
		return s.wake(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("store.Accept: %w", err)
	}
	return fresh, nil
}

type eventKey struct {
	id string
	at time.Time
}

// distinct drops repeats inside one batch, which one INSERT would refuse.
func distinct(events []engine.Event) []engine.Event {
	seen := make(map[eventKey]bool, len(events))
	kept := make([]engine.Event, 0, len(events))
	for _, e := range events {
		k := eventKey{e.ID, e.Updated.UTC().Truncate(time.Microsecond)}
		if !seen[k] {
			seen[k] = true
			kept = append(kept, e)
		}
	}
	return kept
}

type storedEvent struct {
	row int64
	engine.Event
}

func (s *Store) insertEvents(ctx context.Context, tx pgx.Tx, source string, events []engine.Event) ([]storedEvent, error) {
	n := len(events)
	ids, types, objects, actions := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	at, stale, bodies := make([]time.Time, n), make([]bool, n), make([][]byte, n)
	byKey := make(map[eventKey]engine.Event, n)
	for i, e := range events {
		ids[i], types[i], objects[i], actions[i] = e.ID, e.ObjectType, e.ObjectID, e.Action
		at[i], stale[i], bodies[i] = e.Updated.UTC().Truncate(time.Microsecond), e.Stale, e.Body
		byKey[eventKey{e.ID, at[i]}] = e
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO closesync.inbox (connection, event_id, date_updated, object_type, object_id, action, source, stale, body)
		SELECT $1, v.id, v.at, v.t, v.o, v.a, $2, v.stale,
		       CASE WHEN EXISTS (SELECT FROM closesync.erased e WHERE e.connection = $1 AND e.close_id = v.o) THEN ''::bytea ELSE v.body END
		FROM unnest($3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::boolean[], $9::bytea[]) AS v(id, at, t, o, a, stale, body)
		ORDER BY v.id, v.at
		ON CONFLICT (connection, event_id, date_updated) DO UPDATE SET source = excluded.source, stale = false, body = excluded.body
		    WHERE inbox.stale AND NOT excluded.stale
		RETURNING id, event_id, date_updated`,
		s.id, source, ids, at, types, objects, actions, stale, bodies)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var stored []storedEvent
	for rows.Next() {
		var row int64
		var k eventKey
		if err := rows.Scan(&row, &k.id, &k.at); err != nil {
			return nil, err
		}
		k.at = k.at.UTC()
		stored = append(stored, storedEvent{row, byKey[k]})
	}
	return stored, rows.Err()
}

// markEvents marks the records that the events speak of. An event of another
// organization, one of an unmapped type and one of what can be no record of
// Close are only kept.
func (s *Store) markEvents(ctx context.Context, tx pgx.Tx, source string, stored []storedEvent) error {
	type mark struct {
		row         int64
		fetch, bulk bool
	}
	marks := map[string]map[string][]mark{}
	add := func(objectType, id string, m mark) {
		if s.table(objectType) == nil || id == "" {
			return
		}
		if !mapping.IsID(id) {
			s.log.Warn("an event speaks of an id that no record of Close can have; it is kept and not followed", "object_type", objectType, "inbox", m.row)
			return
		}
		if marks[objectType] == nil {
			marks[objectType] = map[string][]mark{}
		}
		marks[objectType][id] = append(marks[objectType][id], m)
	}
	for _, e := range stored {
		if e.Foreign {
			continue
		}
		add(mapping.TypeOfEvent(e.ObjectType), e.ObjectID, mark{e.row, e.Stale, e.Bulk})
		if e.ObjectType == "lead" && e.MergeSource != "" && e.MergeSource != e.ObjectID {
			add("lead", e.MergeSource, mark{e.row, e.Stale, e.Bulk})
		}
	}
	for _, objectType := range mapping.Types() { // the same order everywhere, so that none waits for another
		byID := marks[objectType]
		if len(byID) == 0 {
			continue
		}
		if _, err := s.recordIDs(ctx, tx, objectType, keysOf(byID)); err != nil {
			return err
		}
		var ids []string
		var rows []int64
		var fetch, bulk []bool
		for _, id := range keysOf(byID) {
			for _, m := range byID[id] {
				ids, rows, fetch, bulk = append(ids, id), append(rows, m.row), append(fetch, m.fetch), append(bulk, m.bulk)
			}
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO closesync.dirty (record_id, connection, events, refetch, cause, priority)
			SELECT r.id, $1, array_agg(v.event ORDER BY v.event), bool_or(v.refetch), jsonb_build_object('source', $3::text),
			       CASE WHEN bool_and(v.bulk) THEN 1 ELSE 2 END
			FROM unnest($4::text[], $5::bigint[], $6::boolean[], $7::boolean[]) AS v(id, event, refetch, bulk)
			JOIN closesync.records r ON r.connection = $1 AND r.object_type = $2 AND r.close_id = v.id
			GROUP BY r.id ORDER BY r.id
			ON CONFLICT (record_id) DO UPDATE SET gen = dirty.gen + 1, events = dirty.events || excluded.events,
			    refetch = dirty.refetch OR excluded.refetch, cause = excluded.cause, priority = greatest(dirty.priority, excluded.priority),
			    not_before = least(dirty.not_before, closesync.clock())`,
			s.id, objectType, source, ids, rows, fetch, bulk); err != nil {
			return err
		}
	}
	return nil
}

// Bodies reads stored events by row.
func (s *Store) Bodies(ctx context.Context, rows []int64) (map[int64]engine.Stored, error) {
	found := map[int64]engine.Stored{}
	if len(rows) == 0 {
		return found, nil
	}
	r, err := s.pool.Query(ctx, `SELECT id, body, closesync.clock() - received_at FROM closesync.inbox WHERE id = ANY ($1) AND NOT stale`, rows)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		var id int64
		var e engine.Stored
		if err := r.Scan(&id, &e.Body, &e.Age); err != nil {
			return nil, err
		}
		found[id] = e
	}
	return found, r.Err()
}
