package harness

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// More records are due than Close's limit lets be read within one claim: what
// was read is sent, and the rest is read later.
func TestFault_A1_MoreIsDueThanTheLimitAllowsWithinAClaim(t *testing.T) {
	t.Parallel()
	const rows = 20
	w := New(t, Options{Close: closetest.Options{Seed: 5, Leads: rows}, Engine: func(o *engine.Options) { o.Lease = 2 * time.Second }})
	w.Load()
	w.Close.SetLimits(closetest.Limits{Key: 5, Window: time.Second})
	since := len(w.Close.Requests())
	w.SQL("UPDATE crm.leads SET description = 'edited here'")
	require.Eventually(t, func() bool {
		// What the limit puts off is an error of the run, and due again.
		_, _ = w.Engine.Run(context.Background())
		return w.Get("SELECT count(*) FROM closesync.dirty") == "0"
	}, time.Minute, 50*time.Millisecond)
	w.Equal()
	reads := 0
	for _, r := range w.Close.Requests()[since:] {
		if r.Method == http.MethodGet {
			reads++
		}
	}
	require.Less(t, reads, 2*rows, "nearly all that is read must be sent")
}
