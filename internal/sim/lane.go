package sim

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
	"closesync/mapping"
	"closesync/migrations"
	"closesync/sync/store"
)

// start is the instant at which every scenario begins, by the database's clock.
var start = time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)

const sessionCount = 3 // local programs at once

// mostTasks is how many operations may be under way at once, each with a
// connection that it keeps while it is suspended.
const mostTasks = 24

// deadlockTimeout is shorter than lockPatience, so that whoever waited before
// has looked already when a deadlock arises: its last member is refused.
const deadlockTimeout = "1ms"

// Lane is one database in which scenarios run one after another. Lanes are
// independent of each other and may run side by side.
type Lane struct {
	ctx      context.Context
	admin    *pgx.Conn // clock and checks; outside of the schedule
	watching sync.Mutex
	watch    *pgx.Conn // who waits for whom; may be asked at any time
	pool     *pgxpool.Pool
	conns    []*pgx.Conn // of local programs
	world    *World      // that runs now
	now      time.Time
	told     time.Time // what the database's clock was last set to
	ran      int
	releases atomic.Int64 // statements after which a lock may be free
	resetSQL string

	secretSQL string // see checkSecrets
}

// virtualClock puts a clock that only the schedule moves in place of the
// database's. A sequence is seen by every transaction at once. Each look moves it
// by a microsecond, so that no two marks are of one moment: which of those is
// claimed first would be left to where Postgres happens to keep them.
const virtualClock = `
CREATE SCHEMA sim;
CREATE SEQUENCE sim.clock;
CREATE OR REPLACE FUNCTION closesync.clock() RETURNS timestamptz LANGUAGE sql VOLATILE
RETURN timestamptz 'epoch' + nextval('sim.clock') * interval '1 microsecond';`

// boundless replaces the worker's bounds on waiting for locks, which run by the
// real clock, by none: the schedule says when a worker has waited for too long.
// Workers find it before the real one, see searchPath.
const boundless = `
CREATE FUNCTION sim.set_config(name text, value text, is_local boolean) RETURNS text LANGUAGE sql AS
$$ SELECT pg_catalog.set_config(name, CASE name WHEN 'lock_timeout' THEN '0' ELSE value END, is_local) $$;`

const searchPath = "sim, pg_catalog, public"

// tired tells a worker whose statement the schedule ended that it waited for a
// lock for too long.
func tired(_ *pgconn.PgConn, err *pgconn.PgError) bool {
	if err.Code == "57014" {
		err.Code = "55P03"
	}
	return err.Severity != "FATAL"
}

// prepare makes the template that every lane's database is a copy of.
func prepare(ctx context.Context, dsn string) error {
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrations.Up(ctx, pool); err != nil {
		return err
	}
	if err := equip(ctx, pool); err != nil {
		return err
	}
	_, err = pool.Exec(ctx, virtualClock+watchers+boundless)
	return err
}

// equip makes the triggers, which a worker's first start would make otherwise:
// the first scenario of a lane is to be like all others.
func equip(ctx context.Context, pool *pgxpool.Pool) error {
	objects, problems := mapping.Bind(nil)
	if len(problems) > 0 {
		return fmt.Errorf("mapping: %v", problems)
	}
	s, err := store.Open(ctx, store.Options{Pool: pool, Connection: "default", Objects: objects})
	if err != nil {
		return err
	}
	_, err = s.EnsureTriggers(ctx)
	return err
}

// NewLane makes a lane whose database goes when the test ends.
func NewLane(t testing.TB) *Lane {
	t.Helper()
	dsn := testdb.NewWith(t, "sim", prepare)
	l := &Lane{ctx: context.Background()}
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.MaxConns = mostTasks + 8
	config.ConnConfig.Tracer = tracer{l}
	config.ConnConfig.RuntimeParams["deadlock_timeout"] = deadlockTimeout
	config.HealthCheckPeriod = time.Hour
	config.ConnConfig.OnPgError = tired
	local := config.ConnConfig.Copy()
	local.Tracer, local.OnPgError = nil, nil
	config.ConnConfig.RuntimeParams["search_path"] = searchPath
	l.pool, err = pgxpool.NewWithConfig(l.ctx, config)
	require.NoError(t, err)
	t.Cleanup(l.pool.Close)
	l.admin, l.watch = connect(t, local), connect(t, local)
	local.Tracer = localTracer{l}
	for range sessionCount {
		l.conns = append(l.conns, connect(t, local))
	}
	require.NoError(t, l.planReset())
	return l
}

func connect(t testing.TB, config *pgx.ConnConfig) *pgx.Conn {
	t.Helper()
	conn, err := pgx.ConnectConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// resetTables writes the statements that empty the database. Deleting is thirty
// times cheaper than TRUNCATE for so few rows. Keys start again, so that a seed
// gives one trace.
const resetTables = `
SELECT string_agg(sql, ' ') FROM (
  SELECT format('DELETE FROM %s;', c.oid::regclass) AS sql, 1 AS place FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('closesync', 'crm', 'sim') AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN ('connections', 'schema_version')
  UNION ALL
  SELECT format('SELECT setval(%L, 1, false);', c.oid::regclass), 2 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('closesync', 'crm') AND c.relkind = 'S' AND c.relname !~ '^(connections|schema_version)_' ORDER BY 2) v`

const resetConnection = `
UPDATE closesync.connections SET organization_id = NULL, system_identifier = NULL, database_name = NULL, bound_at = NULL, mapped = '{}',
  webhook = '{}', key_seal = NULL, last_delivery_at = NULL, pause_to_close = false, pause_from_close = false, api_error = NULL, api_checked_at = NULL;`

func (l *Lane) planReset() error {
	var tables string
	if err := l.admin.QueryRow(l.ctx, resetTables).Scan(&tables); err != nil {
		return fmt.Errorf("plan the reset: %w", err)
	}
	if err := l.admin.QueryRow(l.ctx, secretTables).Scan(&l.secretSQL); err != nil {
		return fmt.Errorf("plan the search for secrets: %w", err)
	}
	// Marked as the worker's own, so that nothing is captured.
	l.resetSQL = "BEGIN; SELECT set_config('closesync.origin', 'worker:' || session_user, true);" + tables + resetConnection + "COMMIT;"
	return nil
}

// vacuumEvery keeps the dead rows of earlier scenarios few.
const vacuumEvery = 25

func (l *Lane) reset() error {
	if l.ran++; l.ran%vacuumEvery == 0 {
		if _, err := l.admin.Exec(l.ctx, "VACUUM"); err != nil {
			return err
		}
	}
	if _, err := l.admin.PgConn().Exec(l.ctx, l.resetSQL).ReadAll(); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	l.now, l.told = start, time.Time{}
	return l.tellTime()
}

// advance moves the virtual clock.
func (l *Lane) advance(d time.Duration) { l.now = l.now.Add(d) }

// tellTime sets the database's clock, if it is late.
func (l *Lane) tellTime() error {
	if l.now.Equal(l.told) {
		return nil
	}
	l.told = l.now
	_, err := l.admin.Exec(l.ctx, "SELECT setval('sim.clock', $1)", l.now.UnixMicro())
	return err
}

// waitsForLock reports whether a backend waits for another's lock, and whether
// that one waits for it in turn: a deadlock, of which the backend that came last
// is told after deadlockTimeout.
func (l *Lane) waitsForLock(pid uint32) (waits, ring bool) {
	l.watching.Lock()
	defer l.watching.Unlock()
	err := l.watch.QueryRow(l.ctx, `WITH RECURSIVE w(pid) AS (
		SELECT unnest(pg_blocking_pids($1)) UNION SELECT unnest(pg_blocking_pids(w.pid)) FROM w WHERE w.pid <> $1)
		SELECT count(*) > 0, coalesce(bool_or(pid = $1), false) FROM w`, int32(pid)).Scan(&waits, &ring)
	return err == nil && waits, err == nil && ring
}

// cancel ends a statement that waits for a lock, as a broken connection would.
func (l *Lane) cancel(pid uint32) {
	_, _ = l.admin.Exec(l.ctx, "SELECT pg_cancel_backend($1)", int32(pid))
}

// awaitRollback waits until the server noticed that a dead worker's connection
// is gone, and gave up what its transaction had locked.
func (l *Lane) awaitRollback(pid uint32) {
	for open := true; open; {
		l.watching.Lock()
		err := l.watch.QueryRow(l.ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND state <> 'idle')", int32(pid)).Scan(&open)
		l.watching.Unlock()
		if err != nil {
			panic(err)
		}
	}
	l.releases.Add(1)
}
