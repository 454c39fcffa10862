package jobs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/jobs"
	"closesync/sync/closetest"
)

func queued(w *harness.World) string {
	return w.Get("SELECT coalesce(string_agg(kind || ' ' || (args ->> 'connection'), ', '), '') FROM river.river_job WHERE kind = 'cycle' AND state = 'available'")
}

// However long something is due, one cycle of its connection waits in the
// queue; none does for what no cycle would take.
func TestSweep_QueuesOneCycleForWhatACycleTakes(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 91, Leads: 2}})
	w.Load()
	j := worker(t, w)
	w.SQL("INSERT INTO closesync.connections (name) VALUES ('removed')")
	w.SQL("INSERT INTO closesync.outbox (connection, object_type, local_key, operation) SELECT id, 'lead', '1', 'U' FROM closesync.connections WHERE name = 'removed'")
	w.SQL(`WITH r AS (INSERT INTO closesync.records (connection, object_type, close_id) SELECT id, 'lead', 'lead_of_another' FROM closesync.connections WHERE name = 'removed' RETURNING id, connection)
		INSERT INTO closesync.dirty (record_id, connection) SELECT id, connection FROM r`)
	w.SQL("INSERT INTO closesync.outbox (connection, object_type, local_key, operation) SELECT id, 'activity', '1', 'U' FROM closesync.connections WHERE name = 'default'")
	jobs.Sweep(j)
	require.Empty(t, queued(w))

	w.SQL("INSERT INTO closesync.dirty (record_id, connection, not_before) SELECT min(id), 1, 'infinity' FROM closesync.records WHERE connection = 1")
	jobs.Sweep(j)
	require.Empty(t, queued(w), "a mark that sleeps")
	w.SQL("UPDATE closesync.dirty SET not_before = '-infinity'")
	for range 3 {
		jobs.Sweep(j)
	}
	require.Equal(t, "cycle default", queued(w))
	w.SQL("DELETE FROM river.river_job")
	w.SQL("DELETE FROM closesync.dirty")
	w.SQL("UPDATE crm.leads SET name = 'changed' WHERE id = 1")
	for range 3 {
		jobs.Sweep(j)
	}
	require.Equal(t, "cycle default", queued(w), "a change that was captured")
}

// A truncated table is filled by a job of its own.
func TestFault_C18_AnEmptiedTableIsFilledByACompare(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 92, Leads: 5}})
	w.Load()
	j := worker(t, w)
	start(t, j)
	w.SQL("TRUNCATE crm.leads CASCADE")
	eventually(t, w, "the compare was made", "SELECT count(*) > 0 FROM river.river_job WHERE kind = 'audit' AND state = 'completed'")
	for _, object := range []string{"lead", "contact", "opportunity"} {
		require.Equal(t, "1", w.Get(fmt.Sprintf("SELECT position ->> 'covers' FROM closesync.checkpoints WHERE stream = 'audit:%s'", object)))
	}
	eventually(t, w, "the table is filled", "SELECT count(*) = 5 FROM crm.leads")
}

// Of a log read newest first nothing counts before its end: a month of it, or a
// bulk action, must not be cut off and begun again for ever.
func TestFault_A40_NoWalkIsCutByTheTimeOfACycle(t *testing.T) {
	t.Parallel()
	for kind, timeout := range jobs.Walks() {
		require.Negative(t, timeout, kind)
	}
}
