package main

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/config"
)

// readyWorld is an assembled worker of which nothing runs.
func readyWorld(t *testing.T) (*world, *app, *bytes.Buffer) {
	t.Helper()
	w := newWorld(t, 1)
	var log bytes.Buffer
	o := &options{err: &log, environ: w.env}
	cfg, err := config.Load(config.Source{Environ: w.env})
	require.NoError(t, err)
	a, err := o.assemble(t.Context(), cfg, true)
	require.NoError(t, err)
	t.Cleanup(a.close)
	_, err = a.conns[0].check(t.Context())
	require.NoError(t, err)
	require.Empty(t, a.reasons(t.Context()))
	return w, a, &log
}

func TestReady_NotWithADatabaseThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	w, a, _ := readyWorld(t)
	name := pgxQuoted(t, w)
	for _, set := range []string{"DATABASE " + name, "ROLE current_user IN DATABASE " + name} {
		w.exec("ALTER " + set + " SET default_transaction_read_only = on")
		require.Contains(t, a.reasons(t.Context())[0], "read-only", set)
		// A session that sees it can undo it only so.
		w.exec("BEGIN READ WRITE; ALTER " + set + " RESET default_transaction_read_only; COMMIT")
		require.Empty(t, a.reasons(t.Context()), set)
	}
	w.exec("DROP SCHEMA closesync CASCADE")
	require.Contains(t, a.reasons(t.Context())[0], "closesync migrate up")
}

func pgxQuoted(t *testing.T, w *world) string {
	t.Helper()
	var name string
	require.NoError(t, w.pool.QueryRow(t.Context(), "SELECT quote_ident(current_database())").Scan(&name))
	return name
}

// A session that began while the database was read-only stays so.
func TestReady_NotWithReadOnlySessions(t *testing.T) {
	t.Parallel()
	w, a, _ := readyWorld(t)
	cfg, err := pgxpool.ParseConfig(w.env[0][len("DATABASE_URL="):])
	require.NoError(t, err)
	cfg.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	readOnly, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(readOnly.Close)
	good := a.pool
	a.pool = readOnly
	defer func() { a.pool = good }()
	require.Contains(t, a.reasons(t.Context())[0], "read-only")
}

// What the mapping names and the database lacks is told by the log once, and
// by /readyz as long as it lasts; a column of another type by the log alone.
func TestReady_TellsWhatTheMappingMisses(t *testing.T) {
	t.Parallel()
	w, a, log := readyWorld(t)
	look := func() []string {
		_, err := a.conns[0].check(t.Context())
		require.NoError(t, err)
		return a.reasons(t.Context())
	}
	require.NotContains(t, log.String(), "does not fit")
	w.exec("ALTER TABLE crm.leads RENAME url TO homepage")
	for range 3 {
		require.Equal(t, []string{"connection default: crm.leads has no column url"}, look())
	}
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("has no column url")), log.String())
	w.exec("ALTER TABLE crm.leads RENAME homepage TO url")
	require.Empty(t, look())
	require.Contains(t, log.String(), "fit again")

	w.exec("ALTER TABLE crm.opportunities ALTER date_won TYPE timestamptz")
	require.Empty(t, look())
	require.Contains(t, log.String(), "date_won")

	w.exec("ALTER TABLE crm.opportunities RENAME TO deals")
	require.Contains(t, look()[0], "crm.opportunities")
}
