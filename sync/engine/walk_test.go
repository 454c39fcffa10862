package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
)

const (
	answerTakes = 200 * time.Millisecond
	storeTakes  = 50 * time.Millisecond
	pageSize    = 200
)

// history is Close as a walk sees it: records in the order of their dates.
type history struct {
	Remote
	dates    []time.Time
	untold   bool // no totals
	mu       sync.Mutex
	requests int
}

func newHistory(dates []time.Time) *history {
	slices.SortFunc(dates, time.Time.Compare)
	return &history{dates: dates}
}

func (h *history) asked() {
	time.Sleep(answerTakes)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
}

func (h *history) Newest(context.Context, string, string) (time.Time, error) {
	h.asked()
	return h.dates[len(h.dates)-1], nil
}

func (h *history) from(t time.Time) int {
	i, _ := slices.BinarySearchFunc(h.dates, t, time.Time.Compare)
	return i
}

// Search gives a page as package remote does: more than one if the first ends
// at the moment at which it begins.
func (h *history) Search(_ context.Context, _, _ string, w Window, _ bool, skip map[string]bool) (Page, error) {
	i, end := h.from(w.From), len(h.dates)
	if !w.To.IsZero() {
		end = h.from(w.To)
	}
	p := Page{Total: end - i}
	if h.untold {
		p.Total = 0
	}
	for first := i; ; {
		h.asked()
		to := min(i+pageSize, end)
		if w.Most > 0 {
			to = min(to, i+w.Most)
		}
		for ; i < to; i++ {
			if id := fmt.Sprint(i); !skip[id] {
				p.Records = append(p.Records, mapping.Remote{Type: "lead", ID: id, Created: h.dates[i]})
			}
		}
		p.Full = i < end
		if !p.Full || !h.dates[i-1].Equal(h.dates[first]) {
			return p, nil
		}
	}
}

// loaded is Postgres as a walk sees it.
type loaded struct {
	mu    sync.Mutex
	times map[string]int // stored how often
	cp    Checkpoint
	fails int // pages until a crash; -1 for none
}

var errCrash = errors.New("crash")

func (l *loaded) apply(_ context.Context, p Page, cp *Checkpoint) error {
	time.Sleep(time.Duration(rand.Int64N(int64(2 * storeTakes))))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails == 0 {
		return errCrash
	}
	l.fails--
	for _, r := range p.Records {
		l.times[r.ID]++
	}
	l.cp = *cp
	return nil
}

func (l *loaded) walk(ctx context.Context, h *history) error {
	return l.walking(h).run(ctx, time.Time{}, today)
}

func (l *loaded) walking(h Remote) *walk {
	w := &walk{Engine: &Engine{Options: Options{Remote: h, Workers: 8}}, objectType: "lead", field: "date_created", stream: "load", apply: l.apply}
	w.resume(l.cp)
	return w
}

var today = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// evenly gives n dates of a span before today.
func evenly(n int, span time.Duration) []time.Time {
	dates := make([]time.Time, n)
	for i := range dates {
		dates[i] = today.Add(-span + span/time.Duration(n)*time.Duration(i)).Truncate(time.Millisecond)
	}
	return dates
}

func shifted(dates []time.Time, by time.Duration) []time.Time {
	for i := range dates {
		dates[i] = dates[i].Add(by)
	}
	return dates
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

var histories = map[string]struct {
	dates    []time.Time
	untold   bool
	requests int // at most, with one for the newest
	takes    time.Duration
}{
	"even":                         {evenly(10_000, 3*year), false, 58, 2200 * time.Millisecond},
	"even, totals not told":        {evenly(10_000, 3*year), true, 58, 2200 * time.Millisecond},
	"few":                          {evenly(1000, year), false, 7, 1500 * time.Millisecond},
	"all within minutes, long ago": {shifted(evenly(10_000, 30*time.Minute), -2*year), false, 59, 2500 * time.Millisecond},
	"nine of ten in one week": {append(evenly(1000, 5*year), shifted(evenly(9000, 7*day), -3*year)...),
		false, 70, 4 * time.Second},
	"nine of ten in the last week": {append(evenly(1000, 5*year), evenly(9000, 7*day)...), false, 70, 4 * time.Second},
	"nine of ten in the first week": {append(evenly(1000, 5*year), shifted(evenly(9000, 7*day), -5*year+7*day)...),
		false, 70, 4 * time.Second},
	"five imports of a second each": {slices.Concat(evenly(2500, 3*year), shifted(evenly(1500, time.Second), -100*day),
		shifted(evenly(1500, time.Second), -200*day), shifted(evenly(1500, time.Second), -400*day),
		shifted(evenly(1500, time.Second), -600*day), shifted(evenly(1500, time.Second), -900*day)), false, 70, 4 * time.Second},
	"a thousand at one moment": {append(evenly(9000, 3*year), slices.Repeat([]time.Time{today.Add(-year)}, 1000)...),
		false, 62, 3 * time.Second},
}

// However unevenly the records lie, a load takes few more requests than full
// pages would, and several windows are read at once.
func TestWalk_UnevenHistories(t *testing.T) {
	for name, c := range histories {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, l := newHistory(c.dates), &loaded{times: map[string]int{}, fails: -1}
				h.untold = c.untold
				started := time.Now()
				require.NoError(t, l.walk(t.Context(), h))
				took := time.Since(started)
				require.Len(t, l.times, len(c.dates))
				t.Logf("%d records, %d requests, %s", len(c.dates), h.requests, took)
				require.LessOrEqual(t, h.requests, c.requests)
				require.LessOrEqual(t, took, c.takes)
			})
		})
	}
}

// A crash at any page costs at most the pages in flight: what the last
// checkpoint covers is stored.
func TestWalk_GoesOnAfterACrash(t *testing.T) {
	for name, c := range histories {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, l := newHistory(c.dates), &loaded{times: map[string]int{}}
				crashes := 0
				for {
					l.fails = rand.IntN(12)
					err := l.walk(t.Context(), h)
					if err == nil {
						break
					}
					require.ErrorIs(t, err, errCrash)
					crashes++
				}
				require.Len(t, l.times, len(c.dates), "after %d crashes", crashes)
				twice := 0
				for _, n := range l.times {
					twice += n - 1
				}
				require.LessOrEqual(t, twice, crashes*(walkers+storers)*pageSize)
			})
		})
	}
}
