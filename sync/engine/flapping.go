package engine

import (
	"sync"
	"time"
)

// A field that automations toggle on both sides would cost a write a second
// for ever (faults S39, S40). After flapLimit updates of a record within
// flapWindow, further ones wait and fold into one.
const (
	flapLimit  = 10
	flapWindow = time.Minute
	flapKept   = 10_000 // records remembered before old ones are forgotten
)

// flapping remembers when each record was last updated in Close by us.
type flapping struct {
	mu   sync.Mutex
	sent map[int64][]time.Time
}

// wait says how long the next update of a record must wait; 0 lets it pass and
// counts it.
func (f *flapping) wait(record int64, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sent == nil || len(f.sent) > flapKept {
		f.sent = map[int64][]time.Time{}
	}
	recent := f.sent[record]
	for len(recent) > 0 && now.Sub(recent[0]) >= flapWindow {
		recent = recent[1:]
	}
	if len(recent) >= flapLimit {
		f.sent[record] = recent
		return flapWindow - now.Sub(recent[0])
	}
	f.sent[record] = append(recent, now)
	return 0
}
