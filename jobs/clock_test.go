package jobs_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/jobs"
	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// jumping is a world whose clocks here, the worker's and that of Postgres, can
// be set; Close's goes on.
func jumping(t *testing.T, seed uint64) (w *harness.World, set func(by string)) {
	t.Helper()
	var apart atomic.Int64
	w = harness.New(t, harness.Options{Close: closetest.Options{Seed: seed, Leads: 5}, Engine: func(o *engine.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(apart.Load())) }
	}})
	w.Load()
	return w, func(by string) {
		d, err := time.ParseDuration(by)
		require.NoError(t, err)
		apart.Store(int64(d))
		w.SQL("CREATE OR REPLACE FUNCTION closesync.clock() RETURNS timestamptz LANGUAGE sql VOLATILE RETURN clock_timestamp() + interval '" + by + "'")
	}
}

func follower(t *testing.T, w *harness.World) {
	t.Helper()
	j, err := jobs.New(jobs.Options{Pool: w.Pool, Logger: discard,
		Schedule:    jobs.Schedule{Events: cron.Every(time.Second), Search: cron.Every(24 * time.Hour), Audit: cron.Every(24 * time.Hour)},
		Connections: []jobs.Connection{{Name: "default", Engine: w.Engine, Types: mapping.Types()}}})
	require.NoError(t, err)
	w.Store.SetEnqueue(j.Enqueue("default"))
	w.Store.SetWorker(j.Name())
	start(t, j)
	eventually(t, w, "the start is over", "SELECT count(*) > 0 FROM river.river_job WHERE kind = 'search' AND state = 'completed'")
}

func bothWays(t *testing.T, w *harness.World, text string) {
	t.Helper()
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Update(id, map[string]any{"description": text}))
	eventually(t, w, "an edit in Close arrives", "SELECT description = $1 FROM crm.leads WHERE id = 1", text)
	w.SQL("UPDATE crm.leads SET name = $1 WHERE id = 2", text)
	require.Eventually(t, func() bool {
		lead, _ := w.Close.Get(w.Get("SELECT close_id FROM crm.leads WHERE id = 2"))
		return lead["name"] == text
	}, 30*time.Second, 20*time.Millisecond)
}

func TestFault_D7_TheClockIsSetBackByADay(t *testing.T) {
	t.Parallel()
	w, set := jumping(t, 407)
	follower(t, w)
	// What waits for a moment, or for the end of a claim, is dated before: by the
	// clock that is set back it lies a day ahead.
	waiting := w.Get("SELECT close_id FROM crm.leads WHERE id = 3")
	require.NoError(t, w.Close.Update(waiting, map[string]any{"description": "waits"}))
	require.NoError(t, w.Store.Mark(t.Context(), "lead", []string{waiting}, engine.Cause{}, 0))
	set("-24h")
	w.SQL("UPDATE closesync.dirty SET not_before = clock_timestamp(), lease_until = clock_timestamp()")
	w.SQL(`UPDATE river.river_job SET scheduled_at = clock_timestamp() + interval '1 day' WHERE state IN ('available', 'retryable', 'scheduled')`)
	w.SQL(`INSERT INTO river.river_job (state, max_attempts, scheduled_at, kind, args, queue, unique_key, unique_states)
		SELECT 'retryable', 10, clock_timestamp() + interval '1 day', kind, args, queue, unique_key, unique_states FROM river.river_job
		WHERE kind = 'events' AND unique_key IS NOT NULL ORDER BY id DESC LIMIT 1 ON CONFLICT DO NOTHING`)
	eventually(t, w, "what waited goes on", "SELECT description = 'waits' FROM crm.leads WHERE close_id = $1", waiting)
	bothWays(t, w, "a day back")
}

func TestFault_D7_TheClockIsSetForwardByADay(t *testing.T) {
	t.Parallel()
	w, set := jumping(t, 4070)
	follower(t, w)
	bothWays(t, w, "as usual")
	count := func() string {
		return w.Get("SELECT count(*) FROM river.river_job WHERE kind IN ('audit', 'backfill', 'reference')")
	}
	before := count()
	set("24h")
	bothWays(t, w, "a day on")
	bothWays(t, w, "and further")
	require.Equal(t, before, count(), "what is due once a day does not come in a storm")
	set("-24h")
	bothWays(t, w, "and two days back")
}

// After an outage nothing waits for as long as the outage was: neither what
// follows Close nor, because of it, the next turn of the schedule.
func TestFault_A8_AFailedJobIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	for tries := range 1000 {
		job := &rivertype.JobRow{Errors: make([]rivertype.AttemptError, tries), Attempt: tries + 1}
		wait := time.Until(jobs.Soon.NextRetry(job))
		require.Positive(t, wait)
		require.LessOrEqual(t, wait, time.Minute)
	}
	require.Greater(t, time.Until(jobs.Soon.NextRetry(&rivertype.JobRow{Errors: make([]rivertype.AttemptError, 4)})), 10*time.Second, "it backs off")
	require.Greater(t, river.JobArgsWithInsertOpts(jobs.AuditArgs{}).InsertOpts().MaxAttempts, 100, "a compare that was asked for is not given up")
}
