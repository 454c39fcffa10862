package testdb

import (
	"context"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

func run(t *testing.T, dsn, sql string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), sql)
	return err
}

func TestNew_DatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	one, two := New(t), New(t)
	require.NotEqual(t, one, two)
	require.NoError(t, run(t, one, "CREATE TABLE only_here ()"))
	require.Error(t, run(t, two, "SELECT FROM only_here"))
}

func TestNewWith_PreparesOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	prepare := func(ctx context.Context, dsn string) error {
		calls.Add(1)
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		// Left open on purpose: a careless prepare must not block the copies.
		_, err = conn.Exec(ctx, "CREATE TABLE migrated ()")
		return err
	}
	for range 3 {
		require.NoError(t, run(t, NewWith(t, "once", prepare), "SELECT FROM migrated"))
	}
	require.EqualValues(t, 1, calls.Load())
}

func TestNew_IsDroppedAtTheEnd(t *testing.T) {
	var dsn string
	t.Run("user", func(t *testing.T) { dsn = New(t) })
	if dsn == "" {
		t.Skip("no database")
	}
	_, err := pgx.Connect(t.Context(), dsn)
	require.ErrorContains(t, err, "does not exist")
}

func TestWithDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://u:p@h:1/old?sslmode=disable": "postgres://u:p@h:1/new?sslmode=disable",
		"postgresql:///old?host=/tmp":            "postgresql:///new?host=/tmp",
		"host=/tmp dbname=old":                   "host=/tmp dbname=old dbname=new",
	} {
		require.Equal(t, want, withDatabase(dsn, "new"))
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(b)
	}
}
