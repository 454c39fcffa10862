package remote

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// walk pages as the engine does: it re-anchors on the last value seen.
func walk(t *testing.T, r *Remote, objectType, field string, nested bool) map[string]mapping.Remote {
	t.Helper()
	all := map[string]mapping.Remote{}
	skip := map[string]bool{}
	var w engine.Window
	for range 200 {
		page, err := r.Search(t.Context(), objectType, field, w, nested, skip)
		require.NoError(t, err)
		require.Empty(t, page.Bad)
		last := w.From
		for _, rec := range page.Records {
			require.False(t, skip[rec.ID])
			all[rec.ID] = rec
			at := rec.Version
			if field == "date_created" {
				at = rec.Created
			}
			if at.After(last) {
				last, skip = at, map[string]bool{}
			}
			if at.Equal(last) {
				skip[rec.ID] = true
			}
		}
		w.From = last
		if !page.Full {
			return all
		}
	}
	t.Fatal("the walk does not end")
	return nil
}

func TestSearchWalksEverything(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 3, Leads: 450}, nil)
	for _, objectType := range mapping.Types() {
		for _, field := range []string{"date_created", "date_updated"} {
			require.Len(t, walk(t, r, objectType, field, false), len(srv.List(objectType)), objectType+" "+field)
		}
	}
	require.Empty(t, srv.Violations())
	require.EqualValues(t, len(srv.Requests()), r.Requests())
}

func TestSearchOfLeadsBringsChildren(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 3, Leads: 20}, nil)
	contacts, opportunities := 0, 0
	for _, lead := range walk(t, r, "lead", "date_created", true) {
		for _, child := range lead.Nested {
			switch child.Type {
			case "contact":
				contacts++
			case "opportunity":
				opportunities++
			}
		}
	}
	require.Equal(t, len(srv.List("contact")), contacts)
	require.Equal(t, len(srv.List("opportunity")), opportunities)
}

// Records of one bulk edit share a timestamp and fill more than a page.
func TestSearchThroughOneMoment(t *testing.T) {
	clock := closetest.NewClock(time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC))
	srv, r := imitation(t, closetest.Options{Seed: 3, Clock: clock}, nil)
	lead, err := srv.Create("lead", map[string]any{"name": "parent"})
	require.NoError(t, err)
	for i := range 450 {
		_, err := srv.Create("lead", map[string]any{"name": fmt.Sprint("lead ", i)})
		require.NoError(t, err)
		_, err = srv.Create("opportunity", map[string]any{"lead_id": lead})
		require.NoError(t, err)
	}
	for objectType, want := range map[string]int{"lead": 451, "opportunity": 450} {
		require.Len(t, walk(t, r, objectType, "date_updated", false), want, objectType)
		require.Len(t, walk(t, r, objectType, "date_created", false), want, objectType)
	}
}

func TestSearchKeepsToWindowAndSkip(t *testing.T) {
	clock := closetest.NewClock(time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC))
	srv, r := imitation(t, closetest.Options{Seed: 3, Clock: clock}, nil)
	var ids []string
	for range 4 {
		id, err := srv.Create("lead", map[string]any{"name": "l"})
		require.NoError(t, err)
		_, err = srv.Create("opportunity", map[string]any{"lead_id": id})
		require.NoError(t, err)
		ids = append(ids, id)
		clock.Advance(time.Minute)
	}
	start := time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)
	w := engine.Window{From: start.Add(time.Minute), To: start.Add(3 * time.Minute)}
	for objectType, field := range map[string]string{"lead": "date_created", "opportunity": "date_updated"} {
		page, err := r.Search(t.Context(), objectType, field, w, false, nil)
		require.NoError(t, err)
		require.Len(t, page.Records, 2, objectType)
		require.False(t, page.Full)
		require.Equal(t, 1, page.Requests)
	}
	page, err := r.Search(t.Context(), "lead", "date_created", w, false, map[string]bool{ids[1]: true})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, ids[2], page.Records[0].ID)
}

func TestSearchSendsFilter(t *testing.T) {
	srv, r := imitation(t, closetest.Options{Seed: 3, Leads: 5}, nil)
	id := srv.List("lead")[2]["id"].(string)
	r.opt.Objects["lead"].Filter = []byte(`{"type":"id","value":"` + id + `"}`)
	page, err := r.Search(t.Context(), "lead", "date_updated", engine.Window{}, false, nil)
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, id, page.Records[0].ID)
}

func TestSearchRemembersSmallerPages(t *testing.T) {
	var limits []string
	r := serving(t, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, _ := io.ReadAll(q.Body)
		if strings.Contains(string(body), `"_limit":200`) {
			limits = append(limits, "200")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"The limit you set is larger than the maximum limit for this resource (max_limit = 100)."}`)
			return
		}
		limits = append(limits, "100")
		_, _ = io.WriteString(w, `{"data":[],"cursor":null}`)
	})
	for range 2 {
		_, err := r.Search(t.Context(), "lead", "date_updated", engine.Window{}, false, nil)
		require.NoError(t, err)
	}
	require.Equal(t, []string{"200", "100", "100"}, limits)
}

func TestSearchGoesOnAfterBadRecords(t *testing.T) {
	r := answering(t, http.StatusOK, `{"data":[7,{"name":"no id"},{"id":"lead_a","name":"A"}],"cursor":null}`)
	page, err := r.Search(t.Context(), "lead", "date_updated", engine.Window{}, false, nil)
	require.NoError(t, err)
	require.Len(t, page.Bad, 2)
	require.Len(t, page.Records, 1)
}

// A chain of cursors ends at 10,000 hits, and a cursor dies after 30 seconds:
// the moment is then read by the other date, and the walk goes on behind it.
func TestSearchSplitsMomentWhenCursorDies(t *testing.T) {
	at := "2026-11-03T10:00:00.000000+00:00"
	anchor := regexp.MustCompile(`2026-11-03T09[^"]*`)
	row := func(i int, updated string) string {
		return fmt.Sprintf(`{"id":"lead_%d","date_updated":"%s","date_created":"2026-11-03T09:00:00.%06d+00:00"}`, i, updated, i*1000)
	}
	r := serving(t, func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		raw, _ := io.ReadAll(q.Body)
		body := string(raw)
		var rows []string
		switch {
		case strings.Contains(body, `"cursor":"dead"`):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"The cursor has expired."}`)
			return
		case strings.Contains(body, `"before"`): // the moment alone, by date_created
			for i := range 250 {
				if created := fmt.Sprintf("2026-11-03T09:00:00.%06d+00:00", i*1000); created >= anchor.FindString(body) && len(rows) < 100 {
					rows = append(rows, row(i, at))
				}
			}
		case strings.Contains(body, "10:00:00.001"):
			rows = append(rows, row(999, "2026-11-03T11:00:00+00:00"))
		default:
			for i := range 200 {
				rows = append(rows, row(i, at))
			}
		}
		cursor := `"dead"`
		if len(rows) < 100 {
			cursor = "null"
		}
		_, _ = io.WriteString(w, `{"data":[`+strings.Join(rows, ",")+`],"cursor":`+cursor+`}`)
	})
	page, err := r.Search(t.Context(), "lead", "date_updated", engine.Window{}, false, nil)
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, rec := range page.Records {
		ids[rec.ID] = true
	}
	require.Len(t, ids, 251)
	require.False(t, page.Full)
}
