package live

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What fell due while no worker ran is done at the next start: the audit of
// the schedule, and the compare of a table whose triggers were missing.
func TestLive_WhatWasMissedWhileDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.run()
	w.loaded()
	w.worker.kill()
	w.SQL("DROP TRIGGER closesync_capture ON crm.leads")
	w.SQL("UPDATE crm.leads SET name = 'Edited while nobody looked' WHERE id = 1")
	w.SQL("ALTER TABLE crm.contacts DISABLE TRIGGER ALL")
	w.SQL("UPDATE crm.contacts SET title = 'Loaded past the triggers' WHERE id = 1")
	w.SQL("ALTER TABLE crm.contacts ENABLE ALWAYS TRIGGER closesync_capture")
	w.SQL("ALTER TABLE crm.contacts ENABLE ALWAYS TRIGGER closesync_truncate")
	w.SQL("UPDATE closesync.checkpoints SET last_run_at = now() - interval '2 days'")
	w.run()
	w.until("the missed edits arrive", func() bool {
		return w.number("SELECT count(*) FROM closesync.journal WHERE direction = 'to_close' AND field IN ('name', 'title')") == 2
	})
	w.until("at rest", w.idle)
	w.Equal()
	require.Equal(t, 1, w.number("SELECT count(*) FROM closesync.runs WHERE kind = 'audit' AND state = 'done'"), "one audit does for both")
}
