package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// Promise 9: with another organization's key nothing is written on either side,
// by no command.
func TestFault_A38_NoCommandWritesToAnotherOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	require.Equal(t, 0, w.run("run", "--once").code)
	lead, _ := w.close.List("lead")[0]["id"].(string)

	writes := [][]string{
		{"record", "create", "lead", "--data", `{"name":"A"}`},
		{"record", "update", "lead", lead, "--data", `{"name":"B"}`},
		{"request", "put", "/lead/" + lead + "/", "--data", `{"name":"C"}`},
		{"record", "delete", "lead", lead},
	}
	reads := [][]string{
		{"record", "get", "lead", lead}, {"record", "search", "lead", "a"}, {"request", "GET", "/me/"},
		{"request", "POST", "/data/search/", "--data", `{"query":{"type":"object_type","object_type":"lead"}}`},
	}
	w.exec(`UPDATE crm.leads SET name = 'Edited here' WHERE close_id = $1`, lead)
	require.Equal(t, 0, w.run("run", "--once").code)
	entry := w.text(`SELECT max(id)::text FROM closesync.journal WHERE close_id = $1 AND field = 'name'`, lead)
	marked := []string{"mapping", "init", "--create-marker", "--config", filepath.Join(t.TempDir(), "made.yaml")}

	own, ownKey := w.env, w.close.Key()
	other := closetest.New(closetest.Options{Seed: 2, Leads: 1})
	base := strings.TrimSuffix(other.Start(t), "/")
	require.NotEqual(t, w.close.OrganizationID(), other.OrganizationID())
	w.env = append(append([]string{}, own...), "CLOSE_BASE_URL="+base, "CLOSE_API_KEY="+other.Key())
	w.env = append(w.env, "CLOSESYNC_PUBLIC_URL=https://sync.example.com")
	rows := w.value("SELECT count(*)::text FROM crm.leads")
	for _, args := range append(writes, []string{"erase", "--yes", lead}, []string{"webhook", "ensure"}, []string{"webhook", "rotate"}, []string{"webhook", "delete"},
		[]string{"undo", entry}, marked) {
		got := w.run(args...)
		require.Equal(t, 1, got.code, "%v", args)
		require.Contains(t, got.err, "nothing is written", "%v", args)
		require.Contains(t, got.err, other.OrganizationID(), "%v", args)
	}
	require.Equal(t, rows, w.value("SELECT count(*)::text FROM crm.leads"))
	require.Equal(t, "Edited here", w.text(`SELECT name FROM crm.leads WHERE close_id = $1`, lead))
	require.NoFileExists(t, marked[len(marked)-1])
	for _, r := range other.Requests() {
		require.Equal(t, "GET", r.Method, "%s", r.Path)
	}
	for _, args := range reads[1:] {
		require.Equal(t, 0, w.run(args...).code, "%v", args)
	}

	w.env = own
	for _, args := range append(reads, writes...) {
		w.close.ResetRequests()
		got := w.run(args...)
		require.Equal(t, 0, got.code, "%v: %s", args, got.err)
		require.Len(t, w.close.Requests(), 1, "%v is one call", args)
	}

	// No database to ask, or none that answers: Close is reached all the same.
	for _, database := range []string{"DATABASE_URL=", "DATABASE_URL=postgres://nobody@127.0.0.1:1/none"} {
		w.env = []string{database, "CLOSE_BASE_URL=" + strings.TrimPrefix(own[1], "CLOSE_BASE_URL="), "CLOSE_API_KEY=" + ownKey, "CLOSESYNC_DATA_DIR=" + t.TempDir()}
		require.Equal(t, 0, w.run(writes[0]...).code, database)
	}
}
