package engine

import (
	"time"

	"closesync/mapping"
)

// Close promises no order of its deliveries, and those that are under way
// together are stored as they get through. An event that came before the one
// that it follows waits for it a moment, instead of having its record read at
// once: under load such readings would slow down what they wait for.

// gapPatience is how long an event may wait for the one before it. Deliveries
// that are under way together are stored within some tens of milliseconds of
// each other; what is not here after this long is lost, or on its way again in
// some minutes, and the record is read.
const gapPatience = 100 * time.Millisecond

// heard is an event in hand, and how long it has been here.
type heard struct {
	mapping.Event
	age time.Duration
}

// untilClosed is how much longer early events may wait; 0 for no longer. An edit
// made here waits for none.
func untilClosed(early []heard, c *Claim) time.Duration {
	if len(early) == 0 || !c.LocalAt.IsZero() {
		return 0
	}
	left := gapPatience
	for _, ev := range early {
		left = min(left, gapPatience-ev.age)
	}
	return max(0, left)
}
