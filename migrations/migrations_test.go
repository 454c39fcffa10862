package migrations_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"closesync/internal/testdb"
	"closesync/migrations"
)

func empty(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), testdb.New(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// shape lists what the migrations made: relations with their columns,
// functions and types, one a line.
func shape(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('closesync', 'crm'))
		SELECT format('%s.%s %s %s %s', o.nspname, c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod)) AS line
		FROM ours o JOIN pg_class c ON c.relnamespace = o.oid
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relname NOT LIKE 'schema\_version%'
		UNION ALL
		SELECT format('%s.%s(%s)', o.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
		FROM ours o JOIN pg_proc p ON p.pronamespace = o.oid
		UNION ALL
		SELECT format('trigger %s on %s', t.tgname, t.tgrelid::regclass)
		FROM ours o JOIN pg_class c ON c.relnamespace = o.oid JOIN pg_trigger t ON t.tgrelid = c.oid
		WHERE NOT t.tgisinternal
		ORDER BY line`)
	require.NoError(t, err)
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		lines = append(lines, line)
	}
	require.NoError(t, rows.Err())
	return lines
}

// applied counts the migrations that are in, and all there are.
func applied(t *testing.T, pool *pgxpool.Pool) (in, all int) {
	t.Helper()
	list, err := migrations.List(t.Context(), pool)
	require.NoError(t, err)
	for _, s := range list {
		if s.Applied {
			in++
		}
	}
	return in, len(list)
}

// Each step down leaves what stood before its step up, and the way up from
// there leads to the same schema.
func TestUpDownUp(t *testing.T) {
	t.Parallel()
	pool := empty(t)
	require.NoError(t, migrations.Up(t.Context(), pool))
	whole := shape(t, pool)
	require.NotEmpty(t, whole)
	_, all := applied(t, pool)
	for left := all - 1; left >= 0; left-- {
		require.NoError(t, migrations.Down(t.Context(), pool), "%d left", left)
		in, _ := applied(t, pool)
		require.Equal(t, left, in)
	}
	require.Empty(t, shape(t, pool))
	require.NoError(t, migrations.Up(t.Context(), pool))
	require.Equal(t, whole, shape(t, pool))
	in, _ := applied(t, pool)
	require.Equal(t, all, in)
}

// A single step taken back and made again must do as well, at every depth.
func TestDownAndUpAtEveryDepth(t *testing.T) {
	t.Parallel()
	pool := empty(t)
	require.NoError(t, migrations.Up(t.Context(), pool))
	whole := shape(t, pool)
	_, all := applied(t, pool)
	for depth := 1; depth <= all; depth++ {
		for range depth {
			require.NoError(t, migrations.Down(t.Context(), pool))
		}
		require.NoError(t, migrations.Up(t.Context(), pool))
		require.Equal(t, whole, shape(t, pool), "depth %d", depth)
	}
}

func TestUp_TwiceAndAtOnce(t *testing.T) {
	t.Parallel()
	pool := empty(t)
	var g errgroup.Group
	for range 3 {
		g.Go(func() error { return migrations.Up(t.Context(), pool) })
	}
	require.NoError(t, g.Wait())
	whole := shape(t, pool)
	require.NoError(t, migrations.Up(t.Context(), pool))
	require.Equal(t, whole, shape(t, pool))
	in, all := applied(t, pool)
	require.Equal(t, all, in)
}
