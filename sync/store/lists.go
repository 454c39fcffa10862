package store

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
)

// Lists reads what people look at, newest first. It needs no mapped tables, so
// it works when the mapping is broken.
type Lists struct {
	q          Querier
	connection string
}

// NewLists reads one connection, or all of them for "".
func NewLists(q Querier, connection string) Lists { return Lists{q, connection} }

// ConflictItem is one row of the view conflicts.
type ConflictItem struct {
	ID         int64          `json:"id"`
	Connection string         `json:"connection"`
	ObjectType string         `json:"object_type"`
	CloseID    *string        `json:"close_id"`
	LocalKey   *string        `json:"local_key"`
	Field      string         `json:"field"`
	BaseValue  jsontext.Value `json:"base_value"`
	LocalValue jsontext.Value `json:"local_value"`
	CloseValue jsontext.Value `json:"close_value"`
	Rule       string         `json:"rule"`
	Winner     *string        `json:"winner"`
	Status     string         `json:"status"`
	DetectedAt time.Time      `json:"detected_at"`
	ResolvedAt *time.Time     `json:"resolved_at"`
}

const conflictColumns = `SELECT id, connection, object_type, close_id, local_key, field, base_value, local_value, close_value, rule,
	winner, status, detected_at, resolved_at FROM closesync.conflicts `

// Conflicts lists the open conflicts, or resolved ones too.
func (l Lists) Conflicts(ctx context.Context, resolved bool, limit int) ([]ConflictItem, error) {
	return collect[ConflictItem](ctx, l.q, conflictColumns+`WHERE ($1 = '' OR connection = $1) AND ($2 OR status = 'open')
		ORDER BY id DESC LIMIT $3`, l.connection, resolved, limit)
}

// Conflict gives one conflict, or ErrNotFound.
func (l Lists) Conflict(ctx context.Context, id int64) (ConflictItem, error) {
	return one[ConflictItem](ctx, l.q, "conflict", id, conflictColumns+`WHERE ($1 = '' OR connection = $1) AND id = $2`, l.connection, id)
}

// ErrorItem is a parked record, or one of which some fields are.
type ErrorItem struct {
	ID            int64          `json:"id"`
	Connection    string         `json:"connection"`
	ObjectType    string         `json:"object_type"`
	CloseID       *string        `json:"close_id"`
	LocalKey      *string        `json:"local_key"`
	State         string         `json:"state"`
	ErrorClass    *string        `json:"error_class"`
	LastError     *string        `json:"last_error"`
	Fields        jsontext.Value `json:"fields"` // field -> what Close said; null for none
	Attempts      int            `json:"attempts"`
	NextAttemptAt *time.Time     `json:"next_attempt_at"`
	LastSyncedAt  *time.Time     `json:"last_synced_at"`
}

// Errors lists the parked records.
func (l Lists) Errors(ctx context.Context, limit int) ([]ErrorItem, error) {
	return collect[ErrorItem](ctx, l.q, `SELECT r.id, c.name, r.object_type, r.close_id, r.local_key, r.state, r.error_class, r.last_error,
		r.parked, r.attempts, CASE WHEN d.attempts > 0 AND isfinite(d.not_before) THEN d.not_before END, r.last_synced_at
		FROM closesync.records r JOIN closesync.connections c ON c.id = r.connection LEFT JOIN closesync.dirty d ON d.record_id = r.id
		WHERE r.state = 'error' AND ($1 = '' OR c.name = $1) ORDER BY r.last_synced_at DESC NULLS LAST, r.id DESC LIMIT $2`, l.connection, limit)
}

// HoldItem is a batch that a guard stopped.
type HoldItem struct {
	ID         int64      `json:"id"`
	Connection string     `json:"connection"`
	Kind       string     `json:"kind"` // create or delete
	ObjectType string     `json:"object_type"`
	Count      int64      `json:"count"`
	Status     string     `json:"status"` // open, approved or rejected
	Reason     string     `json:"reason"`
	CreatedAt  time.Time  `json:"created_at"`
	DecidedAt  *time.Time `json:"decided_at"`
}

const holdColumns = `SELECT h.id, c.name, h.kind, h.object_type,
	(SELECT count(*) FROM closesync.hold_items i WHERE i.hold_id = h.id), h.status, h.reason, h.created_at, h.decided_at
	FROM closesync.holds h JOIN closesync.connections c ON c.id = h.connection `

// Holds lists the open holds, or decided ones too.
func (l Lists) Holds(ctx context.Context, decided bool, limit int) ([]HoldItem, error) {
	return collect[HoldItem](ctx, l.q, holdColumns+`WHERE ($1 = '' OR c.name = $1) AND ($2 OR h.status = 'open') ORDER BY h.id DESC LIMIT $3`, l.connection, decided, limit)
}

// RunItem is one row of the view runs.
type RunItem struct {
	ID         int64      `json:"id"`
	Connection string     `json:"connection"`
	Kind       string     `json:"kind"`
	ObjectType *string    `json:"object_type"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
	State      string     `json:"state"`
	Seen       int64      `json:"seen"`
	Changed    int64      `json:"changed"`
	Requests   int64      `json:"requests"`
	Error      *string    `json:"error"`
}

// Runs lists loads, searches and audits.
func (l Lists) Runs(ctx context.Context, limit int) ([]RunItem, error) {
	return collect[RunItem](ctx, l.q, `SELECT id, connection, kind, object_type, started_at, finished_at, state, seen, changed, requests, error
		FROM closesync.runs WHERE ($1 = '' OR connection = $1) ORDER BY id DESC LIMIT $2`, l.connection, limit)
}

// collect never gives nil: an empty list is [] in JSON.
func collect[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.AppendRows([]T{}, rows, pgx.RowToStructByPos[T])
}

func one[T any](ctx context.Context, q Querier, what string, id int64, sql string, args ...any) (T, error) {
	list, err := collect[T](ctx, q, sql, args...)
	switch {
	case err != nil:
		return *new(T), err
	case len(list) == 0:
		return *new(T), fmt.Errorf("%s %d: %w", what, id, ErrNotFound)
	}
	return list[0], nil
}
