package harness

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"closesync/migrations"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// setting gives the database a setting for sessions that begin from now on.
func (w *World) setting(name, value string) {
	w.T.Helper()
	db := pgx.Identifier{w.Pool.Config().ConnConfig.Database}.Sanitize()
	if value == "" {
		w.SQL("ALTER DATABASE " + db + " RESET " + name)
	} else {
		w.SQL("ALTER DATABASE " + db + " SET " + name + " = '" + value + "'")
	}
	w.Pool.Reset()
}

// pool opens another pool on the world's database.
func (w *World) pool(change func(*pgxpool.Config)) *pgxpool.Pool {
	w.T.Helper()
	cfg, err := pgxpool.ParseConfig(w.DSN)
	require.NoError(w.T, err)
	change(cfg)
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	require.NoError(w.T, err)
	w.T.Cleanup(pool.Close)
	return pool
}

// through lets the worker work over another pool.
func (w *World) through(pool *pgxpool.Pool) {
	w.T.Helper()
	k, err := w.worker(context.Background(), pool, w.Client)
	require.NoError(w.T, err)
	w.Store, w.Remote, w.Engine = k.Store, k.Remote, k.Engine
}

// world0 is a world of four leads that are not loaded yet.
func world0(t *testing.T) *World {
	t.Helper()
	return New(t, Options{Close: closetest.Options{Seed: 7, Leads: 4}})
}

// busy makes news of every kind on both sides.
func (w *World) busy(n int) {
	w.T.Helper()
	leads := w.ids("lead")
	w.SQL(fmt.Sprintf(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Busy %d') RETURNING id)
		INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Kid %d' FROM l`, n, n))
	w.SQL("UPDATE crm.leads SET description = $2 WHERE close_id = $1", leads[0], fmt.Sprint("here ", n))
	w.edit(leads[1], map[string]any{"description": fmt.Sprint("there ", n)})
	w.lead(fmt.Sprintf("Busy there %d", n))
}

// TestFault_C1_ConnectionsCutAllTheTime: every session ends again and again,
// as in a restart; nothing is lost, doubled or counted as a record's failure.
func TestFault_C1_ConnectionsCutAllTheTime(t *testing.T) {
	w := world(t, nil)
	ctx := context.Background()
	admin, err := pgx.Connect(ctx, w.DSN)
	require.NoError(t, err)
	defer func() { _ = admin.Close(ctx) }()
	cut := func() {
		_, err := admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		require.NoError(t, err)
	}
	failed := 0
	for n := range 8 {
		w.busy(n)
		var g errgroup.Group
		stop := make(chan struct{})
		g.Go(func() error {
			for {
				select {
				case <-stop:
					return nil
				default:
					cut()
				}
			}
		})
		for range 6 {
			_, _, err1 := w.Engine.Tail(ctx)
			_, err2 := w.Engine.Run(ctx)
			if err1 != nil || err2 != nil {
				failed++
			}
		}
		close(stop)
		require.NoError(t, g.Wait())
		w.Pool.Reset()
	}
	require.Positive(t, failed, "the cuts met the worker")
	w.due()
	w.all()
	require.Equal(t, "8", w.Get("SELECT count(*) FROM crm.contacts WHERE name LIKE 'Kid %'"))
	require.Len(t, w.ids("lead"), 4+16)
	require.Empty(t, w.errorOf("state = 'error'"))
	w.rest()
}

// TestFault_C8_Serializable: every session is serializable, and two workers
// and a program get in each other's way.
func TestFault_C8_Serializable(t *testing.T) {
	w := world(t, nil)
	w.setting("default_transaction_isolation", "serializable")
	ctx := context.Background()
	other, err := w.worker(ctx, w.Pool, w.Client)
	require.NoError(t, err)
	for n := range 6 {
		w.busy(n)
		var g errgroup.Group
		for _, e := range []*engine.Engine{w.Engine, other.Engine} {
			g.Go(func() error {
				if _, _, err := e.Tail(ctx); err != nil {
					return err
				}
				_, err := e.Run(ctx)
				return err
			})
		}
		require.NoError(t, g.Wait())
	}
	w.due()
	w.all()
	require.Len(t, w.ids("lead"), 4+12)
	w.rest()
}

// TestFault_C9_ALockTimeoutHoldsUpNobodyElse: a program holds a row; who set
// the timeout gets the others done meanwhile, and that one later.
func TestFault_C9_ALockTimeoutHoldsUpNobodyElse(t *testing.T) {
	w := world(t, nil)
	w.setting("lock_timeout", "50ms")
	w.Restart()
	ctx := context.Background()
	leads := w.ids("lead")
	tx, err := w.Pool.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "SELECT FROM crm.leads WHERE close_id = $1 FOR UPDATE", leads[0])
	require.NoError(t, err)
	for _, id := range leads {
		w.edit(id, map[string]any{"name": "edited there"})
	}
	_, _, err = w.Engine.Tail(ctx)
	require.NoError(t, err)
	for range 5 {
		_, _ = w.Engine.Run(ctx)
		w.SQL("UPDATE closesync.dirty SET not_before = '-infinity'")
	}
	require.Equal(t, "3", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'edited there'"))
	require.NoError(t, tx.Rollback(ctx))
	w.due()
	w.all()
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads WHERE name = 'edited there'"))
	require.Empty(t, w.errorOf("state = 'error'"))
	w.rest()
}

// TestFault_C12_OneConnectionIsEnough: nothing holds a connection while it waits
// for another one.
func TestFault_C12_OneConnectionIsEnough(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	w := world0(t)
	w.through(w.pool(func(c *pgxpool.Config) { c.MaxConns = 1 }))
	require.NoError(t, w.Engine.Reference(ctx))
	require.NoError(t, w.Engine.Backfill(ctx, nil))
	for n := range 2 {
		w.busy(n)
		_, _, err := w.Engine.Tail(ctx)
		require.NoError(t, err)
		_, err = w.Engine.Run(ctx)
		require.NoError(t, err)
		require.NoError(t, w.Engine.Audit(ctx, nil, nil))
	}
	w.all()
	w.rest()
}

// TestFault_C13_ReadOnly: the worker waits, and nothing of it counts as a
// record's failure.
func TestFault_C13_ReadOnly(t *testing.T) {
	w := world(t, nil)
	ctx := context.Background()
	w.busy(0)
	leads, writes := len(w.ids("lead")), w.writes()
	w.setting("default_transaction_read_only", "on")
	for range 5 {
		_, err := w.Engine.Run(ctx)
		refused := new(pgconn.PgError)
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "25006", refused.Code)
		_, _, err = w.Engine.Tail(ctx)
		require.Error(t, err)
	}
	require.Equal(t, writes, w.writes(), "what cannot be remembered is not sent")
	_, err := w.Pool.Exec(ctx, "BEGIN READ WRITE; ALTER DATABASE "+pgx.Identifier{w.Pool.Config().ConnConfig.Database}.Sanitize()+" RESET default_transaction_read_only; COMMIT")
	require.NoError(t, err)
	w.Pool.Reset()
	require.Equal(t, "0", w.Get("SELECT coalesce(max(attempts), 0) FROM closesync.dirty"), "no attempt is burnt")
	w.due()
	w.all()
	require.Len(t, w.ids("lead"), leads+1)
	w.rest()
}

// TestFault_C28_OneTransactionOverManyRows: however often each was changed, it
// is sent once.
func TestFault_C28_OneTransactionOverManyRows(t *testing.T) {
	heavy(t)
	t.Parallel()
	const n = 1500
	w := New(t, Options{})
	w.SQL("INSERT INTO crm.leads (name) SELECT 'Lead ' || n FROM generate_series(1, $1::int) n", n)
	w.Load()
	w.decideAll()
	require.Len(t, w.ids("lead"), n)
	w.Close.ResetRequests()
	w.SQL("UPDATE crm.leads SET description = 'first'")
	w.SQL("UPDATE crm.leads SET description = 'second'")
	w.all()
	require.Equal(t, n, w.writes())
	require.Equal(t, fmt.Sprint(n), w.Get("SELECT count(*) FROM crm.leads WHERE description = 'second'"))
}

// decideAll approves every open hold.
func (w *World) decideAll() {
	w.T.Helper()
	for w.holds() != "" {
		kind, _, _ := strings.Cut(w.Get("SELECT object_type || ' ' FROM closesync.holds WHERE status = 'open' ORDER BY id LIMIT 1"), " ")
		w.decideHolds(kind, true)
	}
}

// TestFault_C31_NothingOfASessionIsReliedOn: as behind a pooler, each use of a
// connection meets a session that remembers nothing.
func TestFault_C31_NothingOfASessionIsReliedOn(t *testing.T) {
	t.Parallel()
	w := world0(t)
	w.through(w.pool(func(c *pgxpool.Config) {
		c.MaxConns = 2
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		c.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) {
			_, err := conn.Exec(ctx, "DISCARD ALL")
			return err == nil, nil
		}
	}))
	w.Load()
	for n := range 3 {
		w.busy(n)
		w.all()
	}
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.outbox"))
	require.Len(t, w.ids("lead"), 4+6)
	w.rest()
}

// TestFault_C36_MigrationsWhileWorkersRun: each start migrates, several at once.
func TestFault_C36_MigrationsWhileWorkersRun(t *testing.T) {
	w := world(t, nil)
	ctx := context.Background()
	var g errgroup.Group
	for range 3 {
		g.Go(func() error { return migrations.Up(ctx, w.Pool) })
	}
	for n := range 3 {
		w.busy(n)
		w.all()
	}
	require.NoError(t, g.Wait())
	w.rest()
}
