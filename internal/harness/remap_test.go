package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// What happened to an object while it was switched off is found when it is
// switched on again: deletes and edits on both sides.
func TestRemap_AnObjectSwitchedOffAndOn(t *testing.T) {
	w := world(t, nil)
	off := false
	w.remap([]config{{Type: "contact", Enabled: &off}})
	with := w.Get("SELECT min(contact_id) FROM crm.opportunities")
	w.SQL("DELETE FROM crm.contacts WHERE id = $1::bigint", with)
	w.SQL("UPDATE crm.contacts SET title = 'edited while off' WHERE id = (SELECT max(id) FROM crm.contacts)")
	w.SQL("INSERT INTO crm.contacts (lead_id, name) SELECT min(id), 'Born while off' FROM crm.leads")
	gone := w.ids("contact")[len(w.ids("contact"))-2]
	require.NoError(t, w.Close.Delete(gone))
	w.Settle()
	w.Tail()
	w.remap(nil)
	require.Contains(t, w.overdue(never), "contact")
	w.all()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.contacts WHERE close_id = $1", gone))
	w.rest()
}

// Under to_close Close fills fields that the row leaves empty. When both sides
// may edit them from then on, the row takes them: nobody emptied them.
func TestRemap_ToCloseBecomesBoth(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 7, Leads: 4}, Objects: []config{{Type: "opportunity", Direction: "to_close"}}})
	w.Load()
	w.SQL("INSERT INTO crm.opportunities (lead_id, note) SELECT min(id), 'made under to_close' FROM crm.leads")
	w.Settle()
	told := w.Get("SELECT count(*) FROM closesync.conflicts")
	w.remap(nil)
	require.Equal(t, []string{"opportunity"}, w.overdue(never))
	w.all()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM crm.opportunities WHERE status_id IS NULL OR value_period IS NULL OR confidence IS NULL"))
	require.Equal(t, told, w.Get("SELECT count(*) FROM closesync.conflicts"))
	w.rest()
}

// What was inserted while nothing went to Close goes once it may.
func TestRemap_FromCloseBecomesBoth(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 7, Leads: 4}, Objects: []config{{Type: "contact", Direction: "from_close"}}})
	w.Load()
	w.SQL("INSERT INTO crm.contacts (lead_id, name) SELECT min(id), 'made under from_close' FROM crm.leads")
	w.Settle()
	require.Zero(t, w.writes())
	w.remap(nil)
	w.all()
	require.Equal(t, 1, w.writes())
	w.rest()
}
