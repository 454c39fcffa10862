package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Another filter in the config file takes effect at the next start, not at the
// next audit: what it leaves out is detached with what hangs at it, and what
// it lets in is there.
func TestRun_AChangedFilterIsHeededAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	states := func() string {
		return w.value(`SELECT string_agg(line, ' ' ORDER BY line) FROM (SELECT concat_ws(':', object_type, state, count(*)) AS line
			FROM closesync.record_status WHERE object_type IN ('lead', 'opportunity') GROUP BY object_type, state) x`)
	}
	once := func() {
		got := w.run("run", "--once")
		require.Zero(t, got.code, got.err)
	}
	once()
	require.Equal(t, "lead:synced:6 opportunity:synced:6", states())

	file := `objects: {lead: {filter: {type: field_condition, field: {type: regular_field, object_type: lead, field_name: status_id}, condition: {type: reference, reference_type: status.lead, object_ids: [%s]}}}}`
	status := w.value("SELECT status_id FROM crm.leads WHERE close_id = $1", w.close.List("lead")[0]["id"])
	in := w.value("SELECT count(*)::text FROM crm.leads WHERE status_id = $1", status)
	require.NotEqual(t, "6", in)
	before := w.env
	w.configure(fmt.Sprintf(file, status))
	once()
	require.Equal(t, in, w.value("SELECT count(*)::text FROM closesync.record_status WHERE object_type = 'lead' AND state = 'synced'"), states())
	require.Equal(t, in, w.value("SELECT count(*)::text FROM closesync.record_status WHERE object_type = 'opportunity' AND state = 'synced'"), states())
	require.Equal(t, "6", w.value("SELECT count(*)::text FROM crm.leads"))

	w.env = before
	once()
	require.Equal(t, "lead:synced:6 opportunity:synced:6", states())
}
