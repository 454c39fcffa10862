package engine

import (
	"context"
	"slices"
)

const (
	// gatherBytes is how much of the event log is held before it is stored: what
	// happened in a minute at a usual pace, or some thousand events.
	gatherBytes = 4 << 20
	// gatherStored is how many of them are stored, and so become due, at once.
	gatherStored = 250
)

// gathered are events of the log, which gives the newest first. They are stored
// from the oldest on: stored before those that it follows, an event would have
// its record read. fresh counts those that were not known.
type gathered struct {
	events []Event
	bytes  int
	fresh  int
}

// take adds a page, and stores what is held when that is much.
func (g *gathered) take(ctx context.Context, local Local, page []Event) error {
	g.events = append(g.events, page...)
	for i := range page {
		g.bytes += len(page[i].Body)
	}
	if g.bytes < gatherBytes {
		return nil
	}
	return g.store(ctx, local)
}

// store keeps what is held. What it fails to keep is for the next walk, whose
// watermark has not moved.
func (g *gathered) store(ctx context.Context, local Local) error {
	events := g.events
	g.events, g.bytes = nil, 0
	slices.Reverse(events)
	for part := range slices.Chunk(events, gatherStored) {
		n, err := local.Accept(ctx, "event_log", part)
		g.fresh += n
		if err != nil {
			return err
		}
	}
	return nil
}
