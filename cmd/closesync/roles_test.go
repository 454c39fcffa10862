package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/sync/store"
)

// staffed is a world whose database has a role for each part of an
// installation.
type staffed struct {
	*world
	worker, app, reader string
}

// newStaffed grants as an owner would. Roles belong to the whole server, so
// their names are this test's own.
func newStaffed(t *testing.T) staffed {
	t.Helper()
	w := newWorld(t, 3)
	tag := fmt.Sprintf("_%x", rand.Uint64())
	s := staffed{w, "worker" + tag, "app" + tag, "reader" + tag}
	for _, role := range []string{s.worker, s.app, s.reader} {
		w.exec("CREATE ROLE " + role + " LOGIN")
		t.Cleanup(func() {
			_, _ = w.pool.Exec(context.Background(), "DROP OWNED BY "+role)
			_, _ = w.pool.Exec(context.Background(), "DROP ROLE "+role)
		})
	}
	up := w.run("migrate", "up", "--worker-role", s.worker, "--app-role", s.app, "--reader-role", s.reader)
	require.Zero(t, up.code, up.err)
	return s
}

// url is the database's address for a role.
func (s staffed) url(role string) string {
	for _, e := range s.env {
		if dsn, ok := strings.CutPrefix(e, "DATABASE_URL="); ok {
			u, err := url.Parse(dsn)
			require.NoError(s.t, err)
			u.User = url.User(role)
			return u.String()
		}
	}
	return ""
}

func (s staffed) login(role string) *pgx.Conn {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.url(role))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestSecurity_21_RolesDoTheirPartAndNoMore(t *testing.T) {
	t.Parallel()
	s := newStaffed(t)
	// The worker's role is enough for the whole work.
	w := *s.world
	w.env = append([]string{}, s.env...)
	for i, e := range w.env {
		if strings.HasPrefix(e, "DATABASE_URL=") {
			w.env[i] = "DATABASE_URL=" + s.url(s.worker)
		}
	}
	once := w.run("run", "--once", "--migrate=false")
	require.Zero(t, once.code, once.err)
	require.Equal(t, 3, s.count("crm.leads"))

	// A program's edit is captured although it may not touch the outbox.
	app := s.login(s.app)
	_, err := app.Exec(t.Context(), "UPDATE crm.leads SET name = 'By the program' WHERE id = (SELECT min(id) FROM crm.leads)")
	require.NoError(t, err)
	require.Equal(t, 1, s.count("closesync.outbox"))
	once = w.run("run", "--once", "--migrate=false")
	require.Zero(t, once.code, once.err)
	require.Zero(t, s.count("closesync.outbox"), "and none of the worker's own writes")
	require.Contains(t, s.names(), "By the program")

	workers, readers := s.login(s.worker), s.login(s.reader)
	for _, c := range s.matrix() {
		for conn, want := range map[*pgx.Conn]bool{workers: c.worker, app: c.app, readers: c.reader} {
			err := attempt(t.Context(), conn, c.sql)
			if want {
				require.NoError(t, err, "%s: %s", conn.Config().User, c.sql)
				continue
			}
			require.Equal(t, "42501", store.Code(err), "%s: %s: %v", conn.Config().User, c.sql, err)
		}
	}
}

// attempt runs a statement and takes it back.
func attempt(ctx context.Context, conn *pgx.Conn, sql string) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	_, err = tx.Exec(ctx, sql)
	return err
}

type right struct {
	sql                 string
	worker, app, reader bool
}

// matrix lists statements and who may run them.
func (s staffed) matrix() []right {
	var list []right
	add := func(worker, app, reader bool, sqls ...string) {
		for _, sql := range sqls {
			list = append(list, right{sql, worker, app, reader})
		}
	}
	for _, t := range []string{"leads", "contacts", "opportunities"} {
		add(true, true, true, "SELECT count(*) FROM crm."+t)
		add(true, true, false, "UPDATE crm."+t+" SET close_id = close_id", "DELETE FROM crm."+t)
		add(false, false, false, "TRUNCATE crm."+t+" CASCADE", "DROP TABLE crm."+t+" CASCADE", "ALTER TABLE crm."+t+" ADD COLUMN extra int",
			"ALTER TABLE crm."+t+" DISABLE TRIGGER ALL", "DROP TRIGGER closesync_capture ON crm."+t)
	}
	add(true, true, false, "INSERT INTO crm.leads (name) VALUES ('x')")
	for _, v := range []string{"record_status", "conflicts", "journal", "runs"} {
		add(true, true, true, "SELECT count(*) FROM closesync."+v)
	}
	for _, t := range []string{"records", "outbox", "inbox", "intents", "connections"} {
		add(true, false, false, "SELECT count(*) FROM closesync."+t, "DELETE FROM closesync."+t)
	}
	add(true, false, false, "SELECT count(*) FROM river.river_job")
	add(false, false, false,
		"CREATE TABLE public.mine (a int)", "CREATE SCHEMA mine", "CREATE TABLE closesync.mine (a int)", "CREATE TABLE crm.mine (a int)",
		"CREATE ROLE mine", "ALTER ROLE "+s.reader+" CREATEDB", "DROP FUNCTION closesync.capture() CASCADE",
		"CREATE OR REPLACE FUNCTION closesync.capture() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
		"SET ROLE postgres", "SET session_replication_role = replica", "COPY crm.leads TO PROGRAM 'cat'", "SELECT pg_read_file('/etc/passwd')")
	return list
}

func (s staffed) count(table string) (n int) {
	s.t.Helper()
	require.NoError(s.t, s.pool.QueryRow(s.t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// names are those of Close's leads.
func (s staffed) names() []string {
	var list []string
	for _, l := range s.close.List("lead") {
		name, _ := l["name"].(string)
		list = append(list, name)
	}
	return list
}

// A worker that may not make triggers refuses to run without them, and says
// who can.
func TestSecurity_21_MissingTriggersNameTheRemedy(t *testing.T) {
	t.Parallel()
	s := newStaffed(t)
	s.exec("DROP TRIGGER closesync_capture ON crm.leads")
	w := *s.world
	w.env = append(append([]string{}, s.env...), "DATABASE_URL="+s.url(s.worker))
	got := w.run("run", "--once", "--migrate=false")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "closesync migrate up --worker-role "+s.worker)
}

func TestSecurity_21_RolesThatAreTooStrongAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	got := w.run("migrate", "up", "--worker-role", "postgres")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "superuser")
	got = w.run("migrate", "up", "--app-role", "nobody_has_made_this")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "CREATE ROLE")
}

// Each function of ours has its search_path pinned, or a body whose names were
// bound when it was made, so that no schema of a user can slip something under
// it.
func TestSecurity_22_FunctionsPinTheirSearchPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	loose := unpinned(t, w.pool)
	require.Empty(t, loose)
	w.exec("CREATE FUNCTION closesync.loose() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	require.Equal(t, []string{"closesync.loose()"}, unpinned(t, w.pool), "the check itself can fail")
}

func unpinned(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname IN ('closesync', 'crm') AND p.prosqlbody IS NULL AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS c WHERE c LIKE 'search_path=%')`)
	require.NoError(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return list
}

// The worker's sessions have bounds, so that none holds locks for ever.
func TestSecurity_26_TheWorkersRoleHasTimeouts(t *testing.T) {
	t.Parallel()
	s := newStaffed(t)
	conn := s.login(s.worker)
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		var value string
		require.NoError(t, conn.QueryRow(t.Context(), "SHOW "+name).Scan(&value))
		require.NotEqual(t, "0", value, name)
	}
}
