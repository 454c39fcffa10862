package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
	"closesync/mapping"
	"closesync/migrations"
	"closesync/sync/store"
)

// opened is a store on a migrated database of its own.
func opened(t *testing.T) (*store.Store, *pgxpool.Pool) {
	t.Helper()
	ctx := t.Context()
	dsn := testdb.NewWith(t, "migrated", func(ctx context.Context, dsn string) error {
		pool, err := pgxpool.New(ctx, dsn)
		if err != nil {
			return err
		}
		defer pool.Close()
		return migrations.Up(ctx, pool)
	})
	pool, err := pgxpool.New(ctx, dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	objects, problems := mapping.Bind(nil)
	require.Empty(t, problems)
	s, err := store.Open(ctx, store.Options{Pool: pool, Connection: "default", Objects: objects, Sealer: reversed{}})
	require.NoError(t, err)
	return s, pool
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	_, err := pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func value[T any](t *testing.T, pool *pgxpool.Pool, sql string) T {
	t.Helper()
	var v T
	require.NoError(t, pool.QueryRow(t.Context(), sql).Scan(&v))
	return v
}

// record makes a record of the connection and gives its id.
func record(t *testing.T, pool *pgxpool.Pool, closeID, localKey, state string) (id int64) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `INSERT INTO closesync.records (connection, object_type, close_id, local_key, state)
		VALUES (1, 'lead', $1, $2, $3) RETURNING id`, closeID, localKey, state).Scan(&id))
	return id
}

func mark(t *testing.T, pool *pgxpool.Pool, id int64, notBefore string) {
	t.Helper()
	exec(t, pool, `INSERT INTO closesync.dirty (record_id, connection, not_before) VALUES ($1, 1, $2::text::timestamptz)`, id, notBefore)
}

func TestStatusShape(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	exec(t, pool, loaded)
	c, err := s.Status(t.Context(), store.StatusInput{API: store.APIState{OK: true}, OrganizationID: "orga_1"})
	require.NoError(t, err)
	require.True(t, c.Idle)
	require.False(t, c.Open())
	text, err := json.Marshal(c, json.Deterministic(true))
	require.NoError(t, err)
	object := `{"local_rows":0,"linked":0,"pending":0,"conflicts":0,"errors":0,"held":0,"hidden":0,"search_watermark":null,"last_full_compare_at":null}`
	require.JSONEq(t, `{"name":"default","organization_id":"orga_1","api":{"ok":true,"error":null},
		"webhook":{"state":"absent","last_delivery_at":null},"inbox_pending":0,"outbox_pending":0,
		"objects":{"lead":`+object+`,"contact":`+object+`,"opportunity":`+object+`},"events_watermark":null,
		"lag_seconds":{"from_close_p50":0,"from_close_p99":0,"to_close_p50":0,"to_close_p99":0},"rate":[],"last_run":null,
		"paused":{"to_close":false,"from_close":false},"idle":true,"loaded":true}`, string(text))
}

func TestStatusCounts(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	exec(t, pool, `INSERT INTO crm.leads (name) VALUES ('a'), ('b')`)
	record(t, pool, "lead_1", "1", "synced")
	for state, id := range map[string]string{"conflict": "lead_2", "error": "lead_3", "held": "lead_4", "hidden": "lead_5", "deleted": "lead_6"} {
		record(t, pool, id, id, state)
	}
	exec(t, pool, `INSERT INTO closesync.checkpoints (connection, stream, watermark, last_run_at) VALUES
		(1, 'events', '2026-01-01T00:00:00Z', NULL), (1, 'search:lead', '2026-01-02T00:00:00Z', NULL),
		(1, 'audit:lead', NULL, '2026-01-03T00:00:00Z'), (1, 'search:nothing', '2026-01-04T00:00:00Z', NULL)`)
	exec(t, pool, `INSERT INTO closesync.run_log (connection, kind, state, finished_at) VALUES (1, 'search', 'done', '2026-01-05T00:00:00Z')`)
	c, err := s.Status(t.Context(), store.StatusInput{})
	require.NoError(t, err)
	lead := c.Objects["lead"]
	require.Equal(t, []int64{2, 5, 0, 1, 1, 1, 1},
		[]int64{lead.LocalRows, lead.Linked, lead.Pending, lead.Conflicts, lead.Errors, lead.Held, lead.Hidden})
	require.Equal(t, "2026-01-01T00:00:00Z", c.EventsWatermark.Format("2006-01-02T15:04:05Z07:00"))
	require.Equal(t, 2, lead.SearchWatermark.Day())
	require.Equal(t, 3, lead.LastFullCompareAt.Day())
	require.Equal(t, "search", c.LastRun.Kind)
	require.Len(t, c.Objects, 3)
	require.True(t, c.Open())
}

func TestIdle(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state, notBefore string
		also             string
		idle             bool
	}{
		"a pending record":                  {"synced", "-infinity", "", false},
		"a record due later":                {"synced", "2999-01-01", "", false},
		"a conflict that waits":             {"conflict", "infinity", "", true},
		"a parked record that waits":        {"error", "infinity", "", true},
		"a hold that waits":                 {"held", "infinity", "", true},
		"a hidden record that waits":        {"hidden", "infinity", "", true},
		"a parked record to be tried again": {"error", "2999-01-01", "", true},
		"a parked record that is tried now": {"error", "-infinity", "", false},
		"a synced record never waits":       {"synced", "infinity", "", false},
		"a captured local change":           {"", "", `INSERT INTO closesync.outbox (connection, object_type, local_key, operation) VALUES (1, 'lead', '1', 'U')`, false},
		"another connection's change":       {"", "", `INSERT INTO closesync.outbox (connection, object_type, local_key, operation) VALUES (9, 'lead', '1', 'U')`, true},
		"a write under way":                 {"", "", `INSERT INTO closesync.intents (connection, record_id, object_type, action) VALUES (1, 77, 'lead', 'create')`, false},
		"a write of unknown outcome":        {"", "", `INSERT INTO closesync.intents (connection, record_id, object_type, action, state) VALUES (1, 77, 'lead', 'create', 'unknown')`, false},
		"a finished write":                  {"", "", `INSERT INTO closesync.intents (connection, record_id, object_type, action, state) VALUES (1, 77, 'lead', 'create', 'done')`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, pool := opened(t)
			exec(t, pool, loaded)
			if c.state != "" {
				mark(t, pool, record(t, pool, "lead_1", "1", c.state), c.notBefore)
			}
			if c.also != "" {
				exec(t, pool, c.also)
			}
			idle, err := s.Idle(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.idle, idle)
		})
	}
}

// loaded says that the first load is complete, without which nothing is idle.
const loaded = `INSERT INTO closesync.checkpoints (connection, stream, position) VALUES (1, 'backfill', '{"done": true}')`

func TestNotIdleBeforeTheFirstLoad(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	for _, also := range []string{"SELECT", `INSERT INTO closesync.checkpoints (connection, stream, position) VALUES (1, 'backfill', '{"segments": []}')`} {
		exec(t, pool, also)
		idle, err := s.Idle(t.Context())
		require.NoError(t, err)
		require.False(t, idle)
	}
}

func TestResolveConflict(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	id := record(t, pool, "lead_1", "1", "conflict")
	mark(t, pool, id, "infinity")
	exec(t, pool, `INSERT INTO closesync.conflict_log (connection, record_id, object_type, close_id, field, close_value, rule, status)
		VALUES (1, $1, 'lead', 'lead_1', 'name', '12345678901234567890', 'manual', 'open')`, id)
	lists := store.NewLists(pool, "")
	open, err := lists.Conflicts(t.Context(), false, 10)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, "12345678901234567890", string(open[0].CloseValue))
	text, err := json.Marshal(open)
	require.NoError(t, err)
	require.Contains(t, string(text), `"base_value":null`)

	require.NoError(t, s.ResolveConflict(t.Context(), open[0].ID, jsontext.Value(`{"take":"close"}`)))
	require.Equal(t, "close", value[string](t, pool, `SELECT choice ->> 'take' FROM closesync.conflict_log`))
	require.True(t, value[bool](t, pool, `SELECT d.refetch AND gen = 2 AND not_before <= clock_timestamp() FROM closesync.dirty d`))
	idle, err := s.Idle(t.Context())
	require.NoError(t, err)
	require.False(t, idle, "the choice is still to be carried out")
	require.ErrorIs(t, s.ResolveConflict(t.Context(), 99, jsontext.Value(`{}`)), store.ErrNotFound)
	_, err = lists.Conflict(t.Context(), 99)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestRetryErrors(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	a := record(t, pool, "lead_1", "1", "error")
	record(t, pool, "lead_2", "2", "error")
	record(t, pool, "lead_3", "3", "held")
	exec(t, pool, `UPDATE closesync.records SET parked = '{"name":"no"}', last_error = 'no', attempts = 4 WHERE state = 'error'`)
	n, err := s.RetryErrors(t.Context(), []string{"lead_1", "lead_3"})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, a, value[int64](t, pool, `SELECT record_id FROM closesync.dirty`))
	require.True(t, value[bool](t, pool, `SELECT parked IS NULL AND last_error IS NULL AND attempts = 0 AND state = 'synced' FROM closesync.records WHERE close_id = 'lead_1'`))
	n, err = s.RetryErrors(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 1, n, "only the parked one is left")
	left, err := store.NewLists(pool, "default").Errors(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestDecideHold(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	id := record(t, pool, "lead_1", "1", "held")
	mark(t, pool, id, "infinity")
	exec(t, pool, `INSERT INTO closesync.holds (connection, kind, object_type, reason) VALUES (1, 'delete', 'lead', 'too many')`)
	exec(t, pool, `INSERT INTO closesync.hold_items SELECT id, $1 FROM closesync.holds`, id)
	lists := store.NewLists(pool, "")
	open, err := lists.Holds(t.Context(), false, 10)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.EqualValues(t, 1, open[0].Count)
	require.NoError(t, s.DecideHold(t.Context(), open[0].ID, true))
	require.Equal(t, "approved", value[string](t, pool, `SELECT status FROM closesync.holds`))
	require.True(t, value[bool](t, pool, `SELECT not_before <= clock_timestamp() FROM closesync.dirty`))
	require.ErrorIs(t, s.DecideHold(t.Context(), open[0].ID, false), store.ErrDecided, "a decision stands")
	open, err = lists.Holds(t.Context(), false, 10)
	require.NoError(t, err)
	require.Empty(t, open)
}

func TestSetPause(t *testing.T) {
	t.Parallel()
	s, _ := opened(t)
	require.NoError(t, s.SetPause(t.Context(), "to_close", true))
	to, from, err := s.Pauses(t.Context())
	require.NoError(t, err)
	require.Equal(t, []bool{true, false}, []bool{to, from})
	require.NoError(t, s.SetPause(t.Context(), "", false))
	to, from, err = s.Pauses(t.Context())
	require.NoError(t, err)
	require.Equal(t, []bool{false, false}, []bool{to, from})
}

func TestOperatorsActsAreKept(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	record(t, pool, "lead_1", "1", "error")
	_, err := s.RetryErrors(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, s.SetPause(t.Context(), "to_close", true))
	require.NoError(t, s.NoteAct(t.Context(), "adopt"))
	require.Error(t, s.DecideHold(t.Context(), 1, true))
	_, err = s.RetryErrors(t.Context(), nil)
	require.NoError(t, err)
	runs, err := store.NewLists(pool, "default").Runs(t.Context(), 10)
	require.NoError(t, err)
	var kinds []string
	for _, r := range runs {
		kinds = append(kinds, r.Kind)
	}
	require.Equal(t, []string{"operator: adopt", "operator: pause to_close", "operator: retry errors"}, kinds, "what did nothing is not kept")
	c, err := s.Status(t.Context(), store.StatusInput{})
	require.NoError(t, err)
	require.Nil(t, c.LastRun, "an act is no run of the worker")
}

func TestHistoryFollowsALinkedRecord(t *testing.T) {
	t.Parallel()
	_, pool := opened(t)
	record(t, pool, "lead_1", "7", "synced")
	exec(t, pool, `INSERT INTO closesync.journal_log (connection, object_type, close_id, local_key, direction, action, field, new_value) VALUES
		(1, 'lead', NULL, '7', 'to_close', 'create', 'name', '"a"'), (1, 'lead', 'lead_1', '7', 'from_close', 'update', 'name', '"b"'),
		(1, 'contact', NULL, '7', 'to_close', 'create', 'name', '"another"'), (1, 'lead', 'lead_2', '8', 'from_close', 'update', 'name', '"c"')`)
	lists := store.NewLists(pool, "")
	for id, want := range map[string]int{"lead_1": 2, "lead/7": 2, "7": 3, "lead_none": 0} {
		list, err := lists.History(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, list, want, id)
	}
	newest, err := lists.Journal(t.Context(), 2)
	require.NoError(t, err)
	require.Len(t, newest, 2)
}

func TestWebhookState(t *testing.T) {
	t.Parallel()
	s, _ := opened(t)
	w, err := s.LoadWebhook(t.Context())
	require.NoError(t, err)
	require.Zero(t, w)
	saved := store.Webhook{ID: "whsub_2", Key: "aa", URL: "https://x", Previous: &store.Webhook{ID: "whsub_1", Key: "bb"}}
	require.NoError(t, s.SaveWebhook(t.Context(), saved))
	w, err = s.LoadWebhook(t.Context())
	require.NoError(t, err)
	require.True(t, saved.ID == w.ID && saved.Key == w.Key && w.Previous != nil && w.Previous.Key == "bb")
	var kept string
	require.NoError(t, s.Pool().QueryRow(t.Context(), "SELECT webhook::text FROM closesync.connections").Scan(&kept))
	require.NotContains(t, kept, `"aa"`, "no key is in the database as it is")
	require.NotContains(t, kept, `"bb"`)
	c, err := s.Status(t.Context(), store.StatusInput{})
	require.NoError(t, err)
	require.Equal(t, "active", c.Webhook.State)
	require.NoError(t, s.SaveWebhook(t.Context(), store.Webhook{}))
	w, err = s.LoadWebhook(t.Context())
	require.NoError(t, err)
	require.Zero(t, w)
}

// reversed seals by writing a text and its purpose backwards.
type reversed struct{}

func (reversed) Seal(plain, purpose string) (string, error) {
	return backwards(plain + "|" + purpose), nil
}

func (reversed) Open(sealed, purpose string) (string, error) {
	plain, ok := strings.CutSuffix(backwards(sealed), "|"+purpose)
	if !ok {
		return "", errors.New("sealed for something else")
	}
	return plain, nil
}

func backwards(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
