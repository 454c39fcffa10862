package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	got := w.run("status", "--json")
	require.Zero(t, got.code, got.err)
	require.Equal(t, false, decode[map[string]any](t, got)["idle"], "the first load waits")
	require.Equal(t, 3, w.run("status", "--wait-idle", "50ms").code)
	w.exec(`INSERT INTO closesync.checkpoints (connection, stream, position) VALUES (1, 'backfill', '{"done": true}')`)
	got = w.run("status", "--json")
	require.Zero(t, got.code, got.err)
	d := decode[map[string]any](t, got)
	require.Equal(t, true, d["idle"])
	c := d["connections"].([]any)[0].(map[string]any)
	require.Equal(t, w.close.OrganizationID(), c["organization_id"])
	require.Equal(t, map[string]any{"ok": true, "error": nil}, c["api"])
	require.Len(t, c["objects"], 3)

	w.exec(`INSERT INTO crm.leads (name) VALUES ('a')`)
	w.exec(`INSERT INTO closesync.records (connection, object_type, local_key) VALUES (1, 'lead', '1')`)
	w.exec(`INSERT INTO closesync.dirty (record_id, connection) VALUES (1, 1)`)
	got = w.run("status", "--json", "--wait-idle", "150ms")
	require.Equal(t, 3, got.code)
	require.Equal(t, false, decode[map[string]any](t, got)["idle"])
	require.Contains(t, w.run("status").out, "lead")

	w.exec(`UPDATE closesync.records SET state = 'error'`)
	w.exec(`UPDATE closesync.dirty SET not_before = 'infinity'`)
	got = w.run("status", "--json", "--wait-idle", "10s")
	require.Equal(t, 3, got.code, "a parked record")
	require.Equal(t, true, decode[map[string]any](t, got)["idle"])
}

func TestStatusWithARevokedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.env = append(w.env, "CLOSE_API_KEY=api_wrong.key")
	d := decode[map[string]any](t, w.run("status", "--json"))
	api := d["connections"].([]any)[0].(map[string]any)["api"].(map[string]any)
	require.Equal(t, false, api["ok"])
	require.Contains(t, api["error"], "401")
}

func TestConflictsErrorsHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.connection()
	w.exec(`INSERT INTO closesync.records (connection, object_type, close_id, local_key, state, last_error) VALUES
		(1, 'lead', 'lead_1', '1', 'conflict', NULL), (1, 'lead', 'lead_2', '2', 'error', 'no'), (1, 'lead', 'lead_3', '3', 'held', NULL)`)
	w.exec(`INSERT INTO closesync.conflict_log (connection, record_id, object_type, close_id, field, local_value, close_value, rule, status)
		VALUES (1, 1, 'lead', 'lead_1', 'name', '"a"', '"b"', 'manual', 'open')`)
	w.exec(`INSERT INTO closesync.holds (connection, kind, object_type, reason) VALUES (1, 'delete', 'lead', 'too many')`)
	w.exec(`INSERT INTO closesync.hold_items VALUES (1, 3)`)

	type row struct {
		ID     int
		Kind   string
		Count  int
		Status string
	}
	require.Equal(t, []row{{ID: 1, Status: "open"}}, decode[[]row](t, w.run("conflicts", "--json")))
	require.Equal(t, []row{{ID: 2}}, decode[[]row](t, w.run("errors", "list", "--json")))
	require.Equal(t, []row{{1, "delete", 1, "open"}}, decode[[]row](t, w.run("holds", "list", "--json")))
	require.Contains(t, w.run("conflicts", "show", "1").out, `local:  "a"`)
	require.Contains(t, w.run("why", "lead_1").out, "conflicts resolve 1")
	require.Contains(t, w.run("why", "lead/2").out, "errors retry 2")
	require.Contains(t, w.run("why", "3").out, "hold 1")

	require.Zero(t, w.run("conflicts", "resolve", "1", "--no-wait", "--take", "value=c d").code)
	var choice string
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT choice::text FROM closesync.conflict_log`).Scan(&choice))
	require.JSONEq(t, `{"value":"c d"}`, choice)
	require.Zero(t, w.run("errors", "retry", "--no-wait", "lead_2").code)
	require.Equal(t, "[]\n", w.run("errors", "--json").out)
	require.Zero(t, w.run("holds", "reject", "1", "--no-wait").code)
	require.Equal(t, "rejected", decode[[]row](t, w.run("holds", "list", "--all", "--json"))[0].Status)
	var marked int
	require.NoError(t, w.pool.QueryRow(t.Context(), `SELECT count(*) FROM closesync.dirty`).Scan(&marked))
	require.Equal(t, 3, marked)
}

func TestChoice(t *testing.T) {
	t.Parallel()
	for take, want := range map[string]string{
		"close": `{"take":"close"}`, "local": `{"take":"local"}`, "value=12": `{"text":"12"}`, "value=null": `{"text":"null"}`,
		"value=": `{"text":""}`, "value=a b": `{"text":"a b"}`, "value=[1,{}]": `{"text":"[1,{}]"}`,
	} {
		got, err := choiceOf(take)
		require.NoError(t, err)
		require.Equal(t, want, string(got), take)
	}
	_, err := choiceOf("newest")
	require.Equal(t, 2, exitCode(err, true))
}

func TestRecordAndRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	type lead struct{ ID, Name string }
	made := decode[lead](t, w.run("record", "create", "lead", "--data", `{"name":"Zebra Works"}`))
	require.Equal(t, "Zebra Works", made.Name)
	w.in = `{"name":"Okapi Works"}`
	require.Equal(t, "Okapi Works", decode[lead](t, w.run("record", "update", "lead", made.ID, "--data", "-")).Name)
	require.Equal(t, []lead{{made.ID, "Okapi Works"}}, decode[[]lead](t, w.run("record", "search", "lead", "Okapi", "--json")))
	file := filepath.Join(t.TempDir(), "f.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"query":{"type":"id","value":"`+made.ID+`"}}`), 0o600))
	require.Len(t, decode[[]lead](t, w.run("record", "filter", "lead", "--query", "@"+file, "--json")), 1)
	require.Contains(t, w.run("record", "filter", "lead", "--query", "@"+file).out, "Okapi Works")
	got := w.run("request", "get", "/api/v1/lead/?_limit=1")
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.out, `"has_more":true`)
	require.Zero(t, w.run("record", "delete", "lead", made.ID).code)
	got = w.run("record", "get", "lead", made.ID)
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, `{"error"`)
	require.Empty(t, got.out)
}

func TestWebhookCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.env = append(w.env, "CLOSESYNC_PUBLIC_URL=https://sync.example")
	type row struct {
		ID, URL, Status string
		Ours            bool
	}
	list := func() []row { return decode[[]row](t, w.run("webhook", "status", "--json")) }
	require.Empty(t, list())
	require.Zero(t, w.run("webhook", "ensure").code)
	first := list()
	require.Len(t, first, 1)
	require.Equal(t, row{first[0].ID, "https://sync.example/webhooks/close/default", "active", true}, first[0])
	w.close.PauseWebhook(first[0].ID)
	require.Equal(t, "paused", list()[0].Status)
	require.Zero(t, w.run("webhook", "ensure").code)
	require.Equal(t, first, list(), "the same subscription, active again")
	require.Zero(t, w.run("webhook", "rotate").code)
	require.NotEqual(t, first[0].ID, func() string {
		for _, r := range list() {
			if r.Ours {
				return r.ID
			}
		}
		return first[0].ID
	}())
	require.Zero(t, w.run("webhook", "delete").code)
	require.Empty(t, list())
}

func TestPauseAndAdopt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	require.Zero(t, w.run("pause", "--direction", "to_close").code)
	require.Contains(t, w.run("status").out, "nothing is written to Close (to_close)")
	require.Zero(t, w.run("resume").code)
	require.NotContains(t, w.run("status").out, "paused:")

	w.in = "n\n"
	require.Equal(t, 1, w.run("adopt").code)
	w.in = "y\n"
	require.Zero(t, w.run("adopt").code)
	w.in = ""
	require.Zero(t, w.run("adopt", "--yes").code)
	require.Contains(t, w.run("check").out, "ok   binding default: bound to "+w.close.OrganizationID())
}

func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	type finding struct {
		ID string
		OK bool
	}
	check := func(triggers bool, code int) {
		found := map[string]bool{}
		got := w.run("check", "--json")
		for _, f := range decode[[]finding](t, got) {
			found[f.ID] = f.OK
		}
		require.Equal(t, map[string]bool{"database": true, "migrations": true, "key default": true, "permissions default": true,
			"binding default": true, "triggers default": triggers, "webhook default": true, "mapping": true}, found, got.out)
		require.Equal(t, code, got.code)
	}
	check(true, 0) // the first run makes them
	require.Zero(t, w.run("adopt", "--yes").code)
	check(false, 1) // bound, and no worker has put the triggers there

	w.exec(`ALTER TABLE crm.leads DROP COLUMN description`)
	require.Contains(t, w.run("mapping", "check").out, "has no column description")
	w.exec(`ALTER TABLE crm.leads ADD COLUMN description date`)
	require.Contains(t, w.run("mapping", "check").out, "column description is date")
	w.env = append(w.env, "CLOSE_API_KEY=api_wrong.key")
	require.Contains(t, w.run("check").out, "FAIL key default")
}

func TestMappingInit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	file := filepath.Join(t.TempDir(), "closesync.yaml")
	require.Zero(t, w.run("mapping", "init", "--config", file).code)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "close: custom.cf_")
	require.Equal(t, 1, w.run("mapping", "init", "--config", file).code, "it overwrites nothing")

	named := filepath.Join(t.TempDir(), "named.yaml")
	w.env = append(w.env, "CLOSESYNC_CONFIG="+named)
	got := w.run("mapping", "init")
	require.Zero(t, got.code, got.err)
	require.NotContains(t, got.err, "left out", "the file that is to be written is not read")
	require.FileExists(t, named)
	w.env = w.env[:len(w.env)-1]
	require.Equal(t, w.run("mapping", "show", "--json").out, w.run("mapping", "show", "--json", "--config", file).out, "it says what holds anyway")
}

func TestMappingInitMarkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	dir := t.TempDir()
	fields := func() int {
		n := 0
		for _, objectType := range mapping.Types() {
			if w.close.CustomField(objectType, markerName) != "" {
				n++
			}
		}
		return n
	}
	marker := func(name string, args ...string) string {
		file := filepath.Join(dir, name)
		got := w.run(append([]string{"mapping", "init", "--config", file}, args...)...)
		require.Zero(t, got.code, got.err)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Zero(t, w.run("config", "show", "--config", file).code)
		_, after, found := strings.Cut(string(text), "external_id_field: ")
		if !found {
			return ""
		}
		id, _, _ := strings.Cut(after, " ")
		return id
	}
	require.Empty(t, marker("plain.yaml"))
	require.Zero(t, fields(), "nothing is created unless asked for")
	id := marker("made.yaml", "--create-marker")
	require.Equal(t, w.close.CustomField("lead", markerName), id)
	require.Equal(t, 3, fields())
	require.Equal(t, id, marker("again.yaml", "--create-marker"), "a field that is there is used")
	require.Equal(t, id, marker("found.yaml"))

	file := filepath.Join(dir, "made.yaml")
	require.Contains(t, w.run("mapping", "check", "--config", file).out, "fit both sides")
	require.NoError(t, w.close.UpdateCustomField(id, map[string]any{"editable_with_roles": []string{"role_x"}}))
	require.Contains(t, w.run("mapping", "check", "--config", file).out, "may be edited by some roles only")
	require.NoError(t, w.close.UpdateCustomField(id, map[string]any{"type": "number", "editable_with_roles": []string{}}))
	require.Contains(t, w.run("mapping", "check", "--config", file).out, "number")
	require.NoError(t, w.close.DeleteCustomField(id))
	require.Contains(t, w.run("mapping", "check", "--config", file).out, "Close has no field "+id+", which is external_id_field")

	w.env = slices.DeleteFunc(w.env, func(e string) bool { return strings.HasPrefix(e, "CLOSE_API_KEY=") })
	got := w.run("mapping", "init", "--create-marker", "--config", filepath.Join(dir, "no-key.yaml"))
	require.Equal(t, 2, got.code)
	require.Contains(t, got.err, "has no API key")
	require.NoFileExists(t, filepath.Join(dir, "no-key.yaml"))
}

// TestFault_D15_MappingProblemsNameTheLine: the keys of an object are judged
// by package mapping, with the place where each stands.
func TestFault_D15_MappingProblemsNameTheLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	file := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(file, []byte("objects:\n  lead:\n    table: crm.leads\n    external_id_field: mine\n    match:\n      - name\n      - nonsense\n"), 0o600))
	got := w.run("mapping", "show", "--config", file)
	require.Equal(t, 2, got.code)
	require.Contains(t, got.err, file+`:4: objects.lead.external_id_field: "mine" is not the id of a custom field`)
	require.Contains(t, got.err, file+`:5: objects.lead.match[1]: "nonsense" is not a mapped field`)
}

func TestConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	require.Contains(t, w.run("connection", "list").out, "CLOSE_API_KEY")
	got := w.run("connection", "test", "--json")
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.out, w.close.OrganizationID())
	w.env = append(w.env, "CLOSE_API_KEY=api_wrong.key")
	require.Equal(t, 1, w.run("connection", "test").code)
}

// What comes in between the look that found it idle and the answer is waited
// for, too.
func TestWaitIdle_AnswersWhatItSaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	require.Zero(t, w.run("run", "--once").code)
	ctx, stop := context.WithCancel(t.Context())
	var flips sync.WaitGroup
	flips.Go(func() {
		for ctx.Err() == nil {
			_, _ = w.pool.Exec(ctx, "INSERT INTO closesync.dirty (record_id, connection, cause) SELECT id, connection, '{}' FROM closesync.records LIMIT 1 ON CONFLICT DO NOTHING")
			_, _ = w.pool.Exec(ctx, "DELETE FROM closesync.dirty")
		}
	})
	for range 5 {
		got := w.run("status", "--json", "--wait-idle", "30s")
		require.Zero(t, got.code, "%s %s", got.out, got.err)
		require.Equal(t, true, decode[map[string]any](t, got)["idle"])
	}
	stop()
	flips.Wait()
}
