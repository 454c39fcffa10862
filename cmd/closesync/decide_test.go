package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// value reads one text from the database.
func (w *world) value(sql string, args ...any) (v string) {
	w.t.Helper()
	require.NoError(w.t, w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&v))
	return v
}

// configure has all commands read this file.
func (w *world) configure(text string) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "closesync.yaml")
	require.NoError(w.t, os.WriteFile(file, []byte(text), 0o600))
	w.env = append(w.env, "CLOSESYNC_CONFIG="+file)
}

// Decisions are carried out by the command itself if no worker runs.
func TestDecisionsWithoutAWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.configure("guards: {max_deletes: 2, max_delete_percent: 0}\nobjects:\n  lead: {conflict: manual}\n")
	got := w.run("run", "--once")
	require.Zero(t, got.code, got.err)
	id := w.close.List("lead")[0]["id"].(string)

	w.exec("UPDATE crm.leads SET name = 'Ours', description = 'Ours' WHERE close_id = $1", id)
	require.NoError(t, w.close.Update(id, map[string]any{"name": "Theirs", "description": "Theirs"}))
	require.Equal(t, 3, w.run("run", "--once").code, "a conflict is open")
	type conflict struct {
		ID     int
		Field  string
		Status string
		Winner string
	}
	open := decode[[]conflict](t, w.run("conflicts", "--json"))
	require.Len(t, open, 2)
	byField := map[string]string{}
	for _, c := range open {
		byField[c.Field] = itoa(c.ID)
	}
	got = w.run("conflicts", "resolve", byField["name"], "--take", "value=12")
	require.Zero(t, got.code, got.err)
	require.Equal(t, "12", w.value("SELECT name FROM crm.leads WHERE close_id = $1", id), "text stays text")
	lead, _ := w.close.Get(id)
	require.Equal(t, "12", lead["name"])
	got = w.run("conflicts", "resolve", byField["name"], "--take", "local")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "is decided already (a third value)")
	require.Len(t, decode[[]conflict](t, w.run("conflicts", "--json")), 1, "the other one is still open")
	require.Zero(t, w.run("conflicts", "resolve", byField["description"], "--take", "local").code)
	lead, _ = w.close.Get(id)
	require.Equal(t, "Ours", lead["description"])
	all := decode[[]conflict](t, w.run("conflicts", "--all", "--json"))
	require.Len(t, all, 2, "a decision closes its conflict and makes no other")
	require.Equal(t, 1, w.run("conflicts", "resolve", "999", "--take", "local").code)

	w.exec("DELETE FROM crm.contacts")
	require.Equal(t, 3, w.run("run", "--once").code)
	type hold struct {
		ID, Count    int
		Kind, Status string
	}
	holds := decode[[]hold](t, w.run("holds", "--json"))
	require.Equal(t, []hold{{holds[0].ID, 6, "delete", "open"}}, holds)
	require.Equal(t, 3, w.run("status").code, "held records")
	require.Zero(t, w.run("holds", "reject", itoa(holds[0].ID)).code)
	require.Equal(t, "6", w.value("SELECT count(*)::text FROM crm.contacts"))
	got = w.run("holds", "approve", itoa(holds[0].ID))
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "it was rejected on")
	require.Zero(t, w.run("status").code)

	w.exec(`UPDATE crm.contacts SET emails = '[{"email":"no address","type":"office"}]' WHERE id = 1`)
	require.Equal(t, 3, w.run("run", "--once").code)
	got = w.run("errors", "retry", "--all")
	require.Equal(t, 3, got.code)
	require.Contains(t, got.err, "refused again")
}

func TestConflictValuesAreTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.configure("objects:\n  lead: {conflict: manual}\n  opportunity: {conflict: manual}\n")
	require.Zero(t, w.run("run", "--once").code)
	opp := w.close.List("opportunity")[0]["id"].(string)
	w.exec("UPDATE crm.opportunities SET value = 1, note = 'a', user_id = NULL WHERE close_id = $1", opp)
	require.NoError(t, w.close.Update(opp, map[string]any{"value": 2, "note": "b"}))
	require.Equal(t, 3, w.run("run", "--once").code)
	id := w.value("SELECT id::text FROM closesync.conflicts WHERE field = 'value'")
	for _, bad := range []string{"value=many", "value=1.5", "value=[1]", "newest", ""} {
		got := w.run("conflicts", "resolve", id, "--take", bad)
		require.NotZero(t, got.code, bad)
		require.Equal(t, "open", w.value("SELECT status FROM closesync.conflicts WHERE id = $1::text::bigint", id), bad)
	}
	require.Contains(t, w.run("conflicts", "resolve", id, "--take", "value=many").err, "the field cannot hold that value")
	require.Equal(t, 2, w.run("conflicts", "resolve", id, "--take", "value=many").code)
	got := w.run("conflicts", "resolve", id, "--take", "value=4200")
	require.Zero(t, got.code, got.err)
	require.Equal(t, "4200", w.value("SELECT value::text FROM crm.opportunities WHERE close_id = $1", opp))
}

func itoa(n int) string { return strconv.Itoa(n) }
