// Package harness puts a whole worker together for tests, without the queue:
// an imitation of Close, a fresh database, both sides and the engine. Tests
// drive it step by step; nothing runs by itself.
package harness

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
	"closesync/mapping"
	"closesync/migrations"
	"closesync/sync/closeapi"
	"closesync/sync/closetest"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
	"closesync/sync/remote"
	"closesync/sync/store"
)

// World is one organization, one database and the worker between them.
type World struct {
	T       testing.TB
	Close   *closetest.Server
	Pool    *pgxpool.Pool
	DSN     string
	Client  *closeapi.Client
	Objects map[string]*mapping.Object
	Store   *store.Store
	Remote  *remote.Remote
	Engine  *engine.Engine
	opt     Options
	base    string // root of the imitation's API
	// List gives the records of Close as it holds them; nil means Close.List.
	List func(objectType string) []map[string]any
}

// Options choose the world; zero values give the built-in mapping and an empty
// organization.
type Options struct {
	Close   closetest.Options
	Objects []mapping.ObjectConfig
	Guards  reconcile.Limits
	Setup   string // SQL run before the worker sees the database: a user's own tables
	Engine  func(*engine.Options)
	HideAll bool // the key may not see every lead
}

// Migrate prepares a test database.
func Migrate(ctx context.Context, dsn string) error {
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrations.Up(ctx, pool)
}

// New builds a world whose triggers are in place and whose binding is made.
func New(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{T: t, Close: closetest.New(o.Close), DSN: testdb.NewWith(t, "closesync", Migrate), opt: o}
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, w.DSN)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	w.Pool = pool
	if o.Setup != "" {
		w.SQL(o.Setup)
	}
	var problems []mapping.Problem
	w.Objects, problems = mapping.Bind(o.Objects)
	require.Empty(t, problems)
	w.base = strings.TrimSuffix(w.Close.Start(t), "/")
	w.Client, err = closeapi.New(closeapi.Options{BaseURL: w.base, Key: closeapi.Secret(w.Close.Key())})
	require.NoError(t, err)
	t.Cleanup(w.Client.CloseIdle)
	w.Restart()
	return w
}

// Restart puts a new worker in the place of the old one: what was in its
// memory is forgotten.
func (w *World) Restart() {
	w.T.Helper()
	k, err := w.worker(context.Background(), w.Pool, w.Client)
	require.NoError(w.T, err)
	w.Store, w.Remote, w.Engine = k.Store, k.Remote, k.Engine
}

// Worker is both sides of one process and the engine between them.
type Worker struct {
	Store  *store.Store
	Remote *remote.Remote
	Engine *engine.Engine
}

// worker starts as the program does: binding and triggers first.
func (w *World) worker(ctx context.Context, pool *pgxpool.Pool, client *closeapi.Client) (*Worker, error) {
	s, err := store.Open(ctx, store.Options{Pool: pool, Connection: "default", Objects: w.Objects})
	if err != nil {
		return nil, err
	}
	if err := s.Bind(ctx, w.Close.OrganizationID()); err != nil {
		return nil, err
	}
	if _, err := s.EnsureTriggers(ctx); err != nil {
		return nil, err
	}
	r := remote.New(remote.Options{Client: client, Objects: w.Objects, OrganizationID: w.Close.OrganizationID(),
		APIKeyID: w.Close.Key(), CanSeeAll: !w.opt.HideAll})
	o := engine.Options{Objects: w.Objects, Local: s, Remote: r, Guards: w.opt.Guards, Settle: 50 * time.Millisecond}
	if w.opt.Engine != nil {
		w.opt.Engine(&o)
	}
	return &Worker{Store: s, Remote: r, Engine: engine.New(o)}, nil
}

// SQL runs statements as a local program would.
func (w *World) SQL(sql string, args ...any) {
	w.T.Helper()
	_, err := w.Pool.Exec(context.Background(), sql, args...)
	require.NoError(w.T, err)
}

// Get scans one value of a query; NULL gives "".
func (w *World) Get(sql string, args ...any) string {
	w.T.Helper()
	var v *string
	require.NoError(w.T, w.Pool.QueryRow(context.Background(), "SELECT ("+sql+")::text", args...).Scan(&v))
	if v == nil {
		return ""
	}
	return *v
}

// Load does the first load.
func (w *World) Load() {
	w.T.Helper()
	require.NoError(w.T, w.Engine.Reference(context.Background()))
	require.NoError(w.T, w.Engine.Backfill(context.Background(), nil))
	w.Settle()
}

// Tail follows the event log and works it off.
func (w *World) Tail() {
	w.T.Helper()
	_, _, err := w.Engine.Tail(context.Background())
	require.NoError(w.T, err)
	w.Settle()
}

// Search runs the incremental searches and works off what they found.
func (w *World) Search() {
	w.T.Helper()
	for _, t := range mapping.Types() {
		if w.Objects[t] != nil {
			require.NoError(w.T, w.Engine.SearchChanged(context.Background(), t))
		}
	}
	w.Settle()
}

// Audit compares everything and works off what differs.
func (w *World) Audit() {
	w.T.Helper()
	require.NoError(w.T, w.Engine.Audit(context.Background(), nil, nil))
	w.Settle()
}

// Settle cycles until nothing is due within two seconds, at most 300 times.
func (w *World) Settle() {
	w.T.Helper()
	ctx := context.Background()
	for range 300 {
		_, err := w.Engine.Run(ctx)
		require.NoError(w.T, err)
		wait, due, err := w.Store.NextDue(ctx)
		require.NoError(w.T, err)
		if !due || wait > 2*time.Second {
			return
		}
		if wait > 0 {
			w.Pool.QueryRow(ctx, "SELECT pg_sleep($1)", min(wait, 100*time.Millisecond).Seconds()).Scan(nil) //nolint:errcheck // only waits
		}
	}
	w.T.Fatalf("no rest after 300 cycles; still due: %s", w.Get(`SELECT string_agg(r.object_type || ' ' || coalesce(r.close_id, '') || ' ' || coalesce(r.local_key, '') || ' attempts ' || d.attempts, E'\n')
		FROM closesync.dirty d JOIN closesync.records r ON r.id = d.record_id`))
}

// Equal demands that every live record of Close has exactly one row that holds
// the same, field by field, and that no other row is there.
func (w *World) Equal() {
	w.T.Helper()
	if diff := w.Diff(); diff != "" {
		w.T.Fatalf("the sides differ (-close +local):\n%s", diff)
	}
}

// Diff tells how both sides differ in the mapped fields; "" if they do not.
func (w *World) Diff() string {
	w.T.Helper()
	var b strings.Builder
	for _, objectType := range mapping.Types() {
		o := w.Objects[objectType]
		if o == nil {
			continue
		}
		want, got := w.closeSide(o), w.localSide(o)
		for id, rec := range want {
			if got[id] == nil {
				fmt.Fprintf(&b, "%s %s has no row\n", objectType, id)
				continue
			}
			if objectType == "lead" {
				// It may trail until the next search (contract.md §4).
				delete(rec, "date_updated")
				delete(got[id], "date_updated")
			}
			if d := cmp.Diff(rec, got[id]); d != "" {
				fmt.Fprintf(&b, "%s %s:\n%s\n", objectType, id, d)
			}
		}
		for id := range got {
			if want[id] == nil {
				fmt.Fprintf(&b, "%s row with Close id %q is not in Close\n", objectType, id)
			}
		}
	}
	return b.String()
}
