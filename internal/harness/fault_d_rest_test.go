package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

func TestFault_D10_WhatWaitsForAPersonDoesNotSpin(t *testing.T) {
	t.Parallel()
	o := Options{Close: closetest.Options{Seed: 4101, Leads: 6}, Objects: []mapping.ObjectConfig{{Type: "lead", Conflict: "manual"}}}
	o.Guards.MaxDeletes = 1
	w := New(t, o)
	w.Load()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	w.SQL("UPDATE crm.leads SET name = 'here' WHERE id = 1")
	w.SQL("DELETE FROM crm.leads WHERE id IN (4, 5, 6)")
	require.NoError(t, w.Close.Update(id, map[string]any{"name": "there"}))
	w.Tail()
	require.Equal(t, "conflict", w.Get("SELECT state FROM closesync.record_status WHERE close_id = $1", id))
	require.Equal(t, "3", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'held' AND object_type = 'lead'"))
	w.Settle()
	w.Close.ResetRequests()
	for range 3 {
		w.Settle()
	}
	require.Empty(t, w.Close.Requests(), "nothing is asked or sent until somebody decides")
	require.Len(t, w.Close.List("lead"), 6)
}
