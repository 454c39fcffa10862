package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/mapping"
)

// StatusInput is what the database does not know about a connection.
type StatusInput struct {
	API APIState
	// Webhook is "active", "paused", "absent" or "unmanaged"; empty tells it
	// from the subscription that is stored.
	Webhook string
	Lag     Lag
	Rate    []RateState
	// OrganizationID is used while the database is not bound to one.
	OrganizationID string
}

// APIState says whether Close took the key the last time it was asked.
type APIState struct {
	OK    bool    `json:"ok"`
	Error *string `json:"error"`
}

// Lag is how long changes took to arrive, in seconds.
type Lag struct {
	FromCloseP50 float64 `json:"from_close_p50"`
	FromCloseP99 float64 `json:"from_close_p99"`
	ToCloseP50   float64 `json:"to_close_p50"`
	ToCloseP99   float64 `json:"to_close_p99"`
}

// RateState is one of Close's endpoint groups; ResetsIn is in seconds.
type RateState struct {
	Group     string  `json:"group"`
	Limit     int     `json:"limit"`
	Remaining int     `json:"remaining"`
	ResetsIn  float64 `json:"resets_in"`
}

// ConnectionStatus is one element of connections in `status --json`. Its keys
// are fixed.
type ConnectionStatus struct {
	Name            string                  `json:"name"`
	OrganizationID  *string                 `json:"organization_id"`
	API             APIState                `json:"api"`
	Webhook         WebhookStatus           `json:"webhook"`
	InboxPending    int64                   `json:"inbox_pending"`
	OutboxPending   int64                   `json:"outbox_pending"`
	Objects         map[string]ObjectStatus `json:"objects"`
	EventsWatermark *time.Time              `json:"events_watermark"`
	LagSeconds      Lag                     `json:"lag_seconds"`
	Rate            []RateState             `json:"rate"`
	LastRun         *RunStatus              `json:"last_run"`
	Paused          PauseStatus             `json:"paused"`
	// Idle is part of the document's own idle.
	Idle   bool `json:"idle"`
	Loaded bool `json:"loaded"` // the first load is complete
}

// WebhookStatus is the subscription.
type WebhookStatus struct {
	State          string     `json:"state"`
	LastDeliveryAt *time.Time `json:"last_delivery_at"`
}

// PauseStatus says which directions an operator has stopped.
type PauseStatus struct {
	ToClose   bool `json:"to_close"`
	FromClose bool `json:"from_close"`
}

// ObjectStatus counts the records of one object type.
type ObjectStatus struct {
	LocalRows         int64      `json:"local_rows"`
	Linked            int64      `json:"linked"`
	Pending           int64      `json:"pending"`
	Conflicts         int64      `json:"conflicts"`
	Errors            int64      `json:"errors"`
	Held              int64      `json:"held"`
	Hidden            int64      `json:"hidden"`
	SearchWatermark   *time.Time `json:"search_watermark"`
	LastFullCompareAt *time.Time `json:"last_full_compare_at"`
}

// RunStatus is the newest load, search or audit.
type RunStatus struct {
	Kind  string    `json:"kind"`
	State string    `json:"state"`
	At    time.Time `json:"at"`
}

// Open reports whether somebody must act or some record still waits. A first
// load that has not been made is neither.
func (c ConnectionStatus) Open() bool {
	for _, o := range c.Objects {
		if o.Conflicts+o.Errors+o.Held+o.Pending > 0 {
			return true
		}
	}
	return c.InboxPending+c.OutboxPending > 0
}

// Status reads the state of the connection. It writes nothing.
func (s *Store) Status(ctx context.Context, in StatusInput) (ConnectionStatus, error) {
	c := ConnectionStatus{Name: s.name, API: in.API, LagSeconds: in.Lag, Rate: in.Rate, Objects: map[string]ObjectStatus{}}
	for _, step := range []func(context.Context, *ConnectionStatus) error{
		s.statusConnection, s.statusRecords, s.statusRows, s.statusStreams, s.statusRun, s.statusWaiting,
	} {
		if err := step(ctx, &c); err != nil {
			return c, fmt.Errorf("store.Status(%s): %w", s.name, err)
		}
	}
	if c.OrganizationID == nil {
		c.OrganizationID = some(in.OrganizationID)
	}
	if in.Webhook != "" {
		c.Webhook.State = in.Webhook
	}
	return c, nil
}

func (s *Store) statusConnection(ctx context.Context, c *ConnectionStatus) error {
	err := s.pool.QueryRow(ctx, `SELECT organization_id, last_delivery_at, coalesce(webhook ->> 'state',
		CASE WHEN webhook ->> 'id' <> '' THEN 'active' ELSE 'absent' END), pause_to_close, pause_from_close
		FROM closesync.connections WHERE id = $1`, s.id).
		Scan(&c.OrganizationID, &c.Webhook.LastDeliveryAt, &c.Webhook.State, &c.Paused.ToClose, &c.Paused.FromClose)
	c.Webhook.LastDeliveryAt = utc(c.Webhook.LastDeliveryAt)
	return err
}

// statusRecords counts by state. A record counts in one state only.
func (s *Store) statusRecords(ctx context.Context, c *ConnectionStatus) error {
	rows, err := s.pool.Query(ctx, `
		SELECT object_type, count(*) FILTER (WHERE close_id IS NOT NULL AND local_key IS NOT NULL AND state <> 'deleted'),
		       count(*) FILTER (WHERE state = 'conflict'), count(*) FILTER (WHERE state = 'error'),
		       count(*) FILTER (WHERE state = 'held'), count(*) FILTER (WHERE state = 'hidden')
		FROM closesync.records WHERE connection = $1 GROUP BY object_type`, s.id)
	if err != nil {
		return err
	}
	for t := range s.tableSet() {
		c.Objects[t] = ObjectStatus{}
	}
	var t string
	var o ObjectStatus
	_, err = pgx.ForEachRow(rows, []any{&t, &o.Linked, &o.Conflicts, &o.Errors, &o.Held, &o.Hidden}, func() error {
		if s.table(t) != nil {
			c.Objects[t] = o
		}
		return nil
	})
	return err
}

func (s *Store) statusRows(ctx context.Context, c *ConnectionStatus) error {
	for _, objectType := range mapping.Types() {
		t := s.table(objectType)
		if t == nil {
			continue
		}
		o := c.Objects[objectType]
		if err := s.pool.QueryRow(ctx, "SELECT count(*) FROM "+t.name).Scan(&o.LocalRows); err != nil {
			return err
		}
		c.Objects[objectType] = o
	}
	return nil
}

// statusStreams reads the checkpoints: "events", "search:TYPE", "audit:TYPE".
func (s *Store) statusStreams(ctx context.Context, c *ConnectionStatus) error {
	rows, err := s.pool.Query(ctx, `SELECT stream, watermark, last_run_at FROM closesync.checkpoints WHERE connection = $1`, s.id)
	if err != nil {
		return err
	}
	var stream string
	var watermark, last *time.Time
	_, err = pgx.ForEachRow(rows, []any{&stream, &watermark, &last}, func() error {
		kind, objectType, _ := strings.Cut(stream, ":")
		o, known := c.Objects[objectType]
		switch {
		case stream == "events":
			c.EventsWatermark = utc(watermark)
		case kind == "search" && known:
			o.SearchWatermark = utc(watermark)
			c.Objects[objectType] = o
		case kind == "audit" && known:
			o.LastFullCompareAt = utc(last)
			c.Objects[objectType] = o
		}
		return nil
	})
	return err
}

func (s *Store) statusRun(ctx context.Context, c *ConnectionStatus) error {
	rows, err := s.pool.Query(ctx, `SELECT kind, state, coalesce(finished_at, started_at) AS at FROM closesync.run_log
		WHERE connection = $1 AND NOT starts_with(kind, $2) ORDER BY started_at DESC, id DESC LIMIT 1`, s.id, operatorKind)
	if err != nil {
		return err
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RunStatus])
	if err != nil || len(list) == 0 {
		return err
	}
	list[0].At = list[0].At.UTC()
	c.LastRun = &list[0]
	return nil
}

func (s *Store) statusWaiting(ctx context.Context, c *ConnectionStatus) error {
	w, err := s.waiting(ctx)
	if err != nil {
		return err
	}
	c.InboxPending, c.OutboxPending, c.Idle, c.Loaded = w.events, w.hints+w.writes, w.none(), !w.load
	for objectType, n := range w.records {
		if o, known := c.Objects[objectType]; known {
			o.Pending = n
			c.Objects[objectType] = o
		}
	}
	return nil
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
