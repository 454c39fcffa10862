package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// A search shows what a write without an answer did, before any cycle has
// looked. The edit that took it back here meanwhile is no older than that.
func TestFault_S19_ASearchShowsWhatAWriteWithoutAnAnswerDid(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	before := w.Get("SELECT coalesce(description, '') FROM crm.leads WHERE close_id = $1", id)
	w.Close.Fault(closetest.Fault{Method: "PUT", Path: "/lead/", Kind: closetest.FaultCutAfter, Times: 1})
	w.describe(id, "Sent, and not answered")
	_, err := w.Engine.Run(context.Background())
	require.NoError(t, err)
	w.describe(id, before)
	w.Search()
	require.Equal(t, before, w.Get("SELECT coalesce(description, '') FROM crm.leads WHERE close_id = $1", id))
	w.all()
	require.Equal(t, before, w.field(id, "description"))
	require.Empty(t, w.conflict(id, "field"))
	w.rest()
}

// To wait for the effect of a create is no try that failed: if its row is in use
// at the moment that it is found, it is not put off as after many of those.
func TestFault_S16_WaitingForAnEffectIsNoFailure(t *testing.T) {
	w := world(t, func(o *Options) { o.Engine = func(e *engine.Options) { e.Settle = time.Hour } })
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/contact/", Kind: closetest.FaultCut, Times: 1})
	w.SQL("INSERT INTO crm.contacts (lead_id, name) SELECT min(id), 'Awaited' FROM crm.leads")
	for range 5 {
		_, err := w.Engine.Run(context.Background())
		require.NoError(t, err)
		w.SQL("UPDATE closesync.dirty SET not_before = '-infinity'")
	}
	require.Equal(t, "unknown", w.Get("SELECT state FROM closesync.intents WHERE action = 'create' AND state IN ('open', 'unknown')"))
	require.LessOrEqual(t, w.Get("SELECT max(attempts) FROM closesync.dirty"), "1")
}
