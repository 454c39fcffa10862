package harness

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

func keyID(w *World) string { id, _, _ := strings.Cut(w.Close.Key(), "."); return id }

func TestFault_A20_RepeatedRowsAreHarmless(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 120, Leads: 250}})
	w.Close.Fault(closetest.Fault{Path: "/data/search/", Kind: closetest.FaultRepeatRows})
	w.Load()
	w.Close.ClearFaults()
	w.Equal()
}

func TestFault_A21_RecordsMoveWhilePagesAreRead(t *testing.T) {
	t.Parallel()
	clock := closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: closetest.Options{Seed: 121, Leads: 300, Clock: clock}})
	leads := w.Close.List("lead")
	w.Close.Fault(closetest.Fault{Path: "/data/search/", Kind: closetest.FaultDelay, Delay: 5 * time.Millisecond})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, lead := range leads {
			clock.Advance(time.Millisecond)
			_ = w.Close.Update(lead["id"].(string), map[string]any{"description": "moved while read"})
		}
	}()
	w.Load()
	<-done
	clock.Advance(time.Second)
	w.Tail()
	w.Equal()
}

func TestFault_A26_EmptyPageThatPromisesMore(t *testing.T) {
	w := rested(t, 126, 5)
	w.Close.Fault(closetest.Fault{Path: "/data/search/", Kind: closetest.FaultEmptyPage})
	ctx, cancel := context.WithTimeout(context.Background(), waitLong)
	defer cancel()
	_ = w.Engine.SearchChanged(ctx, "lead")
	require.NoError(t, ctx.Err(), "the walk ends")
	require.Less(t, len(w.Close.Requests()), 50)
	require.Equal(t, "5", w.Get("SELECT count(*) FROM crm.leads"))
	w.Close.ClearFaults()
	w.Search()
	w.Equal()
}

func TestFault_A27_ALaggingIndexDeletesNothing(t *testing.T) {
	t.Parallel()
	clock := closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: closetest.Options{Seed: 127, Leads: 5, Clock: clock, IndexLag: 20 * time.Minute}})
	clock.Advance(time.Hour)
	w.Load()
	w.SQL("INSERT INTO crm.leads (name) VALUES ('not in the index yet')")
	w.Settle()
	clock.Advance(time.Minute) // what changed since a compare began is left out of it
	w.Audit()
	w.Search()
	require.Equal(t, "6", w.Get("SELECT count(*) FROM crm.leads"))
	clock.Advance(time.Hour)
	w.Tail()
	w.Search()
	w.Audit()
	w.Equal()
	require.Len(t, w.Close.List("lead"), 6)
}

func TestFault_A28_AnOlderReadingIsNotApplied(t *testing.T) {
	w := rested(t, 128, 2)
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Update(id, map[string]any{"name": "one"}))
	w.Tail()
	require.NoError(t, w.Close.Update(id, map[string]any{"name": "two"}))
	w.Tail()
	w.Close.Fault(closetest.Fault{Method: http.MethodGet, Path: "/lead/", Kind: closetest.FaultStale, Times: 1})
	require.NoError(t, w.Store.Mark(context.Background(), "lead", []string{id}, engine.Cause{}, 0))
	_, err := w.Engine.Cycle(context.Background())
	require.NoError(t, err)
	require.Equal(t, "two", w.Get("SELECT name FROM crm.leads WHERE id = 1"))
	w.Settle()
	w.Equal()
	require.Empty(t, w.changing())
}

func TestFault_A29_ManyChangesAtOneInstant(t *testing.T) {
	t.Parallel()
	clock := closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: closetest.Options{Seed: 129, Leads: 10, Clock: clock}})
	w.Load()
	for round := range 3 {
		for _, lead := range w.Close.List("lead") {
			require.NoError(t, w.Close.Update(lead["id"].(string), map[string]any{"description": strings.Repeat("x", round+1)}))
			w.Search()
		}
	}
	w.Tail()
	w.Equal()
}

func TestFault_A30_ClocksApartByHours(t *testing.T) {
	t.Parallel()
	for name, apart := range map[string]time.Duration{"ahead": 7 * time.Hour, "behind": -7 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := New(t, Options{Close: closetest.Options{Seed: 130, Leads: 5, Now: func() time.Time { return time.Now().Add(apart) }}})
			w.Load()
			require.NoError(t, w.Close.Update(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), map[string]any{"name": "by search"}))
			w.Search()
			w.Equal()
			require.NoError(t, w.Close.Update(w.Get("SELECT close_id FROM crm.leads WHERE id = 2"), map[string]any{"name": "by event"}))
			w.Tail()
			w.Equal()
			w.SQL("UPDATE crm.leads SET name = 'from here' WHERE id = 3")
			w.Settle()
			w.Equal()
		})
	}
}

func TestFault_A32_AMonthAsleep(t *testing.T) {
	t.Parallel()
	clock := closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: closetest.Options{Seed: 132, Leads: 6, Clock: clock}})
	w.Load()
	clock.Advance(time.Hour)
	leads := w.Close.List("lead")
	require.NoError(t, w.Close.Delete(leads[0]["id"].(string)))
	require.NoError(t, w.Close.Update(leads[1]["id"].(string), map[string]any{"name": "long ago"}))
	_, err := w.Close.Create("lead", map[string]any{"name": "also long ago"})
	require.NoError(t, err)
	clock.Advance(31 * 24 * time.Hour)
	_, gap, err := w.Engine.Tail(context.Background())
	require.NoError(t, err)
	require.True(t, gap, "the log no longer reaches back")
	w.Audit()
	w.Equal()
	require.Len(t, w.Close.List("lead"), 6)
}

func TestFault_A33_ARevokedKeyCostsNoAttempt(t *testing.T) {
	w := rested(t, 133, 5)
	w.SQL("UPDATE crm.leads SET name = name || ' edited'")
	w.SQL("INSERT INTO crm.leads (name) VALUES ('new')")
	w.Close.RevokeKey(keyID(w), true)
	for range 3 {
		_, _ = w.Engine.Run(context.Background())
		w.SQL("UPDATE closesync.dirty SET not_before = '-infinity'")
	}
	require.Equal(t, "0", w.Get("SELECT coalesce(sum(attempts), 0) FROM closesync.dirty"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
	require.Equal(t, "6", w.Get("SELECT count(*) FROM closesync.dirty"))
	w.Close.RevokeKey(keyID(w), false)
	w.Settle()
	w.Equal()
	require.Len(t, w.Close.List("lead"), 6)
}

func TestFault_A36_NotFoundHasThreeMeanings(t *testing.T) {
	w := rested(t, 136, 6)
	id := func(n string) string { return w.Get("SELECT close_id FROM crm.leads WHERE id = " + n) }
	deleted, merged, into := id("1"), id("2"), id("3")
	w.SQL("UPDATE crm.leads SET description = 'edited here' WHERE id IN (1, 2)")
	require.NoError(t, w.Close.Delete(deleted))
	require.NoError(t, w.Close.Merge(merged, into))
	w.Settle()
	w.Tail()
	require.Equal(t, "deleted", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", deleted))
	require.Equal(t, into, w.Get("SELECT alias_of FROM closesync.records WHERE close_id = $1", merged))
	require.Contains(t, w.Get("SELECT string_agg(old_value::text, '') FROM closesync.journal WHERE close_id = $1", deleted), "edited here", "promise 2")
	w.Audit()
	w.Equal()
}

// What goes between our reading and our write is only met by the write.
func TestFault_A36_NotFoundByTheWriteHasThreeMeanings(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 1361, Leads: 5}, HideAll: true})
	w.Load()
	ids := w.ids("lead")
	meanwhile := func(id string, happens func() error) {
		w.Engine.Remote = &racing{w.Remote, func() { require.NoError(t, happens()) }}
		w.SQL("UPDATE crm.leads SET description = 'edited here' WHERE close_id = $1", id)
		w.Settle()
		w.Tail()
	}
	meanwhile(ids[0], func() error { return w.Close.Hide(ids[0], true) })
	require.Equal(t, "hidden", w.state("lead", ids[0]))
	require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads WHERE close_id = $1", ids[0]))
	meanwhile(ids[1], func() error { return w.Close.Delete(ids[1]) })
	require.Equal(t, "deleted", w.state("lead", ids[1]))
	meanwhile(ids[2], func() error { return w.Close.Merge(ids[2], ids[3]) })
	require.Equal(t, ids[3], w.Get("SELECT alias_of FROM closesync.records WHERE close_id = $1", ids[2]))
	require.NoError(t, w.Close.Hide(ids[0], false))
	w.Audit()
	require.Equal(t, "edited here", w.field(ids[0], "description"))
	w.Equal()
}

func TestFault_A36_HiddenIsNotDeleted(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 1360, Leads: 4}, HideAll: true})
	w.Load()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Hide(id, true))
	w.SQL("UPDATE crm.leads SET name = 'edited while hidden' WHERE id = 1")
	w.Settle()
	require.Equal(t, "hidden", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", id))
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads"))
	require.NoError(t, w.Close.Hide(id, false))
	w.Audit()
	w.Equal()
}
