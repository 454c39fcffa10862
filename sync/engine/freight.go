package engine

import (
	"context"
	"sync"
)

const (
	// fullPage is how many records a page holds at most.
	fullPage = 200
	// leastPage is how few are asked for at the least.
	leastPage = 5
	// maxFreight is how many bytes of pages a walk holds at most, as Close sent
	// them, from when a page is asked for until it is stored. In memory a page is
	// several times that: its text, what was decoded, what is being written.
	maxFreight = 16 << 20
	// pageBytes is what a page shall hold at most, so that all which are read and
	// stored at once have room beside each other. An ordinary one is half of it.
	pageBytes = maxFreight / 8
)

// freight bounds what a walk holds in memory, however large the records of Close
// are: that it learns from the pages that came. The zero value is ready.
type freight struct {
	mu      sync.Mutex
	changed *sync.Cond
	asked   int     // pages under way
	held    int     // bytes of pages, those expected included
	known   bool    // a record was seen
	record  float64 // bytes of one
}

func (f *freight) cond() *sync.Cond {
	if f.changed == nil {
		f.changed = sync.NewCond(&f.mu)
	}
	return f.changed
}

// admit waits until there is room for another page, or ctx ends, and says how
// many records it may hold, 0 for any number, and how many bytes are expected of
// it. While nothing is known, one page alone is under way.
func (f *freight) admit(ctx context.Context) (most, expected int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ctx.Err() == nil {
		most, expected = f.size()
		if f.held == 0 && f.asked == 0 || f.known && f.held+expected <= maxFreight {
			break
		}
		f.cond().Wait()
	}
	f.asked++
	f.held += expected
	return most, expected
}

func (f *freight) size() (most, expected int) {
	if f.record == 0 {
		return 0, 0
	}
	most = min(max(int(pageBytes/f.record), leastPage), fullPage)
	return most, int(float64(most) * f.record)
}

// arrived puts what a page holds in the place of what was expected of it. The
// size of records follows larger pages at once, and smaller ones by half: a large
// one among them may be followed by another. The rest at the end of a window
// says little.
func (f *freight) arrived(p Page, expected int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked--
	f.held += p.Bytes - expected
	if n := len(p.Records); n > 0 && (p.Full || !f.known) {
		mean := float64(p.Bytes) / float64(n)
		f.record, f.known = max(mean, (f.record+mean)/2), true
	}
	f.cond().Broadcast()
}

func (f *freight) stored(bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held -= bytes
	f.cond().Broadcast()
}

func (f *freight) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cond().Broadcast()
}
