package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// during runs the engine and does something here while its write is under way.
func (w *World) during(action string, then func()) {
	w.T.Helper()
	done := make(chan error, 1)
	go func() { _, err := w.Engine.Run(context.Background()); done <- err }()
	require.Eventually(w.T, func() bool {
		return w.Get("SELECT count(*) FROM closesync.intents WHERE state = 'open' AND action = $1", action) != "0"
	}, time.Minute, 10*time.Millisecond)
	then()
	require.NoError(w.T, <-done)
	w.Settle()
}

func TestFault_C29_AKeyIsUsedAgainWhileItsDeleteIsOnItsWay(t *testing.T) {
	for name, fault := range map[string]closetest.Fault{
		"answered": {Kind: closetest.FaultDelay, Delay: 1500 * time.Millisecond},
		"lost":     {Kind: closetest.FaultHangAfter, Delay: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := rested(t, 81, 3)
			old := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
			fault.Method, fault.Path = "DELETE", "/lead/"
			w.Close.Fault(fault)
			w.SQL("DELETE FROM crm.leads WHERE id = 1")
			w.during("delete", func() { w.SQL("INSERT INTO crm.leads (id, name) VALUES (1, 'new under the old key')") })
			require.NotEmpty(t, w.Get("SELECT close_id FROM crm.leads WHERE name = 'new under the old key'"))
			require.NotEqual(t, old, w.Get("SELECT close_id FROM crm.leads WHERE id = 1"))
			require.Len(t, w.Close.List("lead"), 3)
			w.Equal()
		})
	}
}

func TestFault_C29_AChildsKeyIsUsedAgainWhileItsParentIsDeleted(t *testing.T) {
	w := rested(t, 81, 3)
	w.Close.Fault(closetest.Fault{Method: "DELETE", Path: "/lead/", Kind: closetest.FaultDelay, Delay: 1500 * time.Millisecond})
	contact := w.Get("SELECT min(id) FROM crm.contacts")
	lead := w.Get("SELECT lead_id FROM crm.contacts WHERE id = $1::bigint", contact)
	w.SQL("DELETE FROM crm.leads WHERE id = $1", lead)
	w.during("delete", func() {
		w.SQL("INSERT INTO crm.contacts (id, name, lead_id) SELECT $1::bigint, 'new under the old key', min(id) FROM crm.leads", contact)
		_, _, err := w.Store.Absorb(context.Background(), 100)
		require.NoError(w.T, err)
	})
	require.NotEmpty(t, w.Get("SELECT close_id FROM crm.contacts WHERE name = 'new under the old key'"))
	w.Equal()
}

func TestFault_S4_ARowDeletedWhileItsCreateIsOnItsWayStaysDeleted(t *testing.T) {
	w := rested(t, 82, 3)
	w.Close.Fault(closetest.Fault{Method: "POST", Path: "/lead/", Kind: closetest.FaultDelay, Delay: 1500 * time.Millisecond})
	w.SQL("INSERT INTO crm.leads (id, name) VALUES (50, 'short-lived')")
	w.during("create", func() { w.SQL("DELETE FROM crm.leads WHERE id = 50") })
	w.Audit()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.conflicts"))
	require.Len(t, w.Close.List("lead"), 3)
	w.Equal()
}
