package jobs_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/internal/testdb"
	"closesync/jobs"
	"closesync/mapping"
)

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

var discard = slog.New(slog.DiscardHandler)

// worker makes a worker over a world; nothing runs before its Start. Its
// schedule does nothing by itself within a test.
func worker(t *testing.T, w *harness.World) *jobs.Worker {
	t.Helper()
	never := cron.Every(24 * time.Hour)
	j, err := jobs.New(jobs.Options{Pool: w.Pool, Logger: discard,
		Schedule:    jobs.Schedule{Events: never, Search: never, Audit: never},
		Connections: []jobs.Connection{{Name: "default", Engine: w.Engine, Types: mapping.Types()}}})
	require.NoError(t, err)
	w.Store.SetEnqueue(j.Enqueue("default"))
	w.Store.SetWorker(j.Name())
	return j
}

// start starts a worker and stops it at the end of the test.
func start(t *testing.T, j *jobs.Worker) {
	t.Helper()
	require.NoError(t, j.Start(t.Context()))
	t.Cleanup(func() {
		if err := j.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// eventually waits for a condition on the database.
func eventually(t *testing.T, w *harness.World, what, sql string, args ...any) {
	t.Helper()
	require.Eventually(t, func() bool { return w.Get(sql, args...) == "true" }, 30*time.Second, 20*time.Millisecond, what)
}
