package harness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// lagging is an organization whose log and index show things late.
func lagging(t *testing.T, o closetest.Options) (*World, *closetest.Clock) {
	t.Helper()
	t.Parallel()
	o.Clock = closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: o})
	o.Clock.Advance(time.Hour)
	return w, o.Clock
}

// The watermark is beyond an event that the log does not show yet.
func TestFault_A27_AnOlderEventAppearsAfterANewerOne(t *testing.T) {
	w, clock := lagging(t, closetest.Options{Seed: 1271, Leads: 3, EventLag: 4 * time.Minute})
	w.Load()
	for i, lead := range w.Close.List("lead") {
		require.NoError(t, w.Close.Update(lead["id"].(string), map[string]any{"description": fmt.Sprint("edit ", i)}))
		clock.Advance(20 * time.Second)
		w.Tail()
	}
	clock.Advance(4 * time.Minute)
	w.Tail()
	w.Equal()
}

// The first load reads what the index does not know to be old, and the search
// after it begins at a moment when the index knows it.
func TestFault_A27_AnEditBeforeTheLoadIsIndexedAfterIt(t *testing.T) {
	w, clock := lagging(t, closetest.Options{Seed: 1272, Leads: 2, IndexLag: 10 * time.Minute})
	for _, lead := range w.Close.List("lead") {
		require.NoError(t, w.Close.Update(lead["id"].(string), map[string]any{"description": "edited"}))
	}
	clock.Advance(5 * time.Minute)
	w.Load()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.leads WHERE description = 'edited'"), "the index does not show it yet")
	clock.Advance(10 * time.Minute)
	w.Search()
	w.Equal()
}
