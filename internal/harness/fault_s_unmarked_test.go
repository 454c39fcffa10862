package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
	"closesync/sync/closetest"
)

// TestFault_S25_StatusRenamed: rows hold ids, and the label is read again.
func TestFault_S25_ARenamedStatusIsTheSameStatus(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	status, _ := w.Close.Get(id)
	require.NoError(t, w.Close.RenameStatus(status["status_id"].(string), "Fresh"))
	require.NoError(t, w.Engine.Reference(t.Context()))
	w.all()
	require.Equal(t, "Fresh", w.Get(`SELECT s.label FROM crm.leads l JOIN crm.lead_statuses s ON s.close_id = l.status_id WHERE l.close_id = $1`, id))
	require.Zero(t, w.writes())
	require.Equal(t, status["status_id"], w.Get("SELECT status_id FROM crm.leads WHERE close_id = $1", id))
	require.Equal(t, "Fresh", w.Get("SELECT status_label FROM crm.leads WHERE close_id = $1", id))
}

// TestFault_S18: contacts and opportunities of one lead that nothing tells
// apart, whose create was cut: what is found is taken when it is the only one,
// and left to a person when there are two.
func TestFault_S18_ACreateWithoutAMarkerIsNotGuessed(t *testing.T) {
	t.Parallel()
	t.Run("one", func(t *testing.T) { unmarked(t, false) })
	t.Run("two", func(t *testing.T) { unmarked(t, true) })
}

func unmarked(t *testing.T, twins bool) {
	w := world(t, nil)
	lead := w.ids("lead")[0]
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/contact/", Kind: closetest.FaultCutAfter, Times: 1})
	w.SQL("INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Same Name' FROM crm.leads WHERE close_id = $1", lead)
	_, err := w.Engine.Run(t.Context())
	require.NoError(t, err)
	if twins { // by the same key: the event log does not tell them apart
		_, err := w.Client.CreateRaw(t.Context(), "contact", closeapi.Changes{"lead_id": lead, "name": "Same Name"})
		require.NoError(t, err)
	}
	for range 3 {
		w.due()
		w.Tail()
		w.Settle()
	}
	made := 0
	for _, c := range w.Close.List("contact") {
		if c["name"] == "Same Name" {
			made++
		}
	}
	state := w.Get("SELECT s.state FROM closesync.record_status s JOIN crm.contacts c ON c.id::text = s.local_key WHERE s.object_type = 'contact' AND c.name = 'Same Name' ORDER BY c.id LIMIT 1")
	if twins {
		require.Equal(t, 2, made, "no third one is made")
		require.Equal(t, "error", state)
		return
	}
	require.Equal(t, 1, made)
	require.Equal(t, "synced", state)
	w.Equal()
}

// TestFault_S33: what Close removes by itself is kept here when the mapping says
// so, is no delete of a user's and is not made again.
func TestFault_S33_WhatCloseRemovesByItselfIsKept(t *testing.T) {
	w := world(t, func(o *Options) {
		o.Objects = objects("opportunity", func(c *config) { c.OnCloseDelete = "detach" })
	})
	id := w.ids("opportunity")[0]
	there := len(w.ids("opportunity"))
	row := w.Get("SELECT id FROM crm.opportunities WHERE close_id = $1", id)
	require.NoError(t, w.Close.Delete(id))
	w.Tail()
	w.SQL("UPDATE crm.opportunities SET note = 'kept, and edited' WHERE id = $1::bigint", row)
	w.due()
	w.Settle()
	w.Audit()
	w.Settle()
	require.Equal(t, "kept, and edited", w.Get("SELECT note FROM crm.opportunities WHERE id = $1::bigint AND close_id IS NULL", row))
	require.Len(t, w.ids("opportunity"), there-1, "it is not made again")
	require.Equal(t, "deleted", w.state("opportunity", id))
	require.Zero(t, w.writes())
}
