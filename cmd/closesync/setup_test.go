package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/testdb"
	"closesync/migrations"
	"closesync/sync/closetest"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

// world is an imitation of Close and a migrated database that commands run
// against.
type world struct {
	t     *testing.T
	close *closetest.Server
	pool  *pgxpool.Pool
	env   []string
	in    string
}

// answer is what a command did.
type answer struct {
	code     int
	out, err string
}

func newWorld(t *testing.T, leads int) *world {
	t.Helper()
	dsn := testdb.NewWith(t, "migrated", func(ctx context.Context, dsn string) error {
		pool, err := pgxpool.New(ctx, dsn)
		if err != nil {
			return err
		}
		defer pool.Close()
		return migrations.Up(ctx, pool)
	})
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	srv := closetest.New(closetest.Options{Seed: 1, Leads: leads})
	base := strings.TrimSuffix(srv.Start(t), "/")
	return &world{t: t, close: srv, pool: pool, env: []string{"DATABASE_URL=" + dsn, "CLOSE_BASE_URL=" + base, "CLOSE_API_KEY=" + srv.Key()}}
}

// run runs one command line in this process, in an empty directory's config.
func (w *world) run(args ...string) answer {
	w.t.Helper()
	var out, errs bytes.Buffer
	code := execute(w.t.Context(), &options{in: strings.NewReader(w.in), out: &out, err: &errs, environ: w.env}, args)
	require.NotContains(w.t, out.String()+errs.String(), w.close.Key(), "the key was printed by %v", args)
	return answer{code, out.String(), errs.String()}
}

// decode reads the JSON that a command printed.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(a.out), &v), "%d %s %s", a.code, a.out, a.err)
	return v
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	_, err := w.pool.Exec(w.t.Context(), sql, args...)
	require.NoError(w.t, err)
}

// connection makes the row of the connection, as a first run would.
func (w *world) connection() {
	w.t.Helper()
	w.exec(`INSERT INTO closesync.connections (name) VALUES ('default')`)
}
