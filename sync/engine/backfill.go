package engine

import (
	"context"
	"fmt"
	"slices"
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
// goes on where its checkpoint was. Types that came to the mapping later, or
// whose table was missing, are loaded by themselves. It does nothing once
// complete.
func (e *Engine) Backfill(ctx context.Context, progress func(seen int64)) error {
	types, err := e.NotLoaded(ctx)
	if err != nil || len(types) == 0 {
		return err
	}
	if err := e.refuseWhenPaused(ctx); err != nil {
		return fmt.Errorf("engine.Backfill: %w", err)
	}
	if err := e.load(ctx, types, progress); err != nil {
		return fmt.Errorf("engine.Backfill: %w", err)
	}
	return nil
}

// NotLoaded lists the types whose first load is not complete, parents first.
func (e *Engine) NotLoaded(ctx context.Context) ([]string, error) {
	loads, err := e.Local.FirstLoads(ctx)
	var types []string
	for _, t := range wanted(e, nil) {
		if load, registered := loads[t]; registered && !load.Loaded {
			types = append(types, t)
		}
	}
	return types, err
}

func (e *Engine) load(ctx context.Context, types []string, progress func(int64)) error {
	cp, err := e.Local.Checkpoint(ctx, StreamBackfill)
	if err != nil {
		return err
	}
	done, _ := cp.Position["done"].(bool)
	if !cp.Watermark.IsZero() {
		if err := e.verify(ctx); err != nil {
			return err
		}
	}
	if cp.Watermark.IsZero() || done {
		if cp.Watermark, err = e.startBackfill(ctx, done); err != nil {
			return err
		}
	}
	if err := e.Local.BeginLoad(ctx, types); err != nil {
		return err
	}
	loads, err := e.Local.FirstLoads(ctx)
	if err != nil {
		return err
	}
	if !matched(loads, types) {
		if err := e.read(ctx, types, cp, done, staged(loads, types), progress); err != nil {
			return err
		}
		if err := e.Local.Match(ctx, types); err != nil {
			return err
		}
	}
	if err := e.settleStaged(ctx, progress); err != nil {
		return err
	}
	if err := e.Local.EndLoad(ctx, types); err != nil {
		return err
	}
	return e.Local.SaveCheckpoint(ctx, Checkpoint{Stream: StreamBackfill, Watermark: cp.Watermark, Epoch: cp.Epoch, Position: map[string]any{"done": true}, LastRun: e.Now()})
}

func matched(loads map[string]FirstLoad, types []string) bool {
	return !slices.ContainsFunc(types, func(t string) bool { return !loads[t].Matched })
}

func staged(loads map[string]FirstLoad, types []string) bool {
	return slices.ContainsFunc(types, func(t string) bool { return loads[t].Staged })
}

// read walks over what Close holds. late: other types were loaded before.
func (e *Engine) read(ctx context.Context, types []string, cp Checkpoint, late, staged bool, progress func(int64)) error {
	to := cp.Watermark.Add(time.Minute)
	if late {
		return e.walkLate(ctx, types, to, staged, progress)
	}
	_, err := e.walkAll(ctx, "backfill", cp, to, staged, progress)
	return err
}

// settleStaged makes rows of what was kept apart, if anything was.
func (e *Engine) settleStaged(ctx context.Context, progress func(int64)) error {
	some, err := e.Local.AnyStaged(ctx)
	if err != nil || !some {
		return err
	}
	t, err := e.begin(ctx, "backfill", "", progress)
	if err != nil {
		return err
	}
	return t.end(ctx, e.arrive(ctx, t))
}

// walkLate loads types by themselves, from their beginning.
func (e *Engine) walkLate(ctx context.Context, types []string, to time.Time, staged bool, progress func(int64)) error {
	for _, t := range types {
		tally, err := e.begin(ctx, "backfill", t, progress)
		if err != nil {
			return err
		}
		tally.staged = staged
		w := &walk{Engine: e, objectType: t, field: "date_created", apply: tally.take}
		if err := tally.end(ctx, w.run(ctx, time.Time{}, to)); err != nil {
			return err
		}
	}
	return nil
}

// startBackfill notes the moment of Close's last answer as the point from which
// events and searches follow. late: the first load of other types was completed.
func (e *Engine) startBackfill(ctx context.Context, late bool) (time.Time, error) {
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
	if late {
		return now, nil
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

func (e *Engine) walkAll(ctx context.Context, kind string, cp Checkpoint, to time.Time, staged bool, progress func(int64)) (int64, error) {
	tally, err := e.begin(ctx, kind, "", progress)
	if err != nil {
		return 0, err
	}
	tally.staged = staged
	read := func(ctx context.Context, t string, nested, only bool) error {
		w := &walk{Engine: e, objectType: t, field: "date_created", nested: nested, apply: tally.take}
		if only {
			w.stream, w.epoch = cp.Stream, cp.Epoch
			w.resume(cp)
		}
		return w.run(ctx, time.Time{}, to)
	}
	err = tally.end(ctx, e.walkTypes(ctx, &tally.below, read))
	return tally.seen.Load(), err
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
	g.SetLimit(e.Workers)
	g.Go(guarded(func() error { return below.ask(asking, e) }))
	g.Go(guarded(func() error { return read(asking, "lead", true, true) }))
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

// tally counts what a walk of the first load reads.
type tally struct {
	*Engine
	kind          string
	run           int64
	requests      int64
	seen, changed atomic.Int64
	below         children
	staged        bool // what is read is kept apart
	progress      func(int64)
}

func (e *Engine) begin(ctx context.Context, kind, objectType string, progress func(int64)) (*tally, error) {
	run, err := e.Local.StartRun(ctx, kind, objectType)
	return &tally{Engine: e, kind: kind, run: run, requests: e.Remote.Requests(), progress: progress}, err
}

// take takes a page in.
func (t *tally) take(ctx context.Context, p Page, at *Checkpoint) error {
	t.logBad(p)
	t.below.note(p.Records)
	var n int
	var err error
	if t.staged {
		err = t.stage(ctx, p.Records, at)
	} else {
		n, err = t.applyPage(ctx, p.Records, Cause{"source": t.kind}, t.run, t.kind == "backfill", at)
	}
	t.changed.Add(int64(n))
	if total := t.seen.Add(int64(count(p.Records))); t.progress != nil {
		t.progress(total)
	}
	return err
}

// end closes the run with the walk's own error, if any.
func (t *tally) end(ctx context.Context, err error) error {
	finished := t.Local.FinishRun(context.WithoutCancel(ctx), t.run, t.seen.Load(), t.changed.Load(), t.Remote.Requests()-t.requests, err)
	if err == nil {
		err = finished
	}
	return err
}

func (e *Engine) logBad(p Page) {
	for _, err := range p.Bad {
		e.Logger.Warn("a record of Close could not be read; it is passed over until it changes", "error", err)
	}
}
