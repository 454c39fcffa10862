package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

func never(time.Time) time.Time { return time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC) }

// overdue asks as a worker does that has just begun: with an engine that
// remembers nothing.
func (w *World) overdue(next func(time.Time) time.Time) []string {
	w.T.Helper()
	types, err := engine.New(w.Engine.Options).Overdue(context.Background(), next)
	require.NoError(w.T, err)
	return types
}

func TestFault_C20_TheCompareAfterARepairSurvivesACrash(t *testing.T) {
	w := rested(t, 220, 5)
	require.Empty(t, w.overdue(never), "triggers made before the first load owe nothing")
	w.SQL("DROP TRIGGER closesync_capture ON crm.leads")
	w.SQL("UPDATE crm.leads SET name = 'missed' WHERE id = 1")
	_, err := w.Store.EnsureTriggers(context.Background())
	require.NoError(t, err)
	require.Equal(t, []string{"lead"}, w.overdue(never))
	require.NoError(t, w.Engine.Audit(context.Background(), []string{"lead"}, nil))
	require.Empty(t, w.overdue(never))
	w.Settle()
	w.Equal()
	require.Equal(t, "missed", w.Get("SELECT name FROM crm.leads WHERE id = 1"))
}

func TestFault_C20_ARepairDuringACompareOwesAnother(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 221, Leads: 5}})
	w.Load()
	broke := false
	require.NoError(t, w.Engine.Audit(context.Background(), nil, func(int64) {
		if !broke {
			broke = true
			w.SQL("DROP TRIGGER closesync_capture ON crm.leads")
			_, err := w.Store.EnsureTriggers(context.Background())
			require.NoError(t, err)
		}
	}))
	require.True(t, broke)
	require.Equal(t, []string{"lead"}, w.overdue(never))
}

func TestFault_A32_TheCompareAfterAGapSurvivesACrash(t *testing.T) {
	t.Parallel()
	clock := closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: closetest.Options{Seed: 232, Leads: 3, Clock: clock}})
	w.Load()
	clock.Advance(31 * 24 * time.Hour)
	w.Tail() // and the worker dies before it could compare anything
	_, gap, err := w.Engine.Tail(context.Background())
	require.NoError(t, err)
	require.False(t, gap, "the watermark has moved on")
	require.Equal(t, mapping.Types(), w.overdue(never))
	w.Audit()
	require.Empty(t, w.overdue(never))
}

func TestMissedSchedule(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := New(t, Options{Close: closetest.Options{Seed: 233, Leads: 3}, Engine: func(o *engine.Options) { o.Now = func() time.Time { return now } }})
	daily := func(last time.Time) time.Time { return last.Add(24 * time.Hour) }
	require.Empty(t, w.overdue(func(time.Time) time.Time { return time.Time{} }), "nothing before the first load")
	w.Load()
	require.Empty(t, w.overdue(daily), "the first load is a full compare")
	now = now.Add(24*time.Hour + 2*time.Minute)
	require.Equal(t, mapping.Types(), w.overdue(daily), "the worker was down when it was due")
	w.Audit()
	require.Empty(t, w.overdue(daily))

	for _, stream := range []string{engine.StreamEvents, engine.SearchStream("lead")} {
		missed, err := w.Engine.Missed(context.Background(), stream, daily)
		require.NoError(t, err)
		require.False(t, missed, "%s never ran", stream)
	}
	w.Tail()
	w.Search()
	now = now.Add(25 * time.Hour)
	for _, stream := range []string{engine.StreamEvents, engine.SearchStream("lead")} {
		missed, err := w.Engine.Missed(context.Background(), stream, daily)
		require.NoError(t, err)
		require.True(t, missed, stream)
	}
}
