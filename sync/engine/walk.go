package engine

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"closesync/mapping"
)

// walkers is how many date windows are read at once: enough to hide 200 ms of
// latency, few enough for Close's advice of four to seven parallel calls.
const walkers = 7

// segment is a span of a walk still to be read. Cursor is the greatest value
// wholly processed; records at it are read again. The last one has no end:
// what is dated later than the present by anybody's clock is read as well.
type segment struct {
	Cursor time.Time `json:"cursor"`
	End    time.Time `json:"end"` // zero for none
	Done   bool      `json:"done,omitempty"`
	seen   map[string]bool
	busy   bool
	pace   float64 // records per second of the window, by its last page
}

// worthSplitting is how many records must be left in a window for a second
// walker to be worth its extra, mostly short, last page.
const worthSplitting = 3000

// walk reads every record of a type in ascending order of a date field, over
// several windows at once. Idle walkers halve the longest window left.
type walk struct {
	*Engine
	objectType string
	field      string
	nested     bool
	stream     string // checkpoint; "" for none
	mu         sync.Mutex
	segments   []*segment
	to         time.Time // about where the records end, to cut windows by
	apply      func(ctx context.Context, page Page, cp *Checkpoint) error
}

// end is where a segment ends, about.
func (w *walk) end(s *segment) time.Time {
	if s.End.IsZero() {
		return w.to
	}
	return s.End
}

// left estimates how many records a window still holds.
func (w *walk) left(s *segment) float64 { return s.pace * w.end(s).Sub(s.Cursor).Seconds() }

// run reads all from a date on. to is about where the records end.
func (w *walk) run(ctx context.Context, from, to time.Time) error {
	w.to = to
	if len(w.segments) == 0 {
		if err := w.begin(ctx, from); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for range walkers {
		g.Go(func() error {
			for {
				s := w.take()
				if s == nil {
					return nil
				}
				if err := w.read(ctx, s); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// begin reads the first page, which tells where the records start, and cuts
// the rest into equal windows.
func (w *walk) begin(ctx context.Context, from time.Time) error {
	first := &segment{Cursor: from, seen: map[string]bool{}, busy: true}
	w.segments = []*segment{first}
	var newest time.Time
	var more bool
	g, both := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		newest, err = w.Remote.Newest(both, w.objectType, w.field)
		return err
	})
	g.Go(func() (err error) {
		more, err = w.page(both, first)
		return err
	})
	if err := g.Wait(); err != nil || !more {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	start := first.Cursor
	if newest.After(start) {
		w.to = newest
	}
	width := w.to.Sub(start) / walkers
	first.busy = false
	if width < time.Second || w.left(first) < worthSplitting {
		return nil
	}
	first.End = start.Add(width)
	edge := func(i int) time.Time { return start.Add(width * time.Duration(i)) }
	for i := 1; i < walkers; i++ {
		end := edge(i + 1)
		if i == walkers-1 {
			end = time.Time{}
		}
		w.segments = append(w.segments, &segment{Cursor: edge(i), End: end, seen: map[string]bool{}})
	}
	return nil
}

// take gives an idle segment, or half of the busy one with the most left.
func (w *walk) take() *segment {
	w.mu.Lock()
	defer w.mu.Unlock()
	var longest *segment
	for _, s := range w.segments {
		if s.Done {
			continue
		}
		if !s.busy {
			s.busy = true
			return s
		}
		if longest == nil || w.left(s) > w.left(longest) {
			longest = s
		}
	}
	if longest == nil || w.left(longest) < worthSplitting || w.end(longest).Sub(longest.Cursor) < 2*time.Second {
		return nil
	}
	middle := longest.Cursor.Add(w.end(longest).Sub(longest.Cursor) / 2)
	half := &segment{Cursor: middle, End: longest.End, busy: true, seen: map[string]bool{}}
	longest.End = middle
	w.segments = append(w.segments, half)
	return half
}

func (w *walk) read(ctx context.Context, s *segment) error {
	for {
		more, err := w.page(ctx, s)
		if err != nil || !more {
			return err
		}
	}
}

// page reads and applies one page and moves the segment's cursor with it.
func (w *walk) page(ctx context.Context, s *segment) (more bool, err error) {
	w.mu.Lock()
	window, skip := Window{From: s.Cursor, To: s.End}, s.seen
	w.mu.Unlock()
	p, err := w.Remote.Search(ctx, w.objectType, w.field, window, w.nested, skip)
	if err != nil {
		return false, err
	}
	last, seen := w.last(p, window.From, skip)
	w.mu.Lock()
	done := !p.Full || (!s.End.IsZero() && !last.Before(s.End)) || (len(p.Records) == 0 && len(p.Bad) == 0)
	cp := w.snapshot(s, last, done)
	w.mu.Unlock()
	if err := w.apply(ctx, p, cp); err != nil {
		return false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if span := last.Sub(w.first(p, last)).Seconds(); span > 0 {
		s.pace = float64(len(p.Records)) / span
	}
	s.Cursor, s.seen = last, seen
	// A neighbour may have taken half of this window meanwhile.
	s.Done = done || (!s.End.IsZero() && !last.Before(s.End))
	return !s.Done, nil
}

func (w *walk) at(r mapping.Remote) time.Time {
	if w.field == "date_created" {
		return r.Created
	}
	return r.Version
}

// first gives the smallest value of the page, or last for an empty one: where
// a window begins says nothing about where its records do.
func (w *walk) first(p Page, last time.Time) time.Time {
	first := last
	for _, r := range p.Records {
		if t := w.at(r); t.Before(first) {
			first = t
		}
	}
	return first
}

// last gives the greatest value of the page and the ids that have it.
func (w *walk) last(p Page, from time.Time, skip map[string]bool) (time.Time, map[string]bool) {
	last := from
	for _, r := range p.Records {
		if t := w.at(r); t.After(last) {
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
		if w.at(r).Equal(last) {
			seen[r.ID] = true
		}
	}
	return last, seen
}

// snapshot is the checkpoint of the whole walk as it will be once this page is
// stored. A snapshot that commits late only costs pages read twice.
func (w *walk) snapshot(s *segment, last time.Time, done bool) *Checkpoint {
	if w.stream == "" {
		return nil
	}
	var left []segment
	for _, other := range w.segments {
		switch {
		case other.Done || (other == s && done):
		case other == s:
			left = append(left, segment{Cursor: last, End: s.End})
		default:
			left = append(left, segment{Cursor: other.Cursor, End: other.End})
		}
	}
	return &Checkpoint{Stream: w.stream, Position: map[string]any{"segments": left}}
}

// resume takes up the segments that a checkpoint left.
func (w *walk) resume(cp Checkpoint) {
	raw, err := json.Marshal(cp.Position["segments"])
	if err != nil {
		return
	}
	var left []segment
	if json.Unmarshal(raw, &left) != nil {
		return
	}
	for _, s := range left {
		w.segments = append(w.segments, &segment{Cursor: s.Cursor, End: s.End, seen: map[string]bool{}})
	}
}
