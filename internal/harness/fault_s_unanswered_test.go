package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
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
