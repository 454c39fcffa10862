package closeapi

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// index imitates search: records in date order, chains that end at a cap and
// cursors that live for 30 seconds of the virtual clock.
type index struct {
	mu      sync.Mutex
	rows    []row
	cap     int
	now     func() time.Time
	chains  map[string]chain
	expired int
	refuse  map[string]bool // cursors to refuse once
}

type row struct {
	id               string
	created, updated time.Time
}

type chain struct {
	rows []row
	done int
	born time.Time
}

func (x *index) serve(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var q struct {
		Cursor string `json:"cursor"`
		Limit  int    `json:"_limit"`
		Sort   []Sort `json:"sort"`
	}
	_ = json.Unmarshal(body, &q)
	c := chain{}
	if q.Cursor == "" {
		c.rows = x.hits(string(body), q.Sort[0].Field.FieldName)
	} else if c = x.chains[q.Cursor]; x.now().Sub(c.born) > 30*time.Second || x.refuse[q.Cursor] {
		x.expired++
		answer(400, `{"errors":["The cursor has expired"],"field-errors":{}}`)(w, r)
		return
	}
	end := min(c.done+q.Limit, len(c.rows), x.cap)
	var out []string
	for _, h := range c.rows[c.done:end] {
		out = append(out, fmt.Sprintf(`{"id":%q,"date_created":%q,"date_updated":%q}`, h.id, h.created.Format(time.RFC3339Nano), h.updated.Format(time.RFC3339Nano)))
	}
	cursor := "null"
	if end < min(len(c.rows), x.cap) {
		name := "c" + strconv.Itoa(len(x.chains))
		x.chains[name] = chain{c.rows, end, x.now()}
		cursor = strconv.Quote(name)
	}
	answer(200, `{"data":[`+strings.Join(out, ",")+`],"cursor":`+cursor+`}`)(w, r)
}

// hits reads the bounds that SearchWalk writes, for both fields.
func (x *index) hits(body, order string) []row {
	var out []row
	for _, r := range x.rows {
		if within(body, "date_updated", r.updated) && within(body, "date_created", r.created) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b row) int {
		if order == "date_created" {
			return a.created.Compare(b.created)
		}
		return a.updated.Compare(b.updated)
	})
	return out
}

func within(body, field string, at time.Time) bool {
	for part := range strings.SplitSeq(body, `"field_name":"`+field+`"},"condition":`) {
		if !strings.HasPrefix(part, `{"type":"moment_range"`) {
			continue
		}
		part, _, _ = strings.Cut(part, "}}}")
		if v, ok := bound(part, `"on_or_after":`); ok && at.Before(v) {
			return false
		}
		if v, ok := bound(part, `"before":`); ok && !at.Before(v) {
			return false
		}
	}
	return true
}

func bound(s, name string) (time.Time, bool) {
	_, rest, ok := strings.Cut(s, name+`{"type":"fixed_utc","value":"`)
	if !ok {
		return time.Time{}, false
	}
	v, _, _ := strings.Cut(rest, `"`)
	t, err := ParseTime(v)
	return t, err == nil
}

var day = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func newIndex(b *bundle, capAt int, rows []row) *index {
	x := &index{rows: rows, cap: capAt, now: b.clock.Now, chains: map[string]chain{}, refuse: map[string]bool{}}
	b.mux.HandleFunc("/api/v1/data/search/", x.serve)
	return x
}

// walked collects ids and fails on a repeat; pause is slept after each batch.
func walked(t *testing.T, b *bundle, w SearchWalk, pause time.Duration) []string {
	t.Helper()
	var ids []string
	seen := map[string]bool{}
	for batch, err := range b.SearchBatches(t.Context(), w) {
		require.NoError(t, err)
		for _, r := range batch.Records {
			require.False(t, seen[r.ID], r.ID)
			seen[r.ID] = true
			ids = append(ids, r.ID)
		}
		_ = b.clock.Sleep(t.Context(), pause)
	}
	return ids
}

func manyRows(n int, updated func(i int) time.Time) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{fmt.Sprintf("lead_%d", i), day.Add(time.Duration(i) * time.Second), updated(i)}
	}
	return rows
}

func TestFault_A22_SlowConsumerOutlivesCursor(t *testing.T) {
	b := setup(t)
	newIndex(b, SearchChainLimit, manyRows(950, func(i int) time.Time { return day.Add(time.Duration(i/400) * time.Hour) }))
	require.Len(t, walked(t, b, SearchWalk{ObjectType: "lead"}, 31*time.Second), 950)
}

func TestFault_A23_MoreThanTheChainYields(t *testing.T) {
	b := setup(t)
	newIndex(b, 1000, manyRows(3500, func(i int) time.Time { return day.Add(time.Duration(i) * time.Millisecond) }))
	require.Len(t, walked(t, b, SearchWalk{ObjectType: "lead"}, 0), 3500)
}

func TestFault_A23_OneInstantHoldsMoreThanTheChain(t *testing.T) {
	b := setup(t)
	newIndex(b, SearchChainLimit, append(
		manyRows(10_200, func(int) time.Time { return day }),
		row{"lead_last", day, day.Add(time.Hour)}))
	ids := walked(t, b, SearchWalk{ObjectType: "lead", Limit: 200}, 0)
	require.Len(t, ids, 10_201)
	require.Equal(t, "lead_last", ids[10_200])
}

func TestFault_A23_BothFieldsShareOneInstant(t *testing.T) {
	b := setup(t)
	rows := manyRows(10_100, func(int) time.Time { return day })
	for i := range rows {
		rows[i].created = day
	}
	newIndex(b, SearchChainLimit, rows)
	var last error
	for _, err := range b.SearchBatches(t.Context(), SearchWalk{ObjectType: "lead", Limit: 200}) {
		last = err
	}
	require.ErrorIs(t, last, ErrInstantTooLarge)
}

// serveOpportunities imitates the list with a cap on _skip.
func serveOpportunities(b *bundle, rows []row, maxSkip int) {
	b.mux.HandleFunc("/api/v1/opportunity/", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		skip, _ := strconv.Atoi(q.Get("_skip"))
		limit, _ := strconv.Atoi(q.Get("_limit"))
		if skip > maxSkip {
			answer(400, `{"error":"max_skip = `+strconv.Itoa(maxSkip)+`"}`)(w, r)
			return
		}
		var hits []row
		for _, h := range rows {
			if inQuery(q.Get, "date_updated", h.updated) && inQuery(q.Get, "date_created", h.created) {
				hits = append(hits, h)
			}
		}
		if q.Get("_order_by") == "date_created" {
			slices.SortStableFunc(hits, func(a, b row) int { return a.created.Compare(b.created) })
		} else {
			slices.SortStableFunc(hits, func(a, b row) int { return a.updated.Compare(b.updated) })
		}
		end := min(skip+limit, len(hits))
		var out []string
		for _, h := range hits[min(skip, end):end] {
			out = append(out, fmt.Sprintf(`{"id":%q,"date_created":%q,"date_updated":%q}`, h.id, h.created.Format(time.RFC3339Nano), h.updated.Format(time.RFC3339Nano)))
		}
		answer(200, fmt.Sprintf(`{"data":[%s],"has_more":%v}`, strings.Join(out, ","), end < len(hits)))(w, r)
	})
}

func inQuery(get func(string) string, field string, at time.Time) bool {
	if v := get(field + "__gte"); v != "" {
		if t, _ := ParseTime(v); at.Before(t) {
			return false
		}
	}
	if v := get(field + "__lt"); v != "" {
		if t, _ := ParseTime(v); !at.Before(t) {
			return false
		}
	}
	return true
}

func TestFault_A24_SkipOverTheMaximum(t *testing.T) {
	b := setup(t)
	serveOpportunities(b, manyRows(900, func(i int) time.Time { return day.Add(time.Duration(i/700) * time.Hour) }), 400)
	seen := map[string]bool{}
	for r, err := range b.OpportunityRecords(t.Context(), OpportunityWalk{Limit: 100}) {
		require.NoError(t, err)
		require.False(t, seen[r.ID])
		seen[r.ID] = true
	}
	require.Len(t, seen, 900)
}

func TestFault_A25_CursorRefused(t *testing.T) {
	b := setup(t)
	x := newIndex(b, SearchChainLimit, manyRows(500, func(int) time.Time { return day }))
	x.refuse["c1"] = true
	require.Len(t, walked(t, b, SearchWalk{ObjectType: "lead", From: day}, 0), 500)
	require.Equal(t, 1, x.expired)
}

func TestFault_A26_EmptyPagesAndCircularCursors(t *testing.T) {
	b := setup(t)
	n := b.on("task/", answer(200, `{"data":[],"has_more":true}`))
	var last error
	for _, err := range b.Tasks().All(t.Context(), "", "") {
		last = err
	}
	require.ErrorIs(t, last, ErrNoProgress)
	require.Equal(t, patience, n())

	n = b.on("data/search/", answer(200, `{"data":[],"cursor":"same"}`))
	for _, err := range b.SearchBatches(t.Context(), SearchWalk{ObjectType: "lead"}) {
		last = err
	}
	require.ErrorIs(t, last, ErrNoProgress)
	require.LessOrEqual(t, n(), patience)

	n = b.on("event/", answer(200, `{"data":[],"cursor_next":"same"}`))
	for _, err := range b.EventBatches(t.Context(), EventWalk{}) {
		last = err
	}
	require.ErrorIs(t, last, ErrNoProgress)
	require.LessOrEqual(t, n(), 2*patience)
}

func event(id string, at time.Time) string {
	return fmt.Sprintf(`{"id":%q,"date_updated":%q}`, id, at.Format("2006-01-02T15:04:05.000000"))
}

func TestEventWalkStopsBehindTheWatermark(t *testing.T) {
	b := setup(t)
	at := func(min int) time.Time { return day.Add(time.Duration(min) * time.Minute) }
	var queries []string
	b.mux.HandleFunc("/api/v1/event/", func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		switch r.URL.Query().Get("_cursor") {
		case "":
			if r.URL.Query().Get("date_updated__lte") != "" {
				answer(200, `{"data":[`+event("ev_2", at(60))+`,`+event("ev_3", at(57))+`,`+event("ev_4", at(50))+`],"cursor_next":"older"}`)(w, r)
				return
			}
			answer(200, `{"data":[`+event("ev_1", at(70))+`,`+event("ev_2", at(60))+`],"cursor_next":"dead"}`)(w, r)
		default:
			answer(400, `{"errors":["invalid cursor"]}`)(w, r)
		}
	})
	var ids []string
	for r, err := range b.EventRecords(t.Context(), EventWalk{Watermark: at(60)}) {
		require.NoError(t, err)
		ids = append(ids, r.ID)
	}
	require.Equal(t, []string{"ev_1", "ev_2", "ev_3"}, ids, "with the overlap of five minutes, none twice, over a dead cursor")
	require.Len(t, queries, 3)
}

// A log of a month is read without remembering every event of it, and a server
// that begins at its top again with ever new cursors comes to an end.
func TestEventWalk_RemembersTheLastPagesOnly(t *testing.T) {
	s := eventScan{seen: lately{}, visited: map[string]bool{}}
	page := func(from int) *EventPage {
		p := &EventPage{}
		for i := from; i < from+50; i++ {
			p.Data = append(p.Data, RawMessage(event("ev_"+strconv.Itoa(i), day.Add(-time.Duration(i)*time.Second))))
		}
		return p
	}
	for from := 0; from < 10_000; from += 40 { // each page repeats ten of the one before
		b, _ := s.take(page(from))
		require.Len(t, b.Records, 50-min(from, 10))
		require.True(t, s.follow(strconv.Itoa(from)))
	}
	require.LessOrEqual(t, len(s.seen.now)+len(s.seen.before), 2*generation+50)

	turns := 0
	for from := 0; ; from += 50 {
		s.take(page(from % 5000))
		if !s.follow("again " + strconv.Itoa(from)) {
			break
		}
		turns++
		require.Less(t, turns, 2*patience, "it gets no deeper")
	}
}
