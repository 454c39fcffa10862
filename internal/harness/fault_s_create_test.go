package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// TestFault_S31_ACreateGoesWithoutARefusedField: the rest makes the record, and
// the field is parked and tried with the next edit.
func TestFault_S31_ACreateGoesWithoutARefusedField(t *testing.T) {
	w := world(t, nil)
	w.SQL(`INSERT INTO crm.contacts (lead_id, name, emails) VALUES (1, 'New', '[{"email":"not an address","type":"office"}]')`)
	w.all0()
	id := w.Get("SELECT close_id FROM crm.contacts WHERE name = 'New'")
	require.Equal(t, "New", w.field(id, "name"))
	require.Contains(t, w.errorOf("close_id = '"+id+"'"), "error invalid emails")
	require.Contains(t, w.Get("SELECT emails::text FROM crm.contacts WHERE close_id = $1", id), "not an address")
	before := w.writes()
	w.all0()
	w.markRow("contact", w.Get("SELECT id FROM crm.contacts WHERE close_id = $1", id))
	w.all0()
	require.Equal(t, before, w.writes())
	w.SQL(`UPDATE crm.contacts SET emails = '[{"email":"good@x.example","type":"office"}]' WHERE close_id = $1`, id)
	w.all()
	require.Equal(t, "synced", w.state("contact", id))
	require.Len(t, w.ids("contact"), 9)
	w.rest()
}

// all0 goes by every way of noticing.
func (w *World) all0() {
	w.T.Helper()
	w.Settle()
	w.Tail()
	w.Search()
	w.Audit()
}

func (w *World) markRow(objectType, key string) {
	w.T.Helper()
	require.NoError(w.T, w.Store.MarkRows(context.Background(), objectType, []string{key}))
}

// TestFault_S31_NothingIsCreatedOfWhatWasRefused: neither without the field by
// which a record is known, nor when Close names none, however often it is
// looked at; the next edit is tried.
func TestFault_S31_NothingIsCreatedOfWhatWasRefused(t *testing.T) {
	for name, body := range map[string]string{
		"its name":  `{"errors":[],"field-errors":{"name":"Not this one."}}`,
		"no field":  `{"error":"Not this one."}`,
		"a strange": `{"errors":[],"field-errors":{"what_is_this":"Not this one."}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world1(t, closetest.Options{Seed: 31, Leads: 2})
			fault := w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultStatus, Status: 400, Body: body, Times: 1})
			w.SQL("INSERT INTO crm.leads (id, name, description) VALUES (901, 'Bad', 'd')")
			w.all0()
			require.Equal(t, 1, w.Close.FaultFired(fault))
			require.Contains(t, w.errorOf("local_key = '901'"), "error invalid")
			require.Contains(t, w.errorOf("local_key = '901'"), "Not this one.")
			w.markRow("lead", "901")
			w.all0()
			w.Restart()
			w.all0()
			require.Len(t, w.ids("lead"), 2)
			require.Contains(t, w.errorOf("local_key = '901'"), "Not this one.")
			w.SQL("UPDATE crm.leads SET description = 'e' WHERE id = 901")
			w.all()
			require.Len(t, w.ids("lead"), 3)
			require.Equal(t, "e", w.field(w.Get("SELECT close_id FROM crm.leads WHERE id = 901"), "description"))
			w.rest()
		})
	}
}

// TestFault_S34_AUserWhoLeftHoldsUpNobody: the owner is parked on an update and
// on a create, the rest goes on.
func TestFault_S34_AUserWhoLeftHoldsUpNobody(t *testing.T) {
	w := world(t, nil)
	id := w.ids("opportunity")[0]
	w.SQL("UPDATE crm.opportunities SET user_id = 'user_gone', note = 'goes on' WHERE close_id = $1", id)
	w.SQL("INSERT INTO crm.opportunities (lead_id, user_id, note) VALUES (1, 'user_gone', 'new')")
	w.SQL("UPDATE crm.leads SET name = 'other' WHERE id = 2")
	w.all0()
	require.Equal(t, "goes on", w.field(id, "note"))
	require.Equal(t, "other", w.field(w.Get("SELECT close_id FROM crm.leads WHERE id = 2"), "name"))
	require.Contains(t, w.errorOf("close_id = '"+id+"'"), "error invalid user_id")
	made := w.Get("SELECT close_id FROM crm.opportunities WHERE note = 'new'")
	require.Equal(t, "new", w.field(made, "note"))
	require.Contains(t, w.errorOf("close_id = '"+made+"'"), "user_id")
	require.Equal(t, "user_gone user_gone", w.Get("SELECT string_agg(user_id, ' ') FROM crm.opportunities WHERE close_id IN ($1, $2)", id, made))
	before := w.writes()
	w.all0()
	require.Equal(t, before, w.writes())
	// Whom to give it to is told by an edit.
	user := w.Get("SELECT close_id FROM crm.users ORDER BY close_id LIMIT 1")
	w.SQL("UPDATE crm.opportunities SET user_id = $1 WHERE user_id = 'user_gone'", user)
	w.all()
	require.Empty(t, w.errorOf("state = 'error'"))
	w.rest()
}

// TestFault_A36_ACreateBelowALeadThatIsGone: Close answers 404. The lead is
// looked at, and what it takes along is in the journal.
func TestFault_A36_ACreateBelowALeadThatIsGone(t *testing.T) {
	w := world(t, nil)
	lead := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Delete(lead))
	w.SQL("DELETE FROM closesync.checkpoints WHERE stream = 'events'") // no event tells of it
	w.SQL("INSERT INTO crm.contacts (lead_id, name) VALUES (1, 'Late')")
	w.Settle()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.leads WHERE id = 1"))
	require.NotEmpty(t, w.Get("SELECT string_agg(old_value::text, ',') FROM closesync.journal WHERE object_type = 'contact' AND old_value::text LIKE '%Late%'"))
	require.Len(t, w.ids("lead"), 3)
}

// TestFault_A36_ACreateThatIsMissingForNoReason is parked in the end.
func TestFault_A36_ACreateThatIsMissingForNoReason(t *testing.T) {
	w := world(t, nil)
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/contact/", Kind: closetest.FaultStatus, Status: 404, Body: `{"error":"Not found."}`})
	w.SQL("INSERT INTO crm.contacts (lead_id, name) VALUES (1, 'Late')")
	w.due()
	require.Contains(t, w.errorOf("object_type = 'contact' AND close_id IS NULL"), "error missing Not found.")
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"))
	w.Close.ClearFaults()
	w.SQL("UPDATE crm.contacts SET title = 't' WHERE name = 'Late'")
	w.all()
	w.rest()
}
