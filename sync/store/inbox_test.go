package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/engine"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func event(id string, at time.Time, object string) engine.Event {
	return engine.Event{ID: id, Updated: at, ObjectType: "lead", ObjectID: object, Action: "updated", Body: []byte("{}")}
}

func TestFault_B1_ARepeatedEventIsStoredOnce(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	e := event("ev_1", noon, "lead_1")
	n, err := s.Accept(t.Context(), "webhook", []engine.Event{e, e, e})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = s.Accept(t.Context(), "event_log", []engine.Event{e})
	require.NoError(t, err)
	require.Equal(t, 0, n)
	require.Equal(t, int64(1), value[int64](t, pool, "SELECT gen FROM closesync.dirty"), "a repeat marks nothing")
}

// What looked too old to be trusted is trusted once the event log says the same.
func TestFault_B12_TheLogConfirmsAStaleDelivery(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	stale := event("ev_1", noon, "lead_1")
	stale.Stale = true
	for _, step := range []struct {
		event engine.Event
		fresh int
	}{{stale, 1}, {stale, 0}, {event("ev_1", noon, "lead_1"), 1}, {event("ev_1", noon, "lead_1"), 0}, {stale, 0}} {
		n, err := s.Accept(t.Context(), "event_log", []engine.Event{step.event})
		require.NoError(t, err)
		require.Equal(t, step.fresh, n)
	}
	require.Equal(t, int64(1), value[int64](t, pool, "SELECT count(*) FROM closesync.inbox WHERE NOT stale"))
}

func TestFault_B2_TheSameIdWithANewerDateIsNew(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	for i := range 3 {
		n, err := s.Accept(t.Context(), "webhook", []engine.Event{event("ev_1", noon.Add(time.Duration(i)*time.Second), "lead_1")})
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	require.Equal(t, int64(3), value[int64](t, pool, "SELECT cardinality(events)::bigint FROM closesync.dirty"))
}

func TestAccept_MarksWhatAnEventSpeaksOf(t *testing.T) {
	t.Parallel()
	merge := event("ev_m", noon, "lead_b")
	merge.MergeSource, merge.Action = "lead_a", "merged"
	foreign, unmapped, stale := event("ev_f", noon, "lead_f"), event("ev_t", noon, "task_1"), event("ev_s", noon, "lead_s")
	foreign.Foreign, stale.Stale = true, true
	unmapped.ObjectType = "activity.call"
	for name, c := range map[string]struct {
		event engine.Event
		ids   []string
		fetch bool
	}{
		"merge marks both":        {merge, []string{"lead_a", "lead_b"}, false},
		"foreign is only kept":    {foreign, nil, false},
		"unmapped is only kept":   {unmapped, nil, false},
		"stale must be refetched": {stale, []string{"lead_s"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, pool := opened(t)
			_, err := s.Accept(t.Context(), "webhook", []engine.Event{c.event})
			require.NoError(t, err)
			claims, err := s.Claim(t.Context(), 10, time.Minute)
			require.NoError(t, err)
			var ids []string
			for _, claim := range claims {
				ids = append(ids, claim.CloseID)
				require.Equal(t, c.fetch, claim.Fetch)
			}
			require.ElementsMatch(t, c.ids, ids)
			require.Equal(t, int64(1), value[int64](t, pool, "SELECT count(*) FROM closesync.inbox"))
		})
	}
}

func TestFault_A19_BodiesAreKeptAsBytes(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	e := event("ev_1", noon, "lead_1")
	e.Body = []byte("{\"a\":\"\\u0000\\ud800\", \"raw\":\"\x00\xff\"}")
	_, err := s.Accept(t.Context(), "webhook", []engine.Event{e})
	require.NoError(t, err)
	row := value[int64](t, pool, "SELECT id FROM closesync.inbox")
	bodies, err := s.Bodies(t.Context(), []int64{row})
	require.NoError(t, err)
	require.Equal(t, e.Body, bodies[row].Body)
}

func TestCheckpoint_RoundTrip(t *testing.T) {
	t.Parallel()
	s, _ := opened(t)
	none, err := s.Checkpoint(t.Context(), "events")
	require.NoError(t, err)
	require.Equal(t, engine.Checkpoint{Stream: "events"}, none)
	want := engine.Checkpoint{Stream: "events", Watermark: noon, LastRun: noon.Add(time.Hour), Position: map[string]any{"page": "x"}}
	require.NoError(t, s.SaveCheckpoint(t.Context(), want))
	got, err := s.Checkpoint(t.Context(), "events")
	require.NoError(t, err)
	require.NotEmpty(t, got.Epoch, "the database says which run of it saved the checkpoint")
	got.Epoch = ""
	require.Equal(t, want, got)
	// A checkpoint that names no watermark keeps the one there is.
	require.NoError(t, s.SaveCheckpoint(t.Context(), engine.Checkpoint{Stream: "events"}))
	got, err = s.Checkpoint(t.Context(), "events")
	require.NoError(t, err)
	require.Equal(t, noon, got.Watermark)
	require.Equal(t, want.LastRun, got.LastRun)
}

// An id that would mean another address when the record is asked for is kept
// with its event, and no record is made of it.
func TestFault_B18_AnEventOfAnImpossibleId(t *testing.T) {
	t.Parallel()
	s, pool := opened(t)
	merge := event("ev_4", noon, "lead_2")
	merge.Action, merge.MergeSource = "merged", "lead_1/../x"
	list := []engine.Event{event("ev_1", noon, "../contact/x?y="), event("ev_2", noon, "lead_1\u00a0"), event("ev_3", noon, "lead_1"), merge}
	n, err := s.Accept(t.Context(), "webhook", list)
	require.NoError(t, err)
	require.Equal(t, 4, n, "all are kept")
	require.Equal(t, "lead_1,lead_2", value[string](t, pool, "SELECT string_agg(r.close_id, ',' ORDER BY r.close_id) FROM closesync.dirty d JOIN closesync.records r ON r.id = d.record_id"))
	require.Equal(t, int64(2), value[int64](t, pool, "SELECT count(*) FROM closesync.records"))
}
