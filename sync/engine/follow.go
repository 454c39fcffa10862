package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"closesync/mapping"
)

const (
	eventOverlap  = 5 * time.Minute // Close itself says so
	searchOverlap = 15 * time.Minute
	eventHorizon  = 30 * 24 * time.Hour
)

func count(records []mapping.Remote) int {
	n := len(records)
	for _, r := range records {
		n += len(r.Nested)
	}
	return n
}

// Tail reads the event log since the last watermark, stores the events and
// marks their records. gap says that the log no longer reaches back to the
// watermark: a full compare is owed then (fault A32).
func (e *Engine) Tail(ctx context.Context) (fresh int, gap bool, err error) {
	cp, err := e.Local.Checkpoint(ctx, StreamEvents)
	if err != nil {
		return 0, false, err
	}
	if cp.Watermark.IsZero() {
		return 0, false, nil // the backfill has not begun
	}
	// What a restored database has forgotten is found by this watermark, which
	// must not move before.
	unverified := e.verifyIn(ctx, cp.Epoch)
	var log gathered
	var began time.Time // what happens after the first page was read may not be on any
	newest, err := e.Remote.Events(ctx, cp.Watermark.Add(-eventOverlap), func(events []Event) error {
		if began.IsZero() {
			began = e.Remote.Answered()
		}
		return log.take(ctx, e.Local, events)
	})
	// Of a walk that broke off, what came is stored as well.
	err = errors.Join(err, log.store(ctx, e.Local))
	fresh = log.fresh
	if err != nil {
		return fresh, gap, fmt.Errorf("engine.Tail: %w", err)
	}
	now := e.Remote.Answered()
	if began.IsZero() {
		began = now
	}
	gap = now.Sub(cp.Watermark) > eventHorizon-time.Hour
	if gap {
		// Before the watermark moves: a crash in between must not forget it.
		if err := e.Local.Owe(ctx, wanted(e, nil)); err != nil {
			return fresh, gap, fmt.Errorf("engine.Tail: %w", err)
		}
	}
	if unverified != nil {
		return fresh, gap, ignorePause(unverified)
	}
	cp.Watermark = watermark(cp.Watermark, newest, began, now)
	cp.LastRun = e.Now()
	return fresh, gap, e.Local.SaveCheckpoint(ctx, cp)
}

// watermark moves on to the newest event, or in a quiet organization to a
// minute before the log was read. A date from the future must not freeze it.
func watermark(old, newest, began, now time.Time) time.Time {
	if quiet := began.Add(-time.Minute); newest.Before(quiet) {
		newest = quiet
	}
	if newest.After(now.Add(time.Second)) { // Dates of answers have no fraction
		newest = now
	}
	if newest.After(old) {
		return newest
	}
	return old
}

// SearchChanged reads what changed since the last watermark, with an overlap
// that covers the lag of Close's index, in ascending order of date_updated.
func (e *Engine) SearchChanged(ctx context.Context, objectType string) error {
	standing, err := e.Local.Standing(ctx, objectType)
	if err != nil {
		return err
	}
	cp := standing.Checkpoint
	switch {
	case cp.Watermark.IsZero():
		return nil
	case standing.Paused:
		return fmt.Errorf("engine.SearchChanged(%s): %w", objectType, ErrPaused)
	case !standing.Loaded:
		return nil // what changes meanwhile is found by the first search after it
	}
	if err := e.verifyIn(ctx, cp.Epoch); err != nil {
		return fmt.Errorf("engine.SearchChanged(%s): %w", objectType, err)
	}
	run := int64(0)
	var seen, changed int
	before := e.Remote.Requests()
	// A lead that enters the filter brings children along that did not change.
	nested := objectType == "lead" && len(e.Objects["lead"].Filter) > 0 && e.nested()
	w := &walk{Engine: e, objectType: objectType, field: "date_updated", nested: nested}
	w.apply = func(ctx context.Context, p Page, _ *Checkpoint) error {
		e.logBad(p)
		for _, r := range p.Records {
			if r.Version.After(cp.Watermark) {
				cp.Watermark = r.Version
			}
		}
		// A search that finds nothing, as most do, is no run.
		if run == 0 && len(p.Records) > 0 {
			var err error
			if run, err = e.Local.StartRun(ctx, "search", objectType); err != nil {
				return err
			}
		}
		next := cp
		n, err := e.applyPage(ctx, p.Records, Cause{"source": "search"}, run, false, &next)
		seen, changed = seen+len(p.Records), changed+n
		return err
	}
	err = w.readThrough(ctx, newSegment(cp.Watermark.Add(-searchOverlap), time.Time{}))
	if err == nil {
		cp.LastRun = e.Now()
		err = e.Local.SaveCheckpoint(ctx, cp)
	}
	if run == 0 && err != nil {
		run, _ = e.Local.StartRun(context.WithoutCancel(ctx), "search", objectType)
	}
	if run != 0 {
		_ = e.Local.FinishRun(context.WithoutCancel(ctx), run, int64(seen), int64(changed), e.Remote.Requests()-before, err)
	}
	if err != nil {
		return fmt.Errorf("engine.SearchChanged(%s): %w", objectType, err)
	}
	return nil
}

// Reference mirrors the catalogue of users, statuses, pipelines and custom
// fields.
func (e *Engine) Reference(ctx context.Context) error {
	ref, err := e.Remote.Reference(ctx)
	if err != nil {
		return fmt.Errorf("engine.Reference: %w", err)
	}
	e.catalogue.set(ref.CustomFields, ref.Incomplete)
	return e.Local.SaveReference(ctx, ref)
}
