package remote

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

func TestFetchReadsWholeRecord(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1, Leads: 1}, nil)
	for _, objectType := range mapping.Types() {
		id := srv.List(objectType)[0]["id"].(string)
		got := r.Fetch(t.Context(), objectType, id)
		require.NoError(t, got.Err)
		require.True(t, got.Fresh)
		require.Equal(t, id, got.Remote.ID)
		require.False(t, got.Remote.Version.IsZero())
		want, _ := srv.Get(id)
		for name, value := range want {
			if f, ok := r.opt.Objects[objectType].Field(name); ok && value != nil {
				require.Contains(t, got.Remote.Record, f.Close)
			}
		}
	}
	require.EqualValues(t, len(srv.Requests()), r.Requests())
	require.Empty(t, srv.Violations())
}

func TestFetchOfLeadLeavesChildrenOut(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1, Leads: 1}, nil)
	got := r.Fetch(t.Context(), "lead", srv.List("lead")[0]["id"].(string))
	require.NoError(t, got.Err)
	require.Empty(t, got.Remote.Nested)
	requests := srv.Requests()
	require.NotContains(t, requests[len(requests)-1].Query, "contacts", "they are not asked for")
}

func TestFetchOfWhatIsGone(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1, Leads: 3}, nil)
	leads := srv.List("lead")
	deleted, source, target := leads[0]["id"].(string), leads[1]["id"].(string), leads[2]["id"].(string)
	child := ""
	for _, c := range srv.List("contact") {
		if c["lead_id"] == deleted {
			child = c["id"].(string)
		}
	}
	require.NoError(t, srv.Delete(deleted))
	require.NoError(t, srv.Merge(source, target))
	_, _ = srv.Get(target) // lets a merge that is under way end

	got := r.Fetch(t.Context(), "lead", deleted)
	require.NoError(t, got.Err)
	require.True(t, got.Gone)
	require.Empty(t, got.Into)
	require.Contains(t, got.Cause, "event")

	got = r.Fetch(t.Context(), "contact", child)
	require.NoError(t, got.Err)
	require.True(t, got.Gone)

	got = r.Fetch(t.Context(), "lead", source)
	require.NoError(t, got.Err)
	require.True(t, got.Gone)
	require.Equal(t, target, got.Into)
}

func TestFetchOfWhatIsNotSeen(t *testing.T) {
	for _, seesAll := range []bool{true, false} {
		srv, r := imitation(t, closetest.Options{Seed: 1, Leads: 1}, func(o *Options) { o.CanSeeAll = seesAll })
		id := srv.List("lead")[0]["id"].(string)
		require.NoError(t, srv.Hide(id, true))
		got := r.Fetch(t.Context(), "lead", id)
		require.NoError(t, got.Err)
		require.Equal(t, seesAll, got.Gone)
		require.Equal(t, !seesAll, got.Hidden)
	}
}

// Close may not have answered at the start, so what the key sees is learnt
// late: until then a 404 is no deletion.
func TestFetchLearnsWhatTheKeySees(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 1, Leads: 1}, func(o *Options) { o.CanSeeAll = false })
	id := srv.List("lead")[0]["id"].(string)
	require.NoError(t, srv.Hide(id, true))
	require.True(t, r.Fetch(t.Context(), "lead", id).Hidden)
	r.SetCanSeeAll(true)
	require.True(t, r.Fetch(t.Context(), "lead", id).Gone)
}

func TestFault_A15_WrongTypeLeavesOthersAlone(t *testing.T) {
	r := answering(t, http.StatusOK, `{"id":"lead_a","name":"A","status_id":{"x":1},"date_updated":"2026-11-03T10:00:00+00:00"}`)
	got := r.Fetch(t.Context(), "lead", "lead_a")
	require.NoError(t, got.Err)
	require.NotContains(t, got.Remote.Record, "status_id")
	require.Contains(t, got.Remote.Invalid, "status_id")
	require.Equal(t, mapping.TextValue("A"), got.Remote.Record["name"])
}

func TestFetchOfUnreadableAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		body, class string
	}{
		"no id":          {`{"name":"A"}`, classInvalid},
		"another record": {`{"id":"lead_b","name":"B"}`, classInvalid},
		"key twice":      {`{"id":"lead_a","name":"A","name":"B"}`, classInvalid},
		"cut off":        {`{"id":"lead_a","na`, classTransient},
	} {
		t.Run(name, func(t *testing.T) {
			got := answering(t, http.StatusOK, tc.body).Fetch(t.Context(), "lead", "lead_a")
			call := callOf(t, got.Err)
			require.Equal(t, tc.class, call.Class)
			require.NotContains(t, call.Message, "secret")
			require.False(t, got.Gone || got.Hidden)
		})
	}
}

func TestFetchOfUnknownType(t *testing.T) {
	got := answering(t, http.StatusOK, `{}`).Fetch(t.Context(), "task", "task_a")
	requireClass(t, got.Err, classInvalid)
}

// An event log that cannot be read must not turn a 404 into a deletion.
func TestFetchWithoutEventLogDecidesNothing(t *testing.T) {
	r := serving(t, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(q.URL.Path, "/event/") {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	})
	got := r.Fetch(t.Context(), "lead", "lead_a")
	requireClass(t, got.Err, classTransient)
	require.False(t, got.Gone || got.Hidden)
}
