package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A plan is saved, what changed since is refused by name, the rest is done and
// nothing else; a database that no worker ever saw stays as it was.
func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	require.Zero(t, w.run("plan", "--json").code)
	require.Equal(t, "0", w.value("SELECT count(*)::text FROM closesync.connections"), "a plan wrote the connection down")
	require.Zero(t, w.run("run", "--once").code)
	leads := w.close.List("lead")
	id := func(i int) string { return leads[i]["id"].(string) }
	w.exec("UPDATE crm.leads SET description = 'planned' WHERE close_id = $1", id(0))
	require.NoError(t, w.close.Update(id(1), map[string]any{"description": "planned too"}))
	file := filepath.Join(t.TempDir(), "plan.json")
	require.Zero(t, w.run("plan", "lead", "--out", file).code)
	shown := w.run("resync", "--dry-run")
	require.Zero(t, shown.code)
	require.Contains(t, shown.out, "local_edit")
	require.Contains(t, shown.err, "2 calls to Close, done in about")

	require.NoError(t, w.close.Update(id(1), map[string]any{"description": "changed since"}))
	w.exec("UPDATE crm.leads SET description = 'not planned' WHERE close_id = $1", id(2))
	got := w.run("apply", file)
	require.Equal(t, 3, got.code, got.err)
	require.Contains(t, got.err, "stale, left alone: lead "+id(1))
	lead, _ := w.close.Get(id(0))
	require.Equal(t, "planned", lead["description"])
	lead, _ = w.close.Get(id(2))
	require.NotEqual(t, "not planned", lead["description"], "apply did more than was planned")
	require.NotEqual(t, "changed since", w.value("SELECT coalesce(description, '') FROM crm.leads WHERE close_id = $1", id(1)))
	require.Zero(t, w.run("resync").code)
	lead, _ = w.close.Get(id(2))
	require.Equal(t, "not planned", lead["description"])

	history := decode[[]map[string]any](t, w.run("history", id(0), "--json"))
	cause := history[len(history)-1]["cause"].(map[string]any)
	for _, h := range history {
		if h["direction"] == "to_close" {
			cause = h["cause"].(map[string]any)
		}
	}
	require.Equal(t, "local_edit", cause["rule"])
	require.NotEmpty(t, cause["intent"])

	require.NoError(t, w.close.Merge(id(0), id(1)))
	require.Zero(t, w.run("run", "--once").code)
	why := w.run("why", id(0)).out
	require.Contains(t, why, "merged into "+id(1))
	require.Contains(t, why, "lead "+id(1), "the id of a merged lead leads on")
	key := w.value("SELECT id::text FROM crm.leads WHERE close_id = $1", id(1))
	require.Contains(t, w.run("why", "lead:"+key).out, id(1))
}
