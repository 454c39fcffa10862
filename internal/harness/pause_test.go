package harness

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

func (w *World) pause(direction string) {
	w.T.Helper()
	require.NoError(w.T, w.Store.SetPause(context.Background(), direction, true))
}

func (w *World) resume(direction string) {
	w.T.Helper()
	require.NoError(w.T, w.Store.SetPause(context.Background(), direction, false))
}

func (w *World) idle() bool {
	w.T.Helper()
	idle, err := w.Store.Idle(context.Background())
	require.NoError(w.T, err)
	return idle
}

// What a worker has claimed and not yet sent stays here when the switch is
// thrown; what was sent is taken in.
func TestPause_StopsWritesThatAreClaimed(t *testing.T) {
	t.Parallel()
	var w *World
	var ticks atomic.Int64
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 21, Leads: 30}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote, o.Workers = hook, 1
		// Time passes between two writes, as it does at a rate limit.
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ticks.Add(1)) * lookLater) }
	}})
	hook.after = func() { w.pause("to_close") }
	w.Load()
	w.SQL("UPDATE crm.leads SET name = name || ' edited'")
	w.Settle()
	require.Equal(t, 1, w.writes(), "only the write that was under way")
	require.False(t, w.idle(), "pending stays pending")
	require.Equal(t, "29", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'pending'"))

	// Receiving goes on, and waiting costs nothing.
	id := w.ids("lead")[3]
	w.edit(id, map[string]any{"description": "from Close"})
	w.Tail()
	require.Equal(t, "from Close", w.Get("SELECT description FROM crm.leads WHERE close_id = $1", id))
	w.Close.ResetRequests()
	w.Settle()
	require.Empty(t, w.Close.Requests())

	w.resume("to_close")
	w.Settle()
	w.Equal()
	require.Equal(t, 29, w.writes())
	require.True(t, w.idle())
}

// lookLater is more than the age at which the switch is looked at again.
const lookLater = time.Second

func TestPause_FromCloseWritesNoRow(t *testing.T) {
	w := world(t, nil)
	lead, contact := w.ids("lead")[0], w.ids("contact")[0]
	w.pause("from_close")
	versions := w.versions()
	w.edit(lead, map[string]any{"name": "Theirs"})
	require.NoError(t, w.Close.Delete(w.ids("lead")[3]))
	w.Tail()
	require.Equal(t, versions, w.versions())
	require.ErrorIs(t, w.Engine.Audit(context.Background(), nil, nil), engine.ErrPaused)
	require.ErrorIs(t, w.Engine.SearchChanged(context.Background(), "lead"), engine.ErrPaused)
	require.NotEqual(t, "0", w.Get("SELECT count(*) FROM closesync.inbox"), "events are stored")
	require.False(t, w.idle())

	// What is edited here still goes out; what needs its row written waits.
	w.SQL("UPDATE crm.contacts SET title = 'Ours' WHERE close_id = $1", contact)
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Waits')")
	versions = w.versions()
	w.Settle()
	require.Equal(t, "Ours", w.field(contact, "title"))
	require.Len(t, w.Close.List("lead"), 3)
	require.Equal(t, versions, w.versions())

	w.resume("")
	w.all()
	require.Equal(t, "Theirs", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", lead))
	w.rest()
}

// A create under way when rows may no longer be written is linked all the
// same, and its row gets the id afterwards.
func TestPause_FromCloseDuringACreate(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &interrupted{}
	w = New(t, Options{Close: closetest.Options{Seed: 22, Leads: 2}, Engine: func(o *engine.Options) {
		hook.Remote = o.Remote
		o.Remote = hook
	}})
	hook.after = func() { w.pause("from_close") }
	w.Load()
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Once')")
	w.Settle()
	require.Empty(t, w.Get("SELECT close_id FROM crm.leads WHERE name = 'Once'"))
	w.Tail()
	w.resume("from_close")
	w.all()
	require.Len(t, w.Close.List("lead"), 3)
}
