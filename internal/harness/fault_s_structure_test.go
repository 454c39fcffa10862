package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

func TestFault_S8_ContactMovedOnEitherSide(t *testing.T) {
	w := world(t, nil)
	leads, contacts := w.ids("lead"), w.ids("contact")
	link := w.Get("SELECT id FROM crm.contacts WHERE close_id = $1", contacts[0])
	w.edit(contacts[0], map[string]any{"lead_id": leads[3]})
	w.SQL("UPDATE crm.contacts SET lead_id = (SELECT id FROM crm.leads WHERE close_id = $2) WHERE close_id = $1", contacts[1], leads[2])
	w.all()
	require.Equal(t, link, w.Get("SELECT id FROM crm.contacts WHERE close_id = $1", contacts[0]))
	require.Equal(t, leads[2], w.field(contacts[1], "lead_id"))
	require.Len(t, w.ids("contact"), len(contacts))
	require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.journal WHERE close_id = $1 AND action = 'move' AND direction = 'from_close'", contacts[0]))
	w.rest()
}

func TestFault_S8_RefusedMoveIsPutBack(t *testing.T) {
	w := world(t, func(o *Options) { o.Close.RefuseContactMove = true })
	leads, id := w.ids("lead"), w.ids("contact")[0]
	home := w.field(id, "lead_id")
	w.SQL("UPDATE crm.contacts SET lead_id = (SELECT id FROM crm.leads WHERE close_id = $2), title = 'rest goes on' WHERE close_id = $1", id, leads[3])
	w.all()
	require.Equal(t, home, w.field(id, "lead_id"))
	require.Equal(t, "rest goes on", w.field(id, "title"))
	require.NotEmpty(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id))
	w.rest()
}

func TestFault_S9_MergeMovesChildrenAndKeepsLostEdits(t *testing.T) {
	w := world(t, nil)
	leads := w.ids("lead")
	a, b := leads[0], leads[1]
	kept := w.Get("SELECT string_agg(c.id::text, ',' ORDER BY c.id) FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id WHERE l.close_id = $1", a)
	w.SQL("UPDATE crm.leads SET description = 'queued on the merged lead' WHERE close_id = $1", a)
	w.SQL(`INSERT INTO crm.contacts (lead_id, name) SELECT id, 'New child' FROM crm.leads WHERE close_id = $1`, a)
	require.NoError(t, w.Close.Merge(a, b))
	w.Close.ResetRequests()
	w.all()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.leads WHERE close_id = $1", a))
	require.Equal(t, kept, w.Get("SELECT string_agg(c.id::text, ',' ORDER BY c.id) FROM crm.contacts c WHERE c.id = ANY (string_to_array($1, ',')::bigint[])", kept))
	require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.contacts c JOIN crm.leads l ON l.id = c.lead_id WHERE l.close_id = $1 AND c.name = 'New child'", b))
	require.NotEmpty(t, w.Get("SELECT old_value FROM closesync.journal WHERE close_id = $1 AND action = 'merge' AND old_value::text LIKE '%queued on the merged lead%'", a))
	require.Equal(t, b, w.Get("SELECT alias_of FROM closesync.records WHERE close_id = $1", a))
	w.rest()
}

func TestFault_S9_MergeSeenWhileTargetIsUnknown(t *testing.T) {
	w := world(t, nil)
	a := w.ids("lead")[0]
	b, err := w.Close.Create("lead", map[string]any{"name": "Not here yet"})
	require.NoError(t, err)
	require.NoError(t, w.Close.Merge(a, b))
	w.all()
	w.rest()
}

func TestFault_S10_MergeChainThenDelete(t *testing.T) {
	for _, atOnce := range []bool{true, false} {
		w := world1(t, closetest.Options{Seed: 8, Leads: 4})
		leads := w.ids("lead")
		step := func() {
			if !atOnce {
				w.Tail()
			}
		}
		require.NoError(t, w.Close.Merge(leads[0], leads[1]))
		step()
		require.NoError(t, w.Close.Merge(leads[1], leads[2]))
		w.all()
		require.Equal(t, "2", w.Get("SELECT count(*) FROM crm.leads"))
		require.Equal(t, "8", w.Get("SELECT count(*) FROM crm.contacts"))
		require.NoError(t, w.Close.Delete(leads[2]))
		w.all()
		require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads"))
		w.rest()
	}
}

func TestFault_S11_LeadWithChildrenDeleted(t *testing.T) {
	w := world(t, nil)
	leads := w.ids("lead")
	require.NoError(t, w.Close.Delete(leads[0]))
	w.SQL("DELETE FROM crm.leads WHERE close_id = $1", leads[1])
	w.all()
	require.Len(t, w.ids("lead"), 2)
	require.Len(t, w.ids("contact"), 4)
	require.Empty(t, w.Get("SELECT string_agg(object_type || state, ',') FROM closesync.record_status WHERE state NOT IN ('synced', 'deleted')"))
	require.Equal(t, "4", w.Get("SELECT count(*) FROM closesync.records WHERE object_type = 'contact' AND state = 'deleted'"))
	w.rest()
}

func TestFault_S12_ChildWaitsForItsParent(t *testing.T) {
	w := world(t, nil)
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultStatus, Status: 429, Times: 2,
		Header: map[string]string{"RateLimit": "limit=10, remaining=0, reset=0.1", "Retry-After": "0.1"}})
	w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Parent') RETURNING id)
		INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Kid' FROM l`)
	w.all()
	for _, r := range w.Close.Requests() {
		if r.Method == "POST" && r.Path == "/api/v1/contact/" {
			require.Contains(t, r.Body, "lead_id")
		}
	}
	require.Len(t, w.ids("lead"), 5)
	require.Len(t, w.ids("contact"), 9)
	w.rest()
}

func TestFault_S13_ParentRefusedHoldsOnlyItsChildren(t *testing.T) {
	w := world(t, nil)
	name := w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultStatus, Status: 400,
		Body: `{"errors":[],"field-errors":{"name":"No such name allowed."}}`})
	w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Bad') RETURNING id)
		INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Kid' FROM l`)
	w.SQL("UPDATE crm.leads SET name = 'Fine' WHERE id = 1")
	w.Settle()
	require.Positive(t, w.Close.FaultFired(name))
	require.Equal(t, "error name: No such name allowed.", w.Get("SELECT state || ' ' || last_error FROM closesync.record_status WHERE object_type = 'lead' AND close_id IS NULL"))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE object_type = 'contact' AND close_id IS NULL"), "parent")
	require.Equal(t, "Fine", w.field(w.Get("SELECT close_id FROM crm.leads WHERE id = 1"), "name"))
	w.Close.ClearFaults()
	w.SQL("UPDATE crm.leads SET name = 'Good' WHERE name = 'Bad'")
	w.due()
	w.all()
	require.Len(t, w.ids("contact"), 9)
	w.rest()
}
func TestFault_S11_NewChildOfALeadDeletedInClose(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.SQL("INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Orphan' FROM crm.leads WHERE close_id = $1", id)
	require.NoError(t, w.Close.Delete(id))
	w.all()
	require.Len(t, w.ids("lead"), 3)
	require.NotEmpty(t, w.Get("SELECT string_agg(old_value::text, ',') FROM closesync.journal WHERE object_type = 'contact' AND old_value::text LIKE '%Orphan%'"),
		"an insert lost with its lead is in the journal")
	w.rest()
}
