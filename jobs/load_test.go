package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/jobs"
	"closesync/sync/closetest"
)

// The job comes every minute. What Close is asked, and when, is for the user's
// schedule to say.
func TestBackfill_AsksNothingOnceAllIsLoaded(t *testing.T) {
	t.Parallel()
	w := harness.New(t, harness.Options{Close: closetest.Options{Seed: 61, Leads: 3}})
	j := worker(t, w)
	start(t, j)
	followed := `SELECT count(*) FILTER (WHERE kind = 'backfill') = $1 AND count(*) FILTER (WHERE kind = 'events') >= 1
		AND count(*) FILTER (WHERE kind = 'search') >= 1 AND bool_and(state = 'completed') FROM river.river_job`
	eventually(t, w, "the first load is followed up", followed, 1)
	w.Equal()
	before := w.Get("SELECT count(*) FROM river.river_job WHERE kind IN ('events', 'search')")
	w.Close.ResetRequests()
	_, err := j.Client().Insert(t.Context(), jobs.BackfillArgs{Connection: "default"}, nil)
	require.NoError(t, err)
	eventually(t, w, "the job is done", followed, 2)
	require.Equal(t, before, w.Get("SELECT count(*) FROM river.river_job WHERE kind IN ('events', 'search')"))
	require.Empty(t, w.Close.Requests())
}
