package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.connection()
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"version"}, 0},
		{[]string{"completion", "bash"}, 0},
		{[]string{"config", "show"}, 0},
		{[]string{"status", "--json"}, 0},
		{[]string{"unknown"}, 2},
		{[]string{"config"}, 2},
		{[]string{"config", "unknown"}, 2},
		{[]string{"status", "--unknown"}, 2},
		{[]string{"status", "--wait-idle", "soon"}, 2},
		{[]string{"request", "GET"}, 2},
		{[]string{"request", "POST", "/lead/", "--data", "{"}, 2},
		{[]string{"request", "GET", "https://example.com/"}, 2},
		{[]string{"request", "GET", "/lead/lead_none/"}, 1},
		{[]string{"record", "get", "user", "user_1"}, 2},
		{[]string{"record", "get", "lead", "lead_none"}, 1},
		{[]string{"record", "create", "lead"}, 2},
		{[]string{"record", "create", "lead", "--data", "[]"}, 2},
		{[]string{"record", "create", "contact", "--data", `{"name":"A"}`}, 1},
		{[]string{"record", "filter", "lead"}, 2},
		{[]string{"errors", "retry"}, 2},
		{[]string{"errors", "retry", "9"}, 1},
		{[]string{"conflicts", "resolve", "1"}, 2},
		{[]string{"conflicts", "resolve", "x", "--take", "close"}, 2},
		{[]string{"conflicts", "resolve", "9", "--take", "close"}, 1},
		{[]string{"conflicts", "show", "9"}, 1},
		{[]string{"holds", "approve", "9"}, 1},
		{[]string{"pause", "--direction", "sideways"}, 2},
		{[]string{"why", "lead_none"}, 1},
		{[]string{"history", "lead_none"}, 1},
		{[]string{"request", "BREW", "/me/"}, 2},
		{[]string{"request", "GET", "/../../x"}, 2},
		{[]string{"record", "get", "lead", "../me"}, 2},
		{[]string{"record", "update", "lead", "a/b", "--data", "{}"}, 2},
		{[]string{"record", "delete", "lead", "a?b"}, 2},
		{[]string{"run", "--listen", "999.1:1"}, 2},
		{[]string{"sandbox", "--leads", "-5"}, 2},
		{[]string{"completion"}, 2},
		{[]string{"completion", "elvish"}, 2},
		{[]string{"plan", "nosuch"}, 2},
		{[]string{"resync", "nosuch"}, 2},
		{[]string{"resync", "--connection", "nobody"}, 2},
		{[]string{"run", "--resync", "all,nosuch"}, 2},
		{[]string{"status", "--connection", "nobody"}, 2},
		{[]string{"webhook", "ensure"}, 2},
		{[]string{"--config", "/nowhere.yaml", "config", "show"}, 2},
	} {
		got := w.run(c.args...)
		require.Equal(t, c.code, got.code, "%v: %s", c.args, got.err)
	}
}

// A wrong name is found before a database is started or Close is asked, and the
// worker does not run with it.
func TestWrongNamesAreFoundBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	file := filepath.Join(t.TempDir(), "closesync.yaml")
	require.NoError(t, os.WriteFile(file, []byte("objects: {opportunity: {enabled: false}}\n"), 0o600))
	dir := filepath.Join(t.TempDir(), "data")
	w.env = append(w.env, "DATABASE_URL=", "CLOSESYNC_DATA_DIR="+dir)
	for name, want := range map[string]string{"nosuch": "lead, contact", "opportunity": "switches opportunity off", "oppo_1": "switches opportunity off"} {
		for _, args := range [][]string{{"run", "--resync", name}, {"run", "--sandbox", "--resync", name}, {"resync", name}, {"plan", name}} {
			got := w.run(append(args, "--config", file)...)
			require.Equal(t, 2, got.code, "%v: %s", args, got.err)
			require.Contains(t, got.err, want, "%v", args)
		}
	}
	require.Empty(t, w.close.Requests())
	require.NoDirExists(t, dir)
}

func TestConfigurationThatIsWrongExits2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for name, text := range map[string]string{
		"an unknown key":      "guard: {}\n",
		"an unknown object":   "objects: {deal: {}}\n",
		"a field Close lacks": "objects: {lead: {fields: [{close: nothing, column: x}]}}\n",
		"a missing parent":    "objects: {contact: {}, lead: {enabled: false}, opportunity: {enabled: false}}\n",
	} {
		file := filepath.Join(t.TempDir(), "closesync.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		got := w.run("mapping", "show", "--config", file)
		require.Equal(t, 2, got.code, "%s: %s", name, got.err)
		require.Contains(t, got.err, file+":1", name)
	}
}

func TestWithoutSchemaTheRemedyIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.exec(`DROP SCHEMA closesync CASCADE`)
	for _, args := range [][]string{{"status"}, {"errors"}, {"holds", "list"}, {"history", "x"}} {
		got := w.run(args...)
		require.Equal(t, 1, got.code)
		require.Contains(t, got.err, "closesync migrate up", args)
	}
	got := w.run("check")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.out, "FAIL migrations")
}

func TestWithoutKeyTheRemedyIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.env = w.env[:2]
	got := w.run("request", "GET", "/me/")
	require.Equal(t, 2, got.code)
	require.Contains(t, got.err, "--sandbox")
	require.Contains(t, got.err, "CLOSE_API_KEY")
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	type row struct{ Applied bool }
	for _, r := range decode[[]row](t, w.run("migrate", "status", "--json")) {
		require.True(t, r.Applied)
	}
	require.Zero(t, w.run("migrate", "down").code)
	list := decode[[]row](t, w.run("migrate", "status", "--json"))
	require.False(t, list[len(list)-1].Applied)
	require.Zero(t, w.run("migrate", "up").code)
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, url := range []string{
		"postgres://user:hunter2@127.0.0.1:1/x?connect_timeout=1",
		"postgres://user:hunter2@127.0.0.1:1/x?sslmode=hunter2",
		"postgres://user:hun#ter2@127.0.0.1/x",
		"host=127.0.0.1 port=1 password=hunter2 connect_timeout=1",
		"host=127.0.0.1 port=hunter2",
		"password=hunter2",
	} {
		w.env = append(w.env, "DATABASE_URL="+url)
		for _, args := range [][]string{{"status"}, {"check"}, {"config", "show"}} {
			got := w.run(args...)
			require.NotContains(t, got.out+got.err, "ter2", url)
		}
	}
}
