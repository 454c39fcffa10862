package engine

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"closesync/mapping"
)

// Audit compares everything on both sides and repairs what nobody reported.
// Close's records are read in full and compared by hash; rows that were
// written since our last write, rows without a record and records without a
// row are marked, and so are records that Close did not show: a GET decides
// whether they are gone (promise 8). Only the given types are compared; nil
// means all.
func (e *Engine) Audit(ctx context.Context, types []string, progress func(seen int64)) error {
	// Rows that were there before the first load must not meet a compare first.
	if err := e.Backfill(ctx, progress); err != nil {
		return fmt.Errorf("engine.Audit: %w", err)
	}
	if err := e.refuseWhenPaused(ctx); err != nil {
		return fmt.Errorf("engine.Audit: %w", err)
	}
	if err := e.verify(ctx); err != nil {
		return fmt.Errorf("engine.Audit: %w", err)
	}
	started, err := e.Remote.Now(ctx)
	if err != nil {
		return fmt.Errorf("engine.Audit: %w", err)
	}
	run, err := e.Local.StartRun(ctx, "audit", "")
	if err != nil {
		return err
	}
	var seen, changed atomic.Int64
	before := e.Remote.Requests()
	err = e.audit(ctx, wanted(e, types), started, run, &seen, &changed, progress)
	if done := e.Local.FinishRun(context.WithoutCancel(ctx), run, seen.Load(), changed.Load(), e.Remote.Requests()-before, err); err == nil {
		err = done
	}
	if err != nil {
		return fmt.Errorf("engine.Audit: %w", err)
	}
	return nil
}

func wanted(e *Engine, types []string) []string {
	if len(types) > 0 {
		return types
	}
	var all []string
	for _, t := range mapping.Types() {
		if e.Objects[t] != nil {
			all = append(all, t)
		}
	}
	return all
}

func (e *Engine) audit(ctx context.Context, types []string, started time.Time, run int64, seen, changed *atomic.Int64, progress func(int64)) error {
	covers := map[string]float64{}
	for _, t := range types {
		n, err := e.owed(ctx, t)
		if err != nil {
			return err
		}
		covers[t] = n
	}
	shown := &idSet{ids: map[uint64]struct{}{}}
	marked := &twins{first: map[string]string{}, more: map[string][]string{}}
	var below children
	read := func(ctx context.Context, t string, nested, _ bool) error {
		w := &walk{Engine: e, objectType: t, field: "date_created", nested: nested}
		w.apply = func(ctx context.Context, p Page, _ *Checkpoint) error {
			e.logBad(p)
			shown.add(p.Records)
			marked.add(p.Records)
			below.note(p.Records)
			n, err := e.applyPage(ctx, p.Records, Cause{"source": "audit"}, run, false, nil)
			changed.Add(int64(n))
			if total := seen.Add(int64(count(p.Records))); progress != nil {
				progress(total)
			}
			return err
		}
		return w.run(ctx, time.Time{}, started.Add(time.Minute))
	}
	if err := e.walkSome(ctx, types, &below, read); err != nil {
		return err
	}
	for _, t := range types {
		rows, err := e.Local.AuditRows(ctx, t)
		if err != nil {
			return err
		}
		changed.Add(int64(rows))
		if err := marked.report(ctx, e.Local, t); err != nil {
			return err
		}
		if err := e.markUnseen(ctx, t, started, shown); err != nil {
			return err
		}
		if err := e.Local.SaveCheckpoint(ctx, Checkpoint{Stream: AuditStream(t), LastRun: e.Now(), Position: map[string]any{"covers": covers[t]}}); err != nil {
			return err
		}
	}
	return nil
}

// walkSome reads the given types, the leads with what belongs to them if that
// is all.
func (e *Engine) walkSome(ctx context.Context, types []string, below *children, read func(ctx context.Context, objectType string, nested, only bool) error) error {
	if len(types) == len(e.Objects) {
		return e.walkTypes(ctx, below, read)
	}
	for _, t := range types {
		if err := read(ctx, t, false, false); err != nil {
			return err
		}
	}
	return nil
}

// markUnseen marks the records that Close did not show. A record made after
// the audit began, or one the index does not have yet, is no exception: the
// GET tells.
func (e *Engine) markUnseen(ctx context.Context, objectType string, started time.Time, shown *idSet) error {
	ids, err := e.Local.Unseen(ctx, objectType, started)
	if err != nil {
		return err
	}
	var missing []string
	for _, id := range ids {
		if !shown.has(id) {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return e.Local.Mark(ctx, objectType, missing, Cause{"source": "audit"}, 0)
}

// idSet remembers ids by hash: eight bytes each for a hundred thousand leads.
type idSet struct {
	mu  sync.Mutex
	ids map[uint64]struct{}
}

func hashID(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return h.Sum64()
}

func (s *idSet) add(records []mapping.Remote) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(records)
}

func (s *idSet) put(records []mapping.Remote) {
	for _, r := range records {
		s.ids[hashID(r.ID)] = struct{}{}
		s.put(r.Nested)
	}
}

func (s *idSet) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.ids[hashID(id)]
	return ok
}
