package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFault_C35_WhatIsOldGoes: events, writes and runs, but nothing that is
// still needed, and nothing comes twice for it.
func TestFault_C35_WhatIsOldGoes(t *testing.T) {
	w := world(t, nil)
	ctx := context.Background()
	id := w.ids("lead")[0]
	w.edit(id, map[string]any{"name": "there"})
	w.SQL("INSERT INTO crm.leads (name) VALUES ('here')")
	w.all()
	w.SQL("UPDATE crm.leads SET description = 'here' WHERE name = 'here'")
	w.all()
	w.SQL("UPDATE closesync.inbox SET received_at = received_at - interval '32 days'")
	w.SQL("UPDATE closesync.intents SET created_at = created_at - interval '32 days'")
	w.SQL("UPDATE closesync.run_log SET started_at = started_at - interval '91 days'")
	// One event still waits, one create has no answer, one row is not linked.
	w.SQL("INSERT INTO closesync.dirty (record_id, connection, events, not_before) SELECT id, connection, ARRAY (SELECT min(id) FROM closesync.inbox), 'infinity' FROM closesync.records WHERE close_id = $1", id)
	w.SQL("INSERT INTO closesync.intents (connection, record_id, object_type, action, state, created_at) SELECT connection, id, object_type, 'create', 'unknown', now() - interval '32 days' FROM closesync.records WHERE close_id = $1", id)
	journal := w.Get("SELECT count(*) FROM closesync.journal")
	for {
		n, err := w.Store.Expire(ctx, 1)
		require.NoError(t, err)
		if n == 0 {
			break
		}
		require.LessOrEqual(t, n, int64(3), "a batch is bounded")
	}
	require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.inbox"))
	require.Equal(t, "unknown", w.Get("SELECT string_agg(state, ',') FROM closesync.intents"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.runs"))
	require.Equal(t, journal, w.Get("SELECT count(*) FROM closesync.journal"))
	w.SQL("DELETE FROM closesync.intents")
	w.SQL("UPDATE closesync.dirty SET not_before = '-infinity'")
	w.all()
	w.rest()

	n, err := w.Store.Expire(ctx, 100)
	require.NoError(t, err)
	require.Equal(t, int64(1), n, "the event that waited")

	// What is young stays.
	w.edit(id, map[string]any{"name": "there again"})
	w.Tail()
	n, err = w.Store.Expire(ctx, 100)
	require.NoError(t, err)
	require.Zero(t, n)
}
