package closeapi

import (
	"context"
	"errors"
	"iter"
	"time"
)

// EventOverlap is how far behind its watermark a walk must look again: events
// become visible out of order and recent ones are rewritten.
// Source: developer.close.com/api/resources/event-log.
const EventOverlap = 5 * time.Minute

// EventWalk reads the log from its newest event back to a watermark.
type EventWalk struct {
	Options   EventOptions  // filters; Updated and Cursor are set by the walk
	Watermark time.Time     // everything up to here was processed; zero reads all 30 days
	Overlap   time.Duration // zero means [EventOverlap], negative none
}

// EventBatches walks page by page, newest first. Raise the stored watermark
// to the newest event's time only after the walk came to its end: what was
// not reached is older. Each batch's Through is the oldest time in it. The
// same event may come again in another walk, with another content.
// Source: developer.close.com/api/resources/event-log/list.
func (c *Client) EventBatches(ctx context.Context, w EventWalk) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		s := eventScan{options: w.Options, stop: w.stop(), seen: lately{}, visited: map[string]bool{}}
		s.options.Updated, s.options.Cursor = Span{}, ""
		for {
			p, err := c.Events(ctx, s.options)
			if errors.Is(err, ErrCursorExpired) && s.restart() {
				continue
			}
			if err != nil {
				yield(Batch{}, err)
				return
			}
			b, reached := s.take(p)
			if len(b.Records)+len(b.Rejected) > 0 && !yield(b, nil) {
				return
			}
			if reached || p.Next == "" {
				return
			}
			if !s.follow(p.Next) {
				yield(Batch{}, ErrNoProgress)
				return
			}
		}
	}
}

// EventRecords is [Client.EventBatches] event by event.
// Source: developer.close.com/api/resources/event-log/list.
func (c *Client) EventRecords(ctx context.Context, w EventWalk) iter.Seq2[Record, error] {
	return records(c.EventBatches(ctx, w))
}

// EventLog is [Client.EventRecords], decoded.
// Source: developer.close.com/api/resources/event-log/list.
func (c *Client) EventLog(ctx context.Context, w EventWalk) iter.Seq2[*Event, error] {
	return typedRecords[Event](c.EventRecords(ctx, w))
}

func (w EventWalk) stop() time.Time {
	if w.Watermark.IsZero() {
		return time.Time{}
	}
	overlap := w.Overlap
	if overlap == 0 {
		overlap = EventOverlap
	}
	return w.Watermark.Add(-max(overlap, 0))
}

// eventScan is one way down the log.
type eventScan struct {
	options EventOptions
	stop    time.Time
	seen    lately
	oldest  time.Time
	visited map[string]bool
	stuck   int
	deeper  bool // the last page had something new at or below the oldest
}

// lately remembers the events given last, by id with their date_updated. Pages
// overlap by little, and a log of a month would fill the memory.
type lately struct{ now, before map[string]time.Time }

// generation is how many events are remembered at least: many pages of 50.
const generation = 1000

// add reports whether the event was not given lately, and remembers it.
func (l *lately) add(id string, at time.Time) bool {
	for _, m := range []map[string]time.Time{l.now, l.before} {
		if given, ok := m[id]; ok && given.Equal(at) {
			return false
		}
	}
	if l.now == nil || len(l.now) >= generation {
		l.now, l.before = make(map[string]time.Time, generation), l.now
	}
	l.now[id] = at
	return true
}

// take drops what is older than the stop or was given before, and tells
// whether the stop was reached. An event rewritten during the walk has a
// newer time and is given again.
func (s *eventScan) take(p *EventPage) (Batch, bool) {
	b := Batch{Rejected: p.Rejected}
	reached := false
	before := s.oldest
	s.deeper = len(p.Rejected) > 0
	for _, raw := range p.Data {
		id, at, err := identify(raw, "date_updated")
		if err != nil {
			b.Rejected = append(b.Rejected, Rejected{Raw: raw, Err: err})
			s.deeper = true
			continue
		}
		if at.Before(s.stop) {
			reached = true
			continue
		}
		if s.oldest.IsZero() || at.Before(s.oldest) {
			s.oldest = at
		}
		if !s.seen.add(id, at) {
			continue
		}
		s.deeper = s.deeper || before.IsZero() || !at.After(before)
		b.Records = append(b.Records, Record{ID: id, At: at, Raw: raw})
	}
	b.Through = s.oldest
	return b, reached
}

// follow takes the next cursor unless the walk gets no deeper.
func (s *eventScan) follow(next string) bool {
	if s.deeper {
		s.stuck = 0
	} else {
		s.stuck++
	}
	if s.visited[next] || s.stuck >= 2*patience {
		return false
	}
	s.visited[next] = true
	s.options.Cursor = next
	// Close: repeat the other filters with a cursor, but not the date.
	s.options.Updated = Span{}
	return true
}

// restart goes on from the oldest event seen after a cursor died.
func (s *eventScan) restart() bool {
	if s.options.Cursor == "" || s.stuck >= patience {
		return false
	}
	s.stuck++
	s.options.Cursor = ""
	s.options.Updated = Span{To: s.oldest}
	s.visited = map[string]bool{}
	return true
}
