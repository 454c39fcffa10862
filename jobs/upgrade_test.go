package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/migrations"
	"closesync/sync/closetest"
)

// later makes of a database what the next version would: its migrations only
// add (expand), and its jobs may be of new kinds and carry more.
func later(t *testing.T, w *harness.World) {
	t.Helper()
	tables := w.Get(`SELECT string_agg(format('%I.%I', schemaname, tablename), ' ') FROM pg_tables WHERE schemaname = 'closesync' AND tablename NOT LIKE '%version%'`)
	require.NotEmpty(t, tables)
	for _, table := range strings.Fields(tables) {
		w.SQL("ALTER TABLE " + table + " ADD COLUMN from_later text, ADD COLUMN from_later_too jsonb NOT NULL DEFAULT '{}'")
	}
	w.SQL("CREATE TABLE closesync.from_later (id bigint PRIMARY KEY)")
	w.SQL("INSERT INTO closesync.schema_version (version_id, is_applied) SELECT max(version_id) + 1, true FROM closesync.schema_version")
	w.SQL(`INSERT INTO river.river_job (state, max_attempts, kind, args, queue) VALUES
		('available', 25, 'from_later', '{"connection": "default", "shard": 3}', 'follow'),
		('available', 25, 'cycle', '{"connection": "default", "shard": 3}', 'cycle'),
		('available', 25, 'audit', '{"connection": "default", "types": ["lead"], "depth": {"a": 1}}', 'load')`)
}

// An old worker runs while a new one has migrated the database, starts again
// after it (a rollback), and works beside it.
func TestFault_D12_ALaterSchemaAndItsJobs(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 412, Leads: 6}})
	w.Load()
	start(t, worker(t, w))
	eventually(t, w, "the start is over", "SELECT count(*) > 0 FROM river.river_job WHERE kind = 'search' AND state = 'completed'")
	later(t, w)
	eventually(t, w, "a job with more in it is worked", "SELECT count(*) = 1 FROM river.river_job WHERE kind = 'audit' AND state = 'completed'")
	w.SQL("UPDATE crm.leads SET name = 'by the old one' WHERE id = 1")
	eventually(t, w, "it goes on", workDone)
	w.Equal()

	require.NoError(t, migrations.Up(t.Context(), w.Pool), "a rollback starts on the later schema")
	require.Equal(t, "true", w.Get("SELECT to_regclass('closesync.from_later') IS NOT NULL"), "and takes nothing back")
	w.Restart()
	w.SQL("INSERT INTO crm.leads (name) VALUES ('made by the old one')")
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 2")
	require.NoError(t, w.Close.Update(id, map[string]any{"name": "seen by the old one"}))
	w.Settle()
	w.Tail()
	w.Search()
	w.Audit()
	w.Equal()
	require.Equal(t, "true", w.Get(`SELECT state IN ('available', 'retryable', 'running', 'scheduled') FROM river.river_job WHERE kind = 'from_later'`),
		"what the old one does not know is left for the new one")
}
