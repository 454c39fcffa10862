package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

const flood = 1000 // leads of a bulk edit: four cycles of records

// flooded is a world in which a bulk edit of Close is known and not worked off.
func flooded(t *testing.T, seed uint64) *World {
	t.Helper()
	w := New(t, Options{Close: closetest.Options{Seed: seed, Leads: flood}})
	w.Load()
	w.Close.ResetRequests()
	for _, text := range []string{"once", "twice", "for good"} {
		n, err := w.Close.BulkEdit(nil, map[string]any{"description": text})
		require.NoError(t, err)
		require.Equal(t, flood, n)
	}
	_, _, err := w.Engine.Tail(t.Context())
	require.NoError(t, err)
	require.Equal(t, "3000", w.Get("SELECT count(*) FROM closesync.inbox WHERE object_type = 'lead'"))
	return w
}

// oneCycle works on one claim's worth of records.
func (w *World) oneCycle() {
	w.T.Helper()
	_, _, err := w.Store.Absorb(w.T.Context(), 2000)
	require.NoError(w.T, err)
	_, err = w.Engine.Cycle(w.T.Context())
	require.NoError(w.T, err)
}

func TestFault_A40_ABulkEditIsCoalescedByRecord(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := flooded(t, 140)
	require.Equal(t, "1000", w.Get("SELECT count(*) FROM closesync.dirty"), "a record has one mark, however many events")
	w.Settle()
	require.Equal(t, "1000", w.Get("SELECT count(*) FROM closesync.journal WHERE field = 'description'"), "and is written once")
	require.Less(t, len(w.Close.Requests()), flood/5, "without a call a record")
	require.Zero(t, w.writes())
	w.Equal()
}

func TestFault_A40_EditsOfPeopleDoNotWaitBehindIt(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := flooded(t, 1401)
	contact, opportunity := w.ids("contact")[7], w.ids("opportunity")[9]
	w.SQL("UPDATE crm.contacts SET title = 'by a person here' WHERE close_id = $1", contact)
	w.edit(opportunity, map[string]any{"note": "by a person in Close"})
	_, _, err := w.Engine.Tail(t.Context())
	require.NoError(t, err)
	w.oneCycle()
	require.Equal(t, "by a person here", w.field(contact, "title"))
	require.Equal(t, "by a person in Close", w.Get("SELECT note FROM crm.opportunities WHERE close_id = $1", opportunity))
	require.GreaterOrEqual(t, w.Get("SELECT count(*) FROM closesync.dirty"), "700", "while the flood waits")
	w.Settle()
	w.Equal()
}

// A flood that is no bulk edit, as after an outage, or one of edits made here,
// leaves the other side its share too.
func TestFault_A40_EachSideHasItsShare(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 1402, Leads: flood}})
	w.Load()
	for _, id := range w.ids("lead") {
		w.edit(id, map[string]any{"description": "by a program in Close"})
	}
	_, _, err := w.Engine.Tail(t.Context())
	require.NoError(t, err)
	contact := w.ids("contact")[7]
	w.SQL("UPDATE crm.contacts SET title = 'by a person here' WHERE close_id = $1", contact)
	w.oneCycle()
	w.oneCycle()
	require.Equal(t, "by a person here", w.field(contact, "title"))
	w.Settle()

	w.SQL("UPDATE crm.leads SET description = 'by a program here'")
	for range flood / 250 {
		_, _, err := w.Store.Absorb(t.Context(), 2000)
		require.NoError(t, err)
	}
	w.edit(contact, map[string]any{"title": "by a person in Close"})
	_, _, err = w.Engine.Tail(t.Context())
	require.NoError(t, err)
	w.oneCycle()
	w.oneCycle()
	require.Equal(t, "by a person in Close", w.Get("SELECT title FROM crm.contacts WHERE close_id = $1", contact))
	w.Settle()
	w.Equal()
}
