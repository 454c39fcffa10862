package live

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/internal/testdb"
	"closesync/mapping"
	"closesync/sync/closeapi"
)

// world is an imitation of Close in a process of its own, a database, and the
// settings of a worker between them.
type world struct {
	*harness.World
	control string // root of the imitation's control API
	listen  string // the worker's address, the same after each restart
	env     []string
	worker  *process
}

// newWorld starts the imitation with so many leads. No worker runs yet.
func newWorld(t *testing.T, leads int) *world {
	t.Helper()
	return newWorldOn(t, testdb.New(t), leads)
}

// newWorldOn is newWorld with a database of the test's own.
func newWorldOn(t *testing.T, dsn string, leads int) *world {
	t.Helper()
	sandbox := start(t, nil, "sandbox", "--listen", "127.0.0.1:0", "--leads", strconv.Itoa(leads))
	lines := sandbox.lines(2)
	w := &world{World: &harness.World{T: t, DSN: dsn}, listen: freeAddress(t)}
	w.control = strings.TrimSuffix(strings.TrimPrefix(lines[0], "CLOSE_BASE_URL="), "/api/v1") + "/_control/"
	w.env = append(lines, "DATABASE_URL="+w.DSN, "CLOSESYNC_LISTEN="+w.listen, "CLOSESYNC_LOG_FORMAT=json",
		"CLOSESYNC_PUBLIC_URL=http://"+w.listen)
	pool, err := pgxpool.New(t.Context(), w.DSN)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	w.Pool = pool
	var problems []mapping.Problem
	w.Objects, problems = mapping.Bind(nil)
	require.Empty(t, problems)
	w.List = w.list
	return w
}

// list gives the records of a type as the imitation holds them.
func (w *world) list(objectType string) []map[string]any {
	w.T.Helper()
	var answer struct {
		Data []map[string]any `json:"data"`
	}
	w.tell("list", map[string]any{"object_type": objectType}, &answer)
	return answer.Data
}

// freeAddress is free now; another process could take it, which the worker
// would say.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// spawn starts the worker and returns at once.
func (w *world) spawn(args ...string) {
	w.T.Helper()
	w.worker = start(w.T.(*testing.T), w.env, append([]string{"run"}, args...)...)
}

// run starts the worker and returns when it answers.
func (w *world) run(args ...string) {
	w.T.Helper()
	w.spawn(args...)
	w.answers()
}

// answers waits until the worker does.
func (w *world) answers() {
	w.T.Helper()
	w.until("the worker answers", func() bool {
		select {
		case <-w.worker.ended:
			w.T.Fatalf("the worker ended by itself:\n%s", w.worker.log)
		default:
		}
		status, _ := w.fetch("/healthz")
		return status == http.StatusOK
	})
}

// fetch asks the worker; 0 is no answer.
func (w *world) fetch(path string) (status int, body string) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.listen+path, nil)
	require.NoError(w.T, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body) // a body cut short is not what is waited for
	return resp.StatusCode, string(raw)
}

// tell calls the imitation's control API.
func (w *world) tell(what string, body, answer any) {
	w.T.Helper()
	raw, err := json.Marshal(body)
	require.NoError(w.T, err)
	resp, err := http.Post(w.control+what, "application/json", bytes.NewReader(raw)) //nolint:noctx // the test ends it
	require.NoError(w.T, err)
	defer resp.Body.Close()
	raw, err = io.ReadAll(resp.Body)
	require.NoError(w.T, err)
	require.Equal(w.T, http.StatusOK, resp.StatusCode, string(raw))
	if answer != nil {
		require.NoError(w.T, json.Unmarshal(raw, answer))
	}
}

// client is the API of the imitation with the worker's own key.
func (w *world) client() *closeapi.Client {
	w.T.Helper()
	settings := map[string]string{}
	for _, line := range w.env {
		name, value, _ := strings.Cut(line, "=")
		settings[name] = value
	}
	c, err := closeapi.New(closeapi.Options{BaseURL: settings["CLOSE_BASE_URL"], Key: closeapi.Secret(settings["CLOSE_API_KEY"])})
	require.NoError(w.T, err)
	return c
}

// subscriptions counts those that the imitation has.
func (w *world) subscriptions() int {
	w.T.Helper()
	n := 0
	for _, err := range w.client().Webhooks().All(context.Background()) {
		require.NoError(w.T, err)
		n++
	}
	return n
}

// request is one call that the imitation has seen.
type request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
}

func (w *world) requests() []request {
	w.T.Helper()
	var answer struct {
		Data []request `json:"data"`
	}
	w.tell("requests", map[string]any{}, &answer)
	return answer.Data
}

// until polls what is awaited.
func (w *world) until(what string, done func() bool) {
	w.T.Helper()
	end := time.Now().Add(deadline)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(end) {
			w.T.Fatalf("waited %s in vain: %s\n%s", deadline, what, w.explain())
		}
		<-tick.C
	}
}

// explain shows what the worker has in hand.
func (w *world) explain() string {
	text := ""
	for _, sql := range []string{
		`SELECT string_agg(concat_ws(' ', id, kind, state, attempt, attempted_at, scheduled_at, errors::text), E'\n') FROM river.river_job WHERE state <> 'completed'`,
		`SELECT string_agg(concat_ws(' ', d.record_id, r.object_type, r.state, r.close_id, r.last_error, 'gen', d.gen, 'events', cardinality(d.events), 'not before', d.not_before,
		 'leased', d.lease_until, d.worker, 'tried', d.attempts, d.cause, 'now', clock_timestamp()), E'\n') FROM closesync.dirty d JOIN closesync.records r ON r.id = d.record_id`,
		`SELECT string_agg(concat_ws(' ', id, record_id, object_type, action, state, close_at, created_at, error), E'\n') FROM closesync.intents WHERE state NOT IN ('done', 'failed')`,
		`SELECT string_agg(h::text, E'\n') FROM (SELECT * FROM closesync.outbox LIMIT 20) h`,
		`SELECT string_agg(c::text, E'\n') FROM closesync.checkpoints c`,
		`SELECT string_agg(concat_ws(' ', kind, state, seen, error), E'\n') FROM closesync.runs`,
		`SELECT string_agg(concat_ws(' ', pid, state, wait_event, left(query, 80)), E'\n') FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'`,
	} {
		var part *string
		if err := w.Pool.QueryRow(context.Background(), sql).Scan(&part); err != nil {
			text += err.Error()
		} else if part != nil {
			text += *part
		}
		text += "\n\n"
	}
	return text
}

// number scans one integer of a query; -1 while the query fails, as before the
// schema is there.
func (w *world) number(sql string, args ...any) int {
	var n int
	if err := w.Pool.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		return -1
	}
	return n
}

// loaded waits for the end of the first load and of what it left to do.
func (w *world) loaded() {
	w.T.Helper()
	w.until("everything is loaded", func() bool {
		return w.number(`SELECT count(*) FROM closesync.runs WHERE kind = 'backfill' AND state = 'done'`) > 0 && w.idle()
	})
}

// idle: nothing waits in either direction.
func (w *world) idle() bool {
	_, body := w.fetch("/api/status")
	var status struct {
		Idle bool `json:"idle"`
	}
	return json.Unmarshal([]byte(body), &status) == nil && status.Idle
}
