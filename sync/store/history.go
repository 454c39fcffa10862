package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"closesync/mapping"
)

// JournalItem is one row of the view journal.
type JournalItem struct {
	ID         int64          `json:"id"`
	At         time.Time      `json:"at"`
	Connection string         `json:"connection"`
	ObjectType string         `json:"object_type"`
	CloseID    *string        `json:"close_id"`
	LocalKey   *string        `json:"local_key"`
	Direction  string         `json:"direction"`
	Action     string         `json:"action"`
	Field      *string        `json:"field"`
	OldValue   jsontext.Value `json:"old_value"`
	NewValue   jsontext.Value `json:"new_value"`
	Cause      jsontext.Value `json:"cause"`
	RunID      *int64         `json:"run_id"`
}

const journalColumns = `SELECT j.id, j.at, c.name, j.object_type, j.close_id, j.local_key, j.direction, j.action, j.field, j.old_value,
	j.new_value, j.cause, j.run_id FROM closesync.journal_log j JOIN closesync.connections c ON c.id = j.connection `

// Journal lists the newest changes.
func (l Lists) Journal(ctx context.Context, limit int) ([]JournalItem, error) {
	return collect[JournalItem](ctx, l.q, journalColumns+`WHERE ($1 = '' OR c.name = $1) ORDER BY j.id DESC LIMIT $2`, l.connection, limit)
}

// RecordItem is one record with what waits for it.
type RecordItem struct {
	ID            int64          `json:"id"`
	Connection    string         `json:"connection"`
	ObjectType    string         `json:"object_type"`
	CloseID       *string        `json:"close_id"`
	LocalKey      *string        `json:"local_key"`
	State         string         `json:"state"`
	ErrorClass    *string        `json:"error_class"`
	LastError     *string        `json:"last_error"`
	Fields        jsontext.Value `json:"fields"`
	Attempts      int            `json:"attempts"`
	NextAttemptAt *time.Time     `json:"next_attempt_at"`
	LastSyncedAt  *time.Time     `json:"last_synced_at"`
	AliasOf       *string        `json:"alias_of"`
	MarkedAt      *time.Time     `json:"marked_at"` // nil: not pending
	Cause         jsontext.Value `json:"cause"`     // of the mark
	DueIn         *float64       `json:"due_in"`    // seconds; nil: when somebody decides, or not pending
	Claimed       bool           `json:"claimed"`   // a worker has it now
}

// Records finds records by an id as people have it: a Close id, a local key,
// or a local key with its object type before it ("lead/12" or "lead:12"). The
// id of a merged lead finds the one it was merged into as well. None is an
// empty list.
func (l Lists) Records(ctx context.Context, id string) ([]RecordItem, error) {
	objectType, key := splitID(id)
	return collect[RecordItem](ctx, l.q, `
		WITH RECURSIVE alias(close_id) AS (SELECT $2 UNION SELECT a.alias_of FROM closesync.records a JOIN alias ON a.close_id = alias.close_id WHERE a.alias_of IS NOT NULL)
		SELECT r.id, c.name, r.object_type, r.close_id, r.local_key, s.state, r.error_class, r.last_error, r.parked, r.attempts,
		       CASE WHEN d.attempts > 0 AND isfinite(d.not_before) THEN d.not_before END, r.last_synced_at, r.alias_of, d.marked_at, d.cause,
		       CASE WHEN isfinite(d.not_before) THEN greatest(extract(epoch FROM d.not_before - closesync.clock()), 0)::float8
		            WHEN d.not_before = '-infinity' THEN 0 END,
		       coalesce(d.lease_until > closesync.clock(), false)
		FROM closesync.records r JOIN closesync.connections c ON c.id = r.connection
		LEFT JOIN closesync.dirty d ON d.record_id = r.id
		CROSS JOIN LATERAL (SELECT CASE WHEN r.state = 'synced' AND d.record_id IS NOT NULL THEN 'pending' ELSE r.state END AS state) s
		WHERE ($1 = '' OR c.name = $1) AND (r.close_id IN (SELECT close_id FROM alias) OR (r.local_key = $4 AND ($3 = '' OR r.object_type = $3))) ORDER BY r.id`,
		l.connection, id, objectType, key)
}

func splitID(id string) (objectType, key string) {
	t, k, ok := strings.Cut(strings.Replace(id, ":", "/", 1), "/")
	if !ok || mapping.Default(t) == nil {
		return "", id // a key of text may hold either sign
	}
	return t, k
}

// History lists every change of a record, oldest first. It takes what Records
// takes, and follows a record from before it was linked; a record that is
// forgotten is found by the ids in the journal.
func (l Lists) History(ctx context.Context, id string) ([]JournalItem, error) {
	known, err := l.Records(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("store.History(%q): %w", id, err)
	}
	objectType, key := splitID(id)
	closes, types, keys := []string{id}, []string{objectType}, []string{key}
	for _, r := range known {
		if r.CloseID != nil {
			closes = append(closes, *r.CloseID)
		}
		if r.LocalKey != nil {
			types, keys = append(types, r.ObjectType), append(keys, *r.LocalKey)
		}
	}
	return collect[JournalItem](ctx, l.q, journalColumns+`WHERE ($1 = '' OR c.name = $1) AND j.id IN (
		SELECT id FROM closesync.journal_log WHERE close_id = ANY ($2)
		UNION SELECT k.id FROM unnest($3::text[], $4::text[]) AS v(t, key) JOIN closesync.journal_log k ON k.local_key = v.key
		      AND (v.t = '' OR k.object_type = v.t)) ORDER BY j.id`, l.connection, closes, types, keys)
}
