package live

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asked ends the worker as a service manager does, and demands that it leaves
// in order.
func (w *world) asked(t *testing.T) {
	t.Helper()
	w.worker.end(syscall.SIGTERM)
	require.Equal(t, 0, w.worker.cmd.ProcessState.ExitCode(), w.worker.log.String())
	require.LessOrEqual(t, w.number("SELECT count(*) FROM closesync.dirty WHERE lease_until > now()"), 0, "it holds nothing any more")
	require.LessOrEqual(t, w.number("SELECT count(*) FROM river.river_job WHERE state = 'running'"), 0)
}

func TestFault_D11_AskedToEndDuringWork(t *testing.T) {
	t.Parallel()
	const leads = 3000
	w := newWorld(t, leads)
	n := kills(t)
	for i := range n {
		w.run()
		w.until("the load goes on", func() bool { return w.number("SELECT count(*) FROM crm.leads") >= leads*i/n })
		soon(50 * time.Millisecond)
		w.asked(t)
	}
	w.run()
	w.loaded()
	before := len(w.List("lead"))
	for i := range n {
		for j := range 5 {
			w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ($1) RETURNING id)
				INSERT INTO crm.contacts (lead_id, name) SELECT id, $1 || ' contact' FROM l`, fmt.Sprintf("Made %d.%d", i, j))
			w.SQL("UPDATE crm.leads SET description = $1 WHERE id = $2", fmt.Sprintf("edit %d.%d", i, j), 1+(i*5+j)%40)
		}
		soon(60 * time.Millisecond)
		w.asked(t)
		w.run()
	}
	w.until("at rest", w.idle)
	require.Len(t, w.List("lead"), before+5*n, "every insert is in Close once")
	w.Equal()
}

// An answer that does not come holds up nobody's end: the write is cut off,
// and settled by the next start.
func TestFault_D11_AnEndWhileCloseIsSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	w.run()
	w.loaded()
	w.tell("fault", map[string]any{"method": "PUT", "path": "/lead/", "kind": "hang_after", "times": 1}, nil)
	w.SQL("UPDATE crm.leads SET name = 'Sent, never answered' WHERE id = 1")
	w.until("it is sent", func() bool { return w.number("SELECT count(*) FROM closesync.intents WHERE state = 'open'") == 1 })
	w.asked(t)
	w.run()
	w.until("at rest", w.idle)
	w.Equal()
	require.Equal(t, 1, w.number("SELECT count(*) FROM crm.leads WHERE name = 'Sent, never answered'"))
}
