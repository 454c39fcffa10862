package harness

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFault_S1_OnlyWhatChangedIsSent(t *testing.T) {
	w := world(t, nil)
	w.Close.ResetRequests()
	w.SQL("UPDATE crm.leads SET description = 'changed' WHERE close_id = $1", w.ids("lead")[0])
	w.SQL("UPDATE crm.contacts SET title = 'changed' WHERE close_id = $1", w.ids("contact")[0])
	w.Settle()
	var sent []string
	for _, r := range w.Close.Requests() {
		if r.Method == http.MethodPut {
			sent = append(sent, r.Body)
		}
	}
	require.ElementsMatch(t, []string{`{"description":"changed"}`, `{"title":"changed"}`}, sent)
}

func TestFault_S1_DifferentFieldsBothSurvive(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.SQL("UPDATE crm.leads SET description = 'from here' WHERE close_id = $1", id)
	w.edit(id, map[string]any{"name": "From Close"})
	w.all()
	require.Equal(t, "from here", w.field(id, "description"))
	require.Equal(t, "From Close", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", id))
	require.Empty(t, w.conflict(id, "field"))
	w.rest()
}

func TestFault_S2_SameFieldByPolicy(t *testing.T) {
	for _, tc := range []struct{ policy, want, winner, loser string }{
		{"close", "Theirs", "close", "local_value"},
		{"local", "Ours", "local", "close_value"},
	} {
		t.Run(tc.policy, func(t *testing.T) {
			w := world(t, func(o *Options) { o.Objects = objects("lead", func(c *config) { c.Conflict = tc.policy }) })
			id := w.ids("lead")[0]
			w.SQL("UPDATE crm.leads SET name = 'Ours' WHERE close_id = $1", id)
			w.edit(id, map[string]any{"name": "Theirs"})
			w.all()
			require.Equal(t, tc.want, w.field(id, "name"))
			require.Equal(t, "name", w.conflict(id, "field"))
			require.Equal(t, tc.winner, w.conflict(id, "winner"))
			require.Equal(t, "resolved", w.conflict(id, "status"))
			require.NotContains(t, w.conflict(id, tc.loser+"::text"), tc.want)
			require.NotEmpty(t, w.conflict(id, tc.loser+"::text"))
			w.rest()
		})
	}
}

func TestFault_S2_NewestWins(t *testing.T) {
	for _, localLast := range []bool{true, false} {
		w := New(t, Options{Objects: objects("lead", func(c *config) { c.Conflict = "newest" })})
		id, err := w.Close.Create("lead", map[string]any{"name": "Start"})
		require.NoError(t, err)
		w.Load()
		here := func() { w.SQL("UPDATE crm.leads SET name = 'Ours' WHERE close_id = $1", id) }
		there := func() { w.edit(id, map[string]any{"name": "Theirs"}) }
		want := "Theirs"
		if localLast {
			there()
			w.SQL("SELECT pg_sleep(0.02)")
			here()
			want = "Ours"
		} else {
			here()
			w.SQL("SELECT pg_sleep(0.02)")
			there()
		}
		w.all()
		require.Equal(t, want, w.field(id, "name"))
		w.rest()
	}
}

func TestFault_S2_ManualWaitsForAChoice(t *testing.T) {
	for choice, want := range map[string]string{`{"take":"close"}`: "Theirs", `{"take":"local"}`: "Ours", `{"value":"Third"}`: "Third"} {
		t.Run(want, func(t *testing.T) {
			w := world(t, func(o *Options) { o.Objects = objects("lead", func(c *config) { c.Conflict = "manual" }) })
			id := w.ids("lead")[0]
			w.SQL("UPDATE crm.leads SET name = 'Ours' WHERE close_id = $1", id)
			w.edit(id, map[string]any{"name": "Theirs", "description": "goes on"})
			w.Settle()
			w.Tail()
			w.Audit()
			require.Equal(t, "conflict", w.state("lead", id))
			require.Equal(t, "open", w.conflict(id, "status"))
			require.Equal(t, "Theirs", w.field(id, "name"))
			require.Equal(t, "Ours goes on", w.Get("SELECT name || ' ' || description FROM crm.leads WHERE close_id = $1", id))
			w.resolve(w.conflict(id, "id::text"), choice)
			w.all()
			require.Equal(t, want, w.field(id, "name"))
			require.Equal(t, "synced", w.state("lead", id))
			require.NotContains(t, w.conflict(id, "status"), "open")
			w.rest()
		})
	}
}

func TestFault_S3_SameEditIsNoConflict(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.SQL("UPDATE crm.leads SET name = 'Same' WHERE close_id = $1", id)
	w.edit(id, map[string]any{"name": "Same"})
	before := w.writes()
	w.all()
	require.Equal(t, before, w.writes())
	require.Empty(t, w.conflict(id, "field"))
}

func TestFault_S4_EditMeetsDelete(t *testing.T) {
	for name, tc := range map[string]struct{ deletedHere, editFirst bool }{
		"edit here, then delete in Close": {false, true},
		"delete in Close, then edit here": {false, false},
		"edit in Close, then delete here": {true, true},
		"delete here, then edit in Close": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t, nil)
			id := w.ids("contact")[0]
			del := func() { require.NoError(t, w.Close.Delete(id)) }
			edit := func() { w.SQL("UPDATE crm.contacts SET title = 'kept words' WHERE close_id = $1", id) }
			if tc.deletedHere {
				del = func() { w.SQL("DELETE FROM crm.contacts WHERE close_id = $1", id) }
				edit = func() { w.edit(id, map[string]any{"title": "kept words"}) }
			}
			if tc.editFirst {
				edit()
				del()
			} else {
				del()
				edit()
			}
			w.all()
			rows := w.Get("SELECT count(*) FROM crm.contacts WHERE close_id = $1", id)
			if tc.deletedHere {
				require.Equal(t, "1", rows, "an edit in Close outlives a delete here")
				require.Equal(t, "kept words", w.Get("SELECT title FROM crm.contacts WHERE close_id = $1", id))
			} else {
				require.Equal(t, "0", rows)
				require.NotEmpty(t, w.Get("SELECT count(*) FROM closesync.journal WHERE close_id = $1 AND old_value::text LIKE '%kept words%' HAVING count(*) > 0", id))
			}
			w.rest()
		})
	}
}

func TestFault_S5_DeletedOnBothSides(t *testing.T) {
	for _, objectType := range []string{"contact", "lead"} {
		t.Run(objectType, func(t *testing.T) {
			w := world(t, nil)
			id := w.ids(objectType)[0]
			w.SQL("DELETE FROM crm."+objectType+"s WHERE close_id = $1", id)
			require.NoError(t, w.Close.Delete(id))
			w.all()
			require.Equal(t, "deleted", w.state(objectType, id))
			require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.records WHERE close_id = $1", id))
			require.Empty(t, w.Get("SELECT string_agg(close_id, ',') FROM closesync.record_status WHERE state NOT IN ('synced', 'deleted')"))
			w.rest()
		})
	}
}

func TestFault_S38_UndoWithinASecond(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	old := w.field(id, "name")
	w.SQL("UPDATE crm.leads SET name = 'B' WHERE close_id = $1", id)
	w.SQL("UPDATE crm.leads SET name = $2 WHERE close_id = $1", id, old)
	before := w.writes()
	w.Settle()
	require.Equal(t, before, w.writes())
	w.SQL("UPDATE crm.leads SET name = 'B' WHERE close_id = $1", id)
	w.Settle()
	w.SQL("UPDATE crm.leads SET name = $2 WHERE close_id = $1", id, old)
	w.all()
	require.Equal(t, old, w.field(id, "name"))
	require.Equal(t, before+2, w.writes())
	w.rest()
}
