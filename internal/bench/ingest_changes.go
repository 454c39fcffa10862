package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"closesync/sync/closeapi"
)

// change is an update of a contact at Close and the delivery that tells of it.
type change struct {
	id, title string
	body      []byte
}

// makeChanges updates contacts at the imitation, in turn, and takes the
// deliveries from its event log: oldest first.
func (h *hooks) makeChanges(ctx context.Context, contacts []string, n int) ([]change, error) {
	since := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	// A contact's second update waits for its first.
	for from := 0; from < n; from += len(contacts) {
		for i := from; i < min(n, from+len(contacts)); i++ {
			g.Go(func() error {
				return h.close.update(gctx, contacts[i%len(contacts)], map[string]any{"title": fmt.Sprintf("Change %d of %d at %d", i, n, since.Unix())})
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		g, gctx = errgroup.WithContext(ctx)
		g.SetLimit(4)
	}
	return h.readChanges(ctx, since, n)
}

func (h *hooks) readChanges(ctx context.Context, since time.Time, n int) ([]change, error) {
	changes := make([]change, n)
	left := n
	o := closeapi.EventOptions{Updated: closeapi.Span{From: since.Add(-time.Second)}}
	for left > 0 {
		page, err := h.client.Events(ctx, o)
		if err != nil {
			return nil, err
		}
		for _, raw := range page.Data {
			c, ok, err := changeOf(raw)
			if err != nil {
				return nil, err
			}
			if ok && left > 0 {
				left--
				changes[left] = c // the log is newest first
			}
		}
		if o.Cursor = page.Next; o.Cursor == "" {
			break
		}
	}
	if left > 0 {
		return nil, fmt.Errorf("%d of %d updates are not in the event log", left, n)
	}
	return changes, nil
}

func changeOf(event []byte) (change, bool, error) {
	var e struct {
		ObjectType string `json:"object_type"`
		ObjectID   string `json:"object_id"`
		Action     string `json:"action"`
		Data       struct {
			Title string `json:"title"`
		} `json:"data"`
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return change{}, false, err
	}
	body := fmt.Appendf(nil, `{"event":%s,"subscription_id":"%s"}`, event, hookID)
	return change{e.ObjectID, e.Data.Title, body}, e.ObjectType == "contact" && e.Action == "updated", nil
}

// arrivals is what the rows say afterwards.
type arrivals struct {
	lost int             // accepted, but the row does not hold it
	lags []time.Duration // from the answer to the row's commit
}

// arrivals compares the rows with the last accepted change of each contact.
// Postgres notes the time of each commit.
func (h *hooks) arrivals(ctx context.Context, changes []change, sent *delivered) (arrivals, error) {
	last := map[string]int{}
	ids := []string{}
	for i, c := range changes {
		if _, ok := last[c.id]; !ok {
			ids = append(ids, c.id)
		}
		last[c.id] = i
	}
	var known bool
	if err := h.pool.QueryRow(ctx, "SELECT current_setting('track_commit_timestamp')::boolean").Scan(&known); err != nil {
		return arrivals{}, err
	}
	at := "NULL::timestamptz"
	if known {
		at = "pg_xact_commit_timestamp(xmin)"
	}
	rows, err := h.pool.Query(ctx, "SELECT close_id, coalesce(title, ''), "+at+" FROM crm.contacts WHERE close_id = ANY ($1)", ids)
	if err != nil {
		return arrivals{}, err
	}
	defer rows.Close()
	a := arrivals{}
	for rows.Next() {
		var id, title string
		var committed *time.Time
		if err := rows.Scan(&id, &title, &committed); err != nil {
			return a, err
		}
		i := last[id]
		switch answered := sent.at[i]; {
		case answered.IsZero():
		case title != changes[i].title:
			a.lost++
		case committed != nil:
			// The row may be there before its answer has travelled.
			a.lags = append(a.lags, max(0, committed.Sub(answered)))
		}
	}
	return a, rows.Err()
}
