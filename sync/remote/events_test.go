package remote

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

func collect(t *testing.T, r *Remote, since time.Time) ([]engine.Event, time.Time) {
	t.Helper()
	var all []engine.Event
	newest, err := r.Events(t.Context(), since, func(batch []engine.Event) error {
		require.LessOrEqual(t, len(batch), 50)
		all = append(all, batch...)
		return nil
	})
	require.NoError(t, err)
	return all, newest
}

func TestEventsBackToSince(t *testing.T) {
	start := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	clock := closetest.NewClock(start)
	srv, r := imitation(t, closetest.Options{Seed: 1, Clock: clock}, nil)
	for range 120 {
		_, err := srv.Create("lead", map[string]any{"name": "l"})
		require.NoError(t, err)
		clock.Advance(time.Second)
	}
	events, newest := collect(t, r, start)
	require.Len(t, events, 120)
	require.Equal(t, start.Add(119*time.Second), newest)
	for _, ev := range events {
		require.NotEmpty(t, ev.Body)
		require.Equal(t, "lead", ev.ObjectType)
		require.False(t, ev.Foreign)
	}
	events, _ = collect(t, r, start.Add(100*time.Second))
	require.Len(t, events, 20)
	events, newest = collect(t, r, start.Add(time.Hour))
	require.Empty(t, events)
	require.Equal(t, start.Add(time.Hour), newest)
}

func TestEventsLeaveOutUnreadableOnes(t *testing.T) {
	r := answering(t, http.StatusOK, `{"cursor_next":null,"data":[
		{"id":"ev_1","date_updated":"2026-11-03T10:00:03","object_type":"lead","object_id":"lead_a","action":"updated","organization_id":"orga_2"},
		{"id":"ev_2","date_updated":"2026-11-03T10:00:02","object_type":"lead","object_id":5,"action":"updated"},
		{"id":"ev_3","object_type":"lead","object_id":"lead_a","action":"updated"},
		"text",
		{"id":"ev_4","date_updated":"2026-11-03T10:00:01","object_type":"lead","object_id":"lead_b","action":"deleted","organization_id":"orga_1"}]}`)
	events, newest := collect(t, r, time.Time{})
	require.Len(t, events, 2)
	require.True(t, events[0].Foreign)
	require.False(t, events[1].Foreign)
	require.Equal(t, "lead_b", events[1].ObjectID)
	require.Equal(t, time.Date(2026, 11, 3, 10, 0, 3, 0, time.UTC), newest)
}

func TestEventsStopOnError(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1}, nil)
	_, err := srv.Create("lead", map[string]any{"name": "l"})
	require.NoError(t, err)
	full := fmt.Errorf("disk full")
	_, err = r.Events(t.Context(), time.Time{}, func([]engine.Event) error { return full })
	require.ErrorIs(t, err, full)

	_, err = answering(t, http.StatusUnauthorized, `{}`).Events(t.Context(), time.Time{}, nil)
	requireClass(t, err, classUnauthorized)
}

func TestCreatedFindsOwnOnly(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1}, nil)
	_, err := srv.Create("lead", map[string]any{"name": "by a person"})
	require.NoError(t, err)
	since := time.Now().Add(-time.Hour)
	ours, err := r.Create(t.Context(), "lead", mapping.Record{"name": mapping.TextValue("ours")}, "")
	require.NoError(t, err)
	found, err := r.Created(t.Context(), "lead", since)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, ours.ID, found[0].ID)
	require.Equal(t, mapping.TextValue("ours"), found[0].Record["name"])

	found, err = r.Created(t.Context(), "lead", time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, found)
	require.Empty(t, srv.Violations())
}

func TestFault_A31_CreatedReadsWhatEventLeavesOut(t *testing.T) {
	r := serving(t, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.Contains(q.URL.Path, "/event/"):
			_, _ = io.WriteString(w, `{"cursor_next":null,"data":[
				{"id":"ev_1","date_updated":"2026-11-03T10:00:03","object_type":"contact","object_id":"cont_a","action":"created","api_key_id":"api_own"},
				{"id":"ev_2","date_updated":"2026-11-03T10:00:02","object_type":"contact","object_id":"cont_b","action":"created","api_key_id":"api_own"}]}`)
		case strings.Contains(q.URL.Path, "cont_a"):
			_, _ = io.WriteString(w, `{"id":"cont_a","name":"A"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	found, err := r.Created(t.Context(), "contact", time.Time{})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "cont_a", found[0].ID)
}

func TestNow(t *testing.T) {
	want := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	local := want.Add(time.Hour)
	for header, expect := range map[string]time.Time{want.Format(http.TimeFormat): want, "nonsense": local} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", header)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{}`)
		}))
		t.Cleanup(srv.Close)
		r := connect(t, srv.URL+"/api/v1/", "api_own.secret", func(o *Options) { o.Now = func() time.Time { return local } })
		got, err := r.Now(t.Context())
		require.NoError(t, err)
		require.Equal(t, expect, got)
	}
	_, err := answering(t, http.StatusUnauthorized, `{}`).Now(t.Context())
	requireClass(t, err, classUnauthorized)
}

func TestReference(t *testing.T) {
	_, r := imitation(t, closetest.Options{Seed: 1}, nil)
	ref, err := r.Reference(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, ref.Users)
	require.NotEmpty(t, ref.LeadStatuses)
	require.NotEmpty(t, ref.Pipelines)
	position := map[string]int{}
	for _, s := range ref.Opportunities {
		require.Equal(t, position[s.PipelineID], s.Position)
		require.NotEmpty(t, s.Type)
		position[s.PipelineID]++
	}
	require.NotEmpty(t, position)
	types, ids := map[string]bool{}, map[string]bool{}
	for _, f := range ref.CustomFields {
		require.False(t, ids[f.ID])
		ids[f.ID], types[f.ObjectType] = true, true
	}
	require.True(t, types["lead"] && types["contact"] && types["opportunity"])
}
