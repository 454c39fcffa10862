package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/engine"
)

// A delivery may overtake the one before it. What it tells is taken in without
// reading the record if that one follows soon, and the record is read once if
// it does not.

// overtaken is a world with a lead that was renamed in Close, and the events
// that tell so, oldest first. The database's clock stands until it is moved.
type overtaken struct {
	*World
	lead   string
	events []engine.Event
	now    time.Time
}

func overtake(t *testing.T, seed uint64, renames int) *overtaken {
	t.Helper()
	w := &overtaken{World: rested(t, seed, 1), now: time.Now().UTC()}
	w.lead = w.Close.List("lead")[0]["id"].(string)
	for i := range renames {
		require.NoError(t, w.Close.Update(w.lead, map[string]any{"name": fmt.Sprintf("Name %d", i+1)}))
	}
	_, err := w.Remote.Events(context.Background(), time.Time{}, func(page []engine.Event) error {
		for _, ev := range page {
			if ev.ObjectID == w.lead && ev.Action == "updated" {
				w.events = append(w.events, ev)
			}
		}
		return nil
	})
	require.NoError(t, err)
	slices.Reverse(w.events)
	require.Len(t, w.events, renames)
	w.pass(0)
	w.Close.ResetRequests()
	return w
}

// pass moves the database's clock.
func (w *overtaken) pass(d time.Duration) {
	w.now = w.now.Add(d)
	w.SQL(`CREATE OR REPLACE FUNCTION closesync.clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
		RETURN timestamptz '` + w.now.Format(time.RFC3339Nano) + `'`)
}

// deliver stores an event and works off what is due.
func (w *overtaken) deliver(n int) {
	w.T.Helper()
	fresh, err := w.Store.Accept(context.Background(), "webhook", w.events[n-1:n])
	require.NoError(w.T, err)
	require.Equal(w.T, 1, fresh)
	w.run()
}

// run works off what is due, and what that makes due at once.
func (w *overtaken) run() {
	w.T.Helper()
	for range 2 {
		_, err := w.Engine.Run(context.Background())
		require.NoError(w.T, err)
		w.pass(time.Microsecond)
	}
}

// takeOver puts a new worker in the place of a killed one, as a start does.
func (w *overtaken) takeOver() {
	w.T.Helper()
	w.inherit()
	require.NoError(w.T, w.Engine.Reference(context.Background()))
}

// readings counts how often the record was read.
func (w *overtaken) readings() int {
	n := 0
	for _, r := range w.Close.Requests() {
		if strings.HasSuffix(r.Path, "/lead/"+w.lead+"/") {
			n++
		}
	}
	return n
}

// waits demands that the record's mark is there and not due, but soon.
func (w *overtaken) waits() {
	w.T.Helper()
	wait, due, err := w.Store.NextDue(context.Background())
	require.NoError(w.T, err)
	require.True(w.T, due)
	require.Positive(w.T, wait)
	require.LessOrEqual(w.T, wait, 100*time.Millisecond)
}

func (w *overtaken) settled(readings int) {
	w.T.Helper()
	require.Equal(w.T, readings, w.readings())
	require.Equal(w.T, "0", w.Get("SELECT count(*) FROM closesync.dirty"))
	w.Equal()
}

func TestFault_B3_AnEarlyEventWaitsForTheOneBefore(t *testing.T) {
	for name, order := range map[string][]int{"swapped": {2, 1}, "backwards": {4, 3, 2, 1}, "mixed": {1, 3, 4, 2}} {
		t.Run(name, func(t *testing.T) {
			w := overtake(t, 31, len(order))
			for _, n := range order[:len(order)-1] {
				w.deliver(n)
				w.pass(20 * time.Millisecond)
			}
			w.waits()
			w.deliver(order[len(order)-1])
			w.settled(0)
		})
	}
}

func TestFault_B3_ALostEventCostsOneReading(t *testing.T) {
	for name, restart := range map[string]bool{"the worker lives": false, "it is killed while the event waits": true} {
		t.Run(name, func(t *testing.T) {
			w := overtake(t, 32, 2)
			w.deliver(2)
			w.waits()
			if restart {
				w.takeOver()
			}
			w.run()
			require.Zero(t, w.readings(), "it is not due yet")
			w.pass(100 * time.Millisecond)
			w.run()
			w.settled(1)
		})
	}
}

// The one that was killed had the record claimed: the next one does not begin
// to wait anew.
func TestFault_B3_KilledWithAnEarlyEventInHand(t *testing.T) {
	w := overtake(t, 33, 2)
	_, err := w.Store.Accept(context.Background(), "webhook", w.events[1:])
	require.NoError(t, err)
	claims, err := w.Store.Claim(context.Background(), 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	w.pass(100 * time.Millisecond)
	w.takeOver()
	w.run()
	w.settled(1)
}

// However many come that do not close the gap, the first of them waits no
// longer.
func TestFault_B3_EarlyEventsDoNotProlongTheirWait(t *testing.T) {
	w := overtake(t, 34, 4)
	for n := 4; n > 1; n-- {
		w.deliver(n)
		require.Zero(t, w.readings())
		w.waits()
		w.pass(33 * time.Millisecond)
	}
	w.pass(time.Millisecond)
	w.run()
	w.settled(1)
}

// An edit made here is not kept waiting by what is missing of Close.
func TestFault_B3_AnEditDoesNotWaitWithAnEarlyEvent(t *testing.T) {
	w := overtake(t, 35, 2)
	w.deliver(2)
	w.waits()
	w.SQL("UPDATE crm.leads SET description = 'edited here' WHERE close_id = $1", w.lead)
	w.run()
	require.Equal(t, "edited here", w.field(w.lead, "description"))
	w.Equal()
}
