package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/engine"
)

// finish ends claims without a change.
func finish(t *testing.T, s interface {
	Decide(ctx context.Context, b engine.Batch, decide func(engine.Present, []*engine.State) error) error
}, claims []*engine.Claim) {
	t.Helper()
	batch := engine.Batch{IDs: map[string][]int64{}, Claims: claims}
	for _, c := range claims {
		batch.IDs[c.Type] = append(batch.IDs[c.Type], c.RecordID)
	}
	require.NoError(t, s.Decide(t.Context(), batch, func(engine.Present, []*engine.State) error { return nil }))
}

func TestFault_D17_AMovedGenerationIsDueAgain(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	require.NoError(t, s.Mark(t.Context(), "lead", []string{"lead_1"}, nil, 0))
	claims, err := s.Claim(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.Mark(t.Context(), "lead", []string{"lead_1"}, nil, 0))
	finish(t, s, claims)
	again, err := s.Claim(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.Len(t, again, 1)
	finish(t, s, again)
	require.Equal(t, int64(0), value[int64](t, pool, "SELECT count(*) FROM closesync.dirty"))
}

func TestFault_D17_AFreshHintDoesNotWaitForABackoff(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	require.NoError(t, s.Mark(t.Context(), "lead", []string{"lead_1"}, nil, 0))
	claims, err := s.Claim(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.Mark(t.Context(), "lead", []string{"lead_1"}, nil, 0))
	claims[0].Retry = 5 * time.Minute
	finish(t, s, claims)
	require.True(t, value[bool](t, pool, "SELECT not_before <= clock_timestamp() FROM closesync.dirty"))
}

func TestClaim_CountsRetriesAndWaits(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	require.NoError(t, s.Mark(t.Context(), "lead", []string{"lead_1"}, nil, 0))
	claims, err := s.Claim(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	claims[0].Retry = time.Hour
	finish(t, s, claims)
	none, err := s.Claim(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.Empty(t, none)
	require.Equal(t, "pending 1 true", value[string](t, pool, "SELECT state || ' ' || attempts || ' ' || (next_attempt_at > now()) FROM closesync.record_status"))
	exec(t, pool, "UPDATE closesync.dirty SET not_before = '-infinity'")
	claims, err = s.Claim(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.Equal(t, 1, claims[0].Attempts)
	require.True(t, claims[0].Fetch, "what failed is read again")
}

func TestFault_D4_AFinishedIntentStaysFinished(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	exec(t, pool, "INSERT INTO closesync.intents (connection, record_id, object_type, action) VALUES (1, 1, 'lead', 'create')")
	require.NoError(t, s.FinishIntent(t.Context(), 1, "unknown", "no answer"))
	require.NoError(t, s.FinishIntent(t.Context(), 1, "done", ""))
	require.NoError(t, s.FinishIntent(t.Context(), 1, "unknown", "a zombie's view"))
	require.Equal(t, "done", value[string](t, pool, "SELECT state FROM closesync.intents"))
}

// Times of records are the database's, whichever worker writes them.
func TestRecords_AreDatedByTheDatabase(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	exec(t, pool, `CREATE OR REPLACE FUNCTION closesync.clock() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE RETURN '2031-02-03 04:05:06Z'::timestamptz`)
	for range 2 { // made, then changed
		require.NoError(t, s.Decide(t.Context(), engine.Batch{CloseIDs: map[string][]string{"lead": {"lead_1"}}}, func(_ engine.Present, states []*engine.State) error {
			states[0].Outcome = &engine.Outcome{Status: engine.Errored, Error: "refused", Class: "invalid", CloseID: "lead_1"}
			return nil
		}))
		require.Equal(t, "1 2031-02-03 04:05:06+00", value[string](t, pool, "SELECT count(*) || ' ' || min(last_synced_at) FROM closesync.records"))
		exec(t, pool, "UPDATE closesync.records SET last_synced_at = NULL")
	}
}
