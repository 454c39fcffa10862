package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"closesync/mapping"
)

// Streams of checkpoints.
const (
	StreamBackfill = "backfill"
	StreamEvents   = "events"
)

// SearchStream is the checkpoint of an object type's incremental search.
func SearchStream(objectType string) string { return "search:" + objectType }

// AuditStream is the checkpoint of an object type's full compare.
func AuditStream(objectType string) string { return "audit:" + objectType }

// Backfill loads everything: leads with their contacts and opportunities, by
// date_created, over several windows at once. The events' watermark is taken
// first, so that what changes meanwhile is seen afterwards. After a crash it
// goes on where its checkpoint was. It does nothing once complete.
func (e *Engine) Backfill(ctx context.Context, progress func(seen int64)) error {
	cp, err := e.Local.Checkpoint(ctx, StreamBackfill)
	if err != nil {
		return err
	}
	if done, _ := cp.Position["done"].(bool); done {
		return nil
	}
	if err := e.refuseWhenPaused(ctx); err != nil {
		return fmt.Errorf("engine.Backfill: %w", err)
	}
	start := cp.Watermark
	if start.IsZero() {
		if start, err = e.startBackfill(ctx); err != nil {
			return fmt.Errorf("engine.Backfill: %w", err)
		}
		cp = Checkpoint{Stream: StreamBackfill, Watermark: start}
	}
	_, err = e.walkAll(ctx, "backfill", cp, start.Add(time.Minute), progress)
	if err != nil {
		return fmt.Errorf("engine.Backfill: %w", err)
	}
	return e.Local.SaveCheckpoint(ctx, Checkpoint{Stream: StreamBackfill, Watermark: start, Position: map[string]any{"done": true}, LastRun: e.Now()})
}

// startBackfill notes the moment of Close's last answer as the point from which
// events and searches follow.
func (e *Engine) startBackfill(ctx context.Context) (time.Time, error) {
	// Where that is a while ago, events and searches begin that much earlier.
	now := e.Remote.Answered()
	if now.IsZero() {
		var err error
		if now, err = e.Remote.Now(ctx); err != nil {
			return now, err
		}
	}
	for _, stream := range e.followers() {
		known, err := e.Local.Checkpoint(ctx, stream)
		if err != nil {
			return now, err
		}
		if known.Watermark.IsZero() {
			if err := e.Local.SaveCheckpoint(ctx, Checkpoint{Stream: stream, Watermark: now}); err != nil {
				return now, err
			}
		}
	}
	return now, e.Local.SaveCheckpoint(ctx, Checkpoint{Stream: StreamBackfill, Watermark: now})
}

func (e *Engine) followers() []string {
	streams := []string{StreamEvents}
	for t := range e.Objects {
		streams = append(streams, SearchStream(t))
	}
	return streams
}

// nested reports whether leads bring their children along: not when a child is
// filtered by itself.
func (e *Engine) nested() bool {
	for t, o := range e.Objects {
		if t != "lead" && len(o.Filter) > 0 {
			return false
		}
	}
	return e.Objects["lead"] != nil
}

// roots are the types that a walk over everything has to ask for.
func (e *Engine) roots() []string {
	if e.nested() {
		return []string{"lead"}
	}
	var list []string
	for _, t := range mapping.Types() {
		if e.Objects[t] != nil {
			list = append(list, t)
		}
	}
	return list
}

func (e *Engine) walkAll(ctx context.Context, kind string, cp Checkpoint, to time.Time, progress func(int64)) (int64, error) {
	run, err := e.Local.StartRun(ctx, kind, "")
	if err != nil {
		return 0, err
	}
	var seen, changed atomic.Int64
	before := e.Remote.Requests()
	var below children
	read := func(ctx context.Context, t string, nested, only bool) error {
		w := &walk{Engine: e, objectType: t, field: "date_created", nested: nested}
		if only {
			w.stream = cp.Stream
			w.resume(cp)
		}
		w.apply = func(ctx context.Context, p Page, at *Checkpoint) error {
			e.logBad(p)
			below.note(p.Records)
			n, err := e.applyPage(ctx, p.Records, Cause{"source": kind}, run, kind == "backfill", at)
			changed.Add(int64(n))
			if total := seen.Add(int64(count(p.Records))); progress != nil {
				progress(total)
			}
			return err
		}
		return w.run(ctx, time.Time{}, to)
	}
	err = e.walkTypes(ctx, &below, read)
	finished := e.Local.FinishRun(context.WithoutCancel(ctx), run, seen.Load(), changed.Load(), e.Remote.Requests()-before, err)
	if err == nil {
		err = finished
	}
	return seen.Load(), err
}

// walkTypes reads every type: the leads with what belongs to them, and what they
// did not tell; or each by itself. only says that no other type is read.
func (e *Engine) walkTypes(ctx context.Context, below *children, read func(ctx context.Context, objectType string, nested, only bool) error) error {
	roots := e.roots()
	if !e.nested() {
		for _, t := range roots {
			if err := read(ctx, t, false, len(roots) == 1); err != nil {
				return err
			}
		}
		return nil
	}
	g, asking := errgroup.WithContext(ctx)
	g.Go(func() error { return below.ask(asking, e) })
	g.Go(func() error { return read(asking, "lead", true, true) })
	if err := g.Wait(); err != nil {
		return err
	}
	untold, err := below.untold(ctx, e)
	if err != nil {
		return err
	}
	for _, t := range untold {
		if err := read(ctx, t, false, false); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) logBad(p Page) {
	for _, err := range p.Bad {
		e.Logger.Warn("a record of Close could not be read; it is passed over until it changes", "error", err)
	}
}
