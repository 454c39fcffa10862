package engine

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// worthCutting is how many records must be left in a window for another
	// walker to be worth the extra, mostly short, last page.
	worthCutting = 1000
	// narrowest is the least width of a window: an import makes many records at
	// one moment, which no cut takes apart.
	narrowest = 20 * time.Millisecond
)

// Each window beyond the first may cost one short page. A thousand records are
// five full pages; with the first cuts they take no more than six requests, three
// of the walk being for its beginning and the totals. Where records lie so
// unevenly that cuts miss, later ones may make it seven.
func firstCuts(records float64) int { return min(walkers-1, max(0, int(records/1000)-3)) }

func allCuts(records float64) int { return max(walkers, int(records/500)) }

// end is where a segment ends, about.
func (w *walk) end(s *segment) time.Time {
	if s.End.IsZero() {
		return w.to
	}
	return s.End
}

// begin reads the first page, which tells where the records start and how many
// there are, and cuts the rest into equal windows.
func (w *walk) begin(ctx context.Context, from time.Time, to chan<- *sheet) error {
	s := newSegment(from, time.Time{})
	w.segments = []*segment{s}
	var newest time.Time
	var page *sheet
	g, both := errgroup.WithContext(ctx)
	g.SetLimit(w.Workers)
	g.Go(guarded(func() (err error) {
		newest, err = w.Remote.Newest(both, w.objectType, w.field)
		return err
	}))
	g.Go(guarded(func() (err error) {
		page, err = w.next(both, s)
		return err
	}))
	if err := g.Wait(); err != nil {
		return err
	}
	w.cutEvenly(s, newest)
	select {
	case to <- page:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *walk) cutEvenly(s *segment, newest time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if newest.After(s.at) {
		w.to = newest
	}
	left, span := s.left, w.to.Sub(s.at)
	if left == 0 {
		left = s.pace * span.Seconds() // Close does not tell totals
	}
	n := firstCuts(left)
	width := span / time.Duration(n+1)
	if s.over || width < narrowest {
		return
	}
	w.budget = allCuts(left) - n
	for i := range n {
		s = w.cut(s, s.at.Add(width), left*float64(n-i)/float64(n+1))
	}
}

// cut ends a segment at a moment and makes another of the rest, which holds
// about so many records.
func (w *walk) cut(s *segment, at time.Time, rest float64) *segment {
	next := newSegment(at, s.End)
	next.left, next.pace = rest, s.pace
	s.End, s.left, s.judged = at, max(0, s.left-rest), false
	w.segments = append(w.segments, next)
	return next
}

// take gives a segment that nobody reads, or a part of the one with the most
// left. It waits while there may be one later; nil says that all is read.
func (w *walk) take(ctx context.Context) *segment {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ctx.Err() == nil {
		var most *segment
		reading := false
		for _, s := range w.segments {
			switch {
			case s.over:
			case !s.busy:
				s.busy = true
				return s
			default:
				reading = true
				if s.judged && (most == nil || s.left > most.left) {
					most = s
				}
			}
		}
		if !reading {
			return nil
		}
		if half := w.halve(most); half != nil {
			half.busy = true
			return half
		}
		w.changed.Wait()
	}
	return nil
}

// halve cuts a segment where about half of what is left begins; nil if that is
// not worth it.
func (w *walk) halve(s *segment) *segment {
	if s == nil || s.left < worthCutting || w.budget <= 0 {
		return nil
	}
	span := w.end(s).Sub(s.at)
	// At the pace of its last page it may be through long before its end: then
	// half of the time would be a window without records.
	if s.pace > 0 {
		span = min(span, time.Duration(s.left/s.pace*float64(time.Second)))
	}
	if span < 2*narrowest {
		return nil
	}
	w.budget--
	return w.cut(s, s.at.Add(span/2), s.left/2)
}

// estimate learns from a page how much its window still holds. asked is the
// window as it was when the page was asked for.
func (w *walk) estimate(s *segment, p Page, asked Window, last time.Time) {
	n := float64(len(p.Records))
	if span := last.Sub(w.first(p, last)).Seconds(); span > 0 {
		s.pace = n / span
	}
	switch {
	case !asked.To.Equal(s.End):
		s.left = max(0, s.left-n) // cut meanwhile
	case p.Total > 0:
		s.left, s.judged = max(0, float64(p.Total)-n), true
	case s.pace > 0:
		s.left, s.judged = s.pace*w.end(s).Sub(last).Seconds(), true
	}
}

// first gives the smallest date of the page, or last for an empty one: where
// a window begins says nothing about where its records do.
func (w *walk) first(p Page, last time.Time) time.Time {
	first := last
	for _, r := range p.Records {
		if t := w.date(r); t.Before(first) {
			first = t
		}
	}
	return first
}
