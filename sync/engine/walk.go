package engine

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"closesync/mapping"
)

const (
	// walkers is how many date windows are read at once: enough to hide 200 ms
	// of latency, few enough for Close's advice of four to seven parallel calls.
	walkers = 7
	// storers is how many pages are stored at once, while the next ones are read.
	// Together they bound the pages that a walk holds in memory, and so what a
	// kill costs.
	storers = 3
)

// walk reads every record of a type in ascending order of a date field, over
// several windows at once. While a page is stored the next one of its window is
// read: where that begins is known as soon as the page is here.
type walk struct {
	*Engine
	objectType string
	field      string
	nested     bool
	stream     string // checkpoint; "" for none
	epoch      string // of the database that the checkpoint is for
	apply      func(ctx context.Context, page Page, cp *Checkpoint) error

	mu       sync.Mutex
	freight  freight
	changed  *sync.Cond // a page was read: there may be a window to take
	segments []*segment
	to       time.Time // about where the records end, to cut windows by
	budget   int       // windows that may still be cut
}

// sheet is a page on its way from Close to Postgres.
type sheet struct {
	Page
	of     *segment
	last   time.Time // greatest date on it
	bytes  int
	stored bool
}

// run reads all from a date on. to is about where the records end.
func (w *walk) run(ctx context.Context, from, to time.Time) error {
	w.changed, w.to = sync.NewCond(&w.mu), to
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, w.freight.wake)()
	sheets := make(chan *sheet)
	g.Go(guarded(func() error {
		defer close(sheets)
		return w.readAll(ctx, from, sheets)
	}))
	for range min(storers, w.Workers) {
		g.Go(guarded(func() error {
			for p := range sheets {
				if err := w.store(ctx, p); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return g.Wait()
}

// readAll hands on every page of every window.
func (w *walk) readAll(ctx context.Context, from time.Time, to chan<- *sheet) error {
	w.budget = allCuts(0)
	if len(w.segments) == 0 {
		if err := w.begin(ctx, from, to); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, w.wake)()
	for range min(walkers, w.Workers) {
		g.Go(guarded(func() error {
			for s := w.take(ctx); s != nil; s = w.take(ctx) {
				if err := w.read(ctx, s, to); err != nil {
					return err
				}
			}
			return ctx.Err()
		}))
	}
	return g.Wait()
}

func (w *walk) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed.Broadcast()
}

// read hands on the pages of a window, one ahead of what is stored.
func (w *walk) read(ctx context.Context, s *segment, to chan<- *sheet) error {
	for !w.isOver(s) {
		if err := w.readPage(ctx, s, to); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) readPage(ctx context.Context, s *segment, to chan<- *sheet) error {
	p, err := w.next(ctx, s)
	if err != nil {
		return err
	}
	select {
	case to <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *walk) isOver(s *segment) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.over
}

// next reads the next page of a window.
func (w *walk) next(ctx context.Context, s *segment) (*sheet, error) {
	w.mu.Lock()
	asked, skip := Window{From: s.at, To: s.End, Counted: true}, s.seen
	w.mu.Unlock()
	var expected int
	if asked.Most, expected = w.freight.admit(ctx); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p, err := w.Remote.Search(ctx, w.objectType, w.field, asked, w.nested, skip)
	w.freight.arrived(p, expected)
	if err != nil {
		return nil, err
	}
	last, seen := w.last(p, asked.From, skip)
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.changed.Broadcast()
	w.estimate(s, p, asked, last)
	s.at, s.seen = last, seen
	// A neighbour may have taken the rest of this window meanwhile.
	s.over = !p.Full || (!s.End.IsZero() && !last.Before(s.End)) || (len(p.Records) == 0 && len(p.Bad) == 0)
	sh := &sheet{Page: p, of: s, last: last, bytes: p.Bytes}
	s.sheets = append(s.sheets, sh)
	return sh, nil
}

// store applies a page together with the checkpoint that covers it.
func (w *walk) store(ctx context.Context, p *sheet) error {
	w.mu.Lock()
	cp := w.snapshot(p)
	w.mu.Unlock()
	if err := w.apply(ctx, p.Page, cp); err != nil {
		return err
	}
	w.freight.stored(p.bytes)
	w.mu.Lock()
	defer w.mu.Unlock()
	p.stored, p.Page = true, Page{}
	p.of.forget()
	return nil
}

// readThrough reads one window from its beginning to its end, a page stored
// before the next is read: for what is mostly one page.
func (w *walk) readThrough(ctx context.Context, s *segment) error {
	w.changed, w.segments = sync.NewCond(&w.mu), []*segment{s}
	for !s.over {
		p, err := w.next(ctx, s)
		if err != nil {
			return err
		}
		if err := w.store(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) date(r mapping.Remote) time.Time {
	if w.field == "date_created" {
		return r.Created
	}
	return r.Version
}

// last gives the greatest date of the page and the ids that have it.
func (w *walk) last(p Page, from time.Time, skip map[string]bool) (time.Time, map[string]bool) {
	last := from
	for _, r := range p.Records {
		if t := w.date(r); t.After(last) {
			last = t
		}
	}
	seen := map[string]bool{}
	if last.Equal(from) {
		for id := range skip {
			seen[id] = true
		}
	}
	for _, r := range p.Records {
		if w.date(r).Equal(last) {
			seen[r.ID] = true
		}
	}
	return last, seen
}
