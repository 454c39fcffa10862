package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// TestFault_C16_ARightLostForAMoment: what Postgres refuses for a reason that is
// not in the row is told, holds up nobody, and is tried again by itself.
func TestFault_C16_ARightLostForAMoment(t *testing.T) {
	w := world(t, nil)
	w.SQL(`CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE insufficient_privilege; END $$;
		CREATE TRIGGER no BEFORE UPDATE ON crm.leads FOR EACH ROW EXECUTE FUNCTION public.no()`)
	for _, id := range w.ids("lead") {
		w.edit(id, map[string]any{"description": "edited while there is no right"})
	}
	contact := w.ids("contact")[0]
	w.edit(contact, map[string]any{"title": "goes on"})
	w.Tail()
	require.Equal(t, "goes on", w.Get("SELECT title FROM crm.contacts WHERE close_id = $1", contact))
	require.Equal(t, "4", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error' AND last_error LIKE '%privilege%'"))
	idle, err := w.Store.Idle(t.Context())
	require.NoError(t, err)
	require.True(t, idle, "nobody waits for what is parked")

	w.SQL("DROP TRIGGER no ON crm.leads")
	w.due() // an hour later
	w.Equal()
	require.Empty(t, w.errorOf("state = 'error'"))
}

// TestFault_A31: a record that Close refuses to show for a while, likewise.
func TestFault_A31_ARecordThatMayNotBeReadForAWhile(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.Close.Fault(closetest.Fault{Method: "GET", Path: "/lead/" + id, Kind: closetest.FaultStatus, Status: 403, Times: 1, Body: `{"error":"Forbidden by a proxy."}`})
	w.SQL("UPDATE crm.leads SET description = 'kept' WHERE close_id = $1", id)
	w.Settle()
	require.Equal(t, "error", w.state("lead", id))
	w.due()
	require.Equal(t, "kept", w.field(id, "description"))
	w.Equal()
}

// TestFault_C17: what was changed before a table went is still known when it is
// back.
func TestFault_C17_HintsOfAMissingTableWait(t *testing.T) {
	w := world(t, nil)
	id := w.ids("opportunity")[0]
	w.SQL("UPDATE crm.opportunities SET note = 'before the deploy' WHERE close_id = $1", id)
	w.SQL("ALTER TABLE crm.opportunities RENAME TO aside")
	require.Error(t, w.Store.Refresh(t.Context()))
	w.Settle()
	some, err := w.Store.Hinted(t.Context())
	require.NoError(t, err)
	require.False(t, some, "no cycle is begun for it")
	w.SQL("ALTER TABLE crm.aside RENAME TO opportunities")
	require.NoError(t, w.Store.Refresh(t.Context()))
	w.Settle()
	require.Equal(t, "before the deploy", w.field(id, "note"))
	w.Equal()
}
