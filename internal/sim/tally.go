package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Tally adds up the results of many scenarios, from several lanes.
type Tally struct {
	mu                         sync.Mutex
	began                      time.Time
	scenarios, steps, points   int
	twice, violations, crashes int
	faults, points1            map[string]int
	reached                    reached
}

// NewTally starts the clock.
func NewTally() *Tally {
	return &Tally{began: time.Now(), faults: map[string]int{}, points1: map[string]int{}, reached: reached{}}
}

// Add takes in a scenario's result.
func (t *Tally) Add(sc Scenario, r Result, twice bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.scenarios++
	t.steps += len(sc.Steps)
	t.points += r.Points
	t.violations += len(r.Broken)
	if twice {
		t.twice++
	}
	for kind, n := range r.Faults {
		t.faults[kind] += n
	}
	for name, n := range r.Reached {
		t.reached[name] += n
	}
	for point, n := range r.Crashes {
		t.crashes += n
		t.points1[point] += n
	}
}

// Violations is how many there were so far.
func (t *Tally) Violations() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.violations
}

// Missing names what should have happened in so many scenarios and did not.
func (t *Tally) Missing() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reached.missing(t.scenarios)
}

// String is the summary.
func (t *Tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	spent := time.Since(t.began)
	var b strings.Builder
	fmt.Fprintf(&b, "%d scenarios, %d steps, %d yield points in %s: %.1f scenarios/s; %d run twice with the same trace\n",
		t.scenarios, t.steps, t.points, spent.Round(time.Second), float64(t.scenarios)/spent.Seconds(), t.twice)
	fmt.Fprintf(&b, "crashes: %d, at %d different points\nfaults injected:", t.crashes, len(t.points1))
	for _, kind := range slices.Sorted(maps.Keys(t.faults)) {
		fmt.Fprintf(&b, " %s %d", kind, t.faults[kind])
	}
	fmt.Fprintf(&b, "\nviolations: %d\nwhat must happen:%s", t.violations, t.reached.table())
	return b.String()
}
