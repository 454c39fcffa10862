package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What only the row tells: that it is gone and stays so, and keys that Close
// has no field for.
func TestWhyLooksAtTheRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.configure("objects: {lead: {on_local_delete: ignore}}\n")
	require.Zero(t, w.run("run", "--once").code)
	leads := w.close.List("lead")
	gone, kept := leads[0]["id"].(string), leads[1]["id"].(string)
	require.NotContains(t, w.run("why", kept).out, "custom fields")
	w.exec(`DELETE FROM crm.leads WHERE close_id = $1`, gone)
	w.exec(`UPDATE crm.leads SET custom = custom || '{"cf_typo": "x", "tier": 1, "cf_none": null}' WHERE close_id = $1`, kept)
	w.run("run", "--once")

	_, there := w.close.Get(gone)
	require.True(t, there)
	why := w.run("why", gone).out
	require.Contains(t, why, "its row is gone here: with on_local_delete: ignore Close keeps the record")
	require.NotContains(t, why, "both sides were equal")
	require.Contains(t, w.run("why", kept).out, "not among Close's custom fields, so kept here and not sent: cf_typo, tier\n")
}
