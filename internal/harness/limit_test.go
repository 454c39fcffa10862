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

// A write that Close's limit keeps waiting for longer than its claim lasts is no
// failure of the record: nothing is parked and no try is counted.
func TestFault_A1_AWriteBeyondTheLimitIsNoFailure(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 51, Leads: 3}, Engine: func(o *engine.Options) { o.Lease = time.Second }})
	w.Load()
	w.Close.SetLimits(closetest.Limits{Groups: map[string]int{"PUT lead": 1}, Window: 2 * time.Second})
	w.SQL("UPDATE crm.leads SET description = 'edited here'")
	_, _ = w.Engine.Run(context.Background())
	require.Equal(t, "2", w.Get("SELECT count(*) FROM closesync.record_status WHERE object_type = 'lead' AND state = 'pending' AND attempts = 0"))
	w.Close.SetLimits(closetest.Limits{})
	require.Eventually(t, func() bool {
		_, _ = w.Engine.Run(context.Background())
		return w.Get("SELECT count(*) FROM closesync.dirty") == "0"
	}, time.Minute, 50*time.Millisecond)
	w.Equal()
}

// Creates go on for longer than a claim lasts: none is cut, so that none has to
// be looked for.
func TestFault_D5_NoWriteIsCutByTheEndOfItsClaim(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 5, Leads: 1}, Engine: func(o *engine.Options) { o.Lease = 3 * time.Second }})
	w.Load()
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultDelay, Delay: 400 * time.Millisecond})
	w.SQL("INSERT INTO crm.leads (name) SELECT 'n ' || i FROM generate_series(1, 80) i")
	w.Settle()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.intents WHERE state = 'unknown' OR error LIKE '%lost%'"))
	w.Equal()
}
