package main

import (
	"context"
	"fmt"

	"closesync/sync/engine"
)

// burstEdits of one record must come to at most burstCalls calls.
const (
	burstEdits = 500
	burstCalls = 3
)

// editBurst changes one lead many times, each change a transaction.
func (w *worker) editBurst(ctx context.Context, lead string) error {
	if err := w.close.forget(ctx); err != nil {
		return err
	}
	for i := range burstEdits {
		if _, err := w.pool.Exec(ctx, "UPDATE crm.leads SET description = $2 WHERE close_id = $1", lead, fmt.Sprint("Burst ", i)); err != nil {
			return err
		}
	}
	requests, err := w.settled(ctx)
	if err != nil {
		return err
	}
	w.b.table.atMost(fmt.Sprintf("%d edits of one record in a burst: calls", burstEdits), float64(len(requests)), 2, burstCalls)
	return nil
}

// mixedStatements are what a local program may do, with how many records of
// Close each concerns.
var mixedStatements = []struct {
	sql     string
	records int
}{
	{"UPDATE crm.leads SET description = 'Mixed' WHERE id IN (SELECT id FROM crm.leads ORDER BY id DESC LIMIT 40)", 40},
	{"UPDATE crm.contacts SET title = 'Mixed' WHERE id IN (SELECT id FROM crm.contacts ORDER BY id DESC LIMIT 40)", 40},
	{"UPDATE crm.contacts SET title = 'Mixed again' WHERE id IN (SELECT id FROM crm.contacts ORDER BY id DESC LIMIT 40)", 0},
	{"UPDATE crm.leads SET description = description WHERE id IN (SELECT id FROM crm.leads ORDER BY id LIMIT 40)", 0},
	{"INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Mixed' FROM crm.leads ORDER BY id LIMIT 40", 40},
	{"DELETE FROM crm.opportunities WHERE id IN (SELECT id FROM crm.opportunities ORDER BY id DESC LIMIT 40)", 40},
}

// editMixed changes, adds and deletes in one transaction and counts all calls.
func (w *worker) editMixed(ctx context.Context) error {
	if err := w.close.forget(ctx); err != nil {
		return err
	}
	records := 0
	tx, err := w.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	for _, s := range mixedStatements {
		if _, err := tx.Exec(ctx, s.sql); err != nil {
			return err
		}
		records += s.records
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	requests, err := w.settled(ctx)
	if err != nil {
		return err
	}
	// A new contact takes one call, everything else a reading and a write.
	least := float64(2*records-40) / float64(records)
	w.b.table.atMost(fmt.Sprintf("%d records changed, added, deleted at once: calls each", records), float64(len(requests))/float64(records), least, 2)
	return nil
}

// eachSide is how many records of each side editBothSides changes.
const eachSide = 160

// editBothSides changes leads here while people change contacts in Close, and
// counts all calls: the readings of the event log and the searches, too.
func (w *worker) editBothSides(ctx context.Context, leads []string) error {
	contacts, err := w.ids(ctx, "contacts", eachSide)
	if err != nil {
		return err
	}
	if err := w.close.forget(ctx); err != nil {
		return err
	}
	for _, id := range contacts {
		if err := w.close.update(ctx, id, map[string]any{"title": "Both sides"}); err != nil {
			return err
		}
	}
	if _, err := w.pool.Exec(ctx, "UPDATE crm.leads SET description = 'Both sides' WHERE close_id = ANY ($1)", leads[:eachSide]); err != nil {
		return err
	}
	if err := w.look(ctx); err != nil {
		return err
	}
	requests, err := w.settled(ctx)
	if err != nil {
		return err
	}
	var come int64
	if err := w.pool.QueryRow(ctx, "SELECT count(*) FROM crm.contacts WHERE close_id = ANY ($1) AND title = 'Both sides'", contacts).Scan(&come); err != nil {
		return err
	}
	puts, _, _ := putsOf(requests)
	t := &w.b.table
	t.atMost(fmt.Sprintf("%d records changed on each side: calls for each record", eachSide), float64(len(requests))/(2*eachSide), 1, 1.5)
	t.exact("  changes that did not come over", 2*eachSide-come-int64(puts), 0)
	return nil
}

// measurePushOtherwise pushes with latency on the API, and without verifying.
func measurePushOtherwise(ctx context.Context, b *bench) error {
	if err := b.pushAtOnce(ctx, imitationSpec{Leads: b.edits, Latency: slowAnswer}, fmt.Sprintf(", %s an answer", slowAnswer), false); err != nil {
		return err
	}
	return b.pushAtOnce(ctx, imitationSpec{Leads: b.edits}, ", verify optimistic", true)
}

func (b *bench) pushAtOnce(ctx context.Context, spec imitationSpec, how string, optimistic bool) error {
	w, err := b.newWorker(ctx, spec)
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.load(ctx); err != nil {
		return err
	}
	leads, err := w.ids(ctx, "leads", b.edits)
	if err != nil {
		return err
	}
	floor, err := w.floorPushes(ctx, leads)
	if err != nil {
		return err
	}
	calls := 2.0
	if optimistic {
		o := w.engine.Options
		o.Optimistic, calls = true, 1
		w.engine = engine.New(o)
	}
	if err := w.startJobs(ctx); err != nil {
		return err
	}
	return w.editAtOnce(ctx, leads, how, floor, calls)
}
