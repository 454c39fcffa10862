package closeapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no key":         {},
		"key with break": {Key: "a\r\nb"},
		"clear text":     {Key: "k", BaseURL: "http://api.close.com/api/v1/"},
		"lookalike host": {Key: "k", BaseURL: "http://localhost.evil.example/"},
		"password":       {Key: "k", BaseURL: "https://u:p@api.close.com/"},
		"reserve":        {Key: "k", ReservePercent: 95},
	} {
		_, err := New(o)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "u:p")
	}
	_, err := New(Options{Key: "k"})
	require.NoError(t, err)
}

func TestRequestForm(t *testing.T) {
	b := setup(t)
	b.mux.HandleFunc("/api/v1/lead/", func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		require.Equal(t, testKey, user)
		require.Empty(t, pass)
		require.Equal(t, "0", r.Header.Get("x-tz-offset"))
		require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		body, _ := io.ReadAll(r.Body)
		require.EqualValues(t, len(body), r.ContentLength)
		require.JSONEq(t, `{"name":"Brack","custom.cf_x":null}`, string(body))
		answer(200, lead1)(w, r)
	})
	_, err := b.CreateRaw(t.Context(), "lead", Changes{"name": "Brack", "custom.cf_x": nil})
	require.NoError(t, err)
}

func TestLongFilterTravelsAsBody(t *testing.T) {
	b := setup(t)
	b.mux.HandleFunc("/api/v1/opportunity/", func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "POST", r.Method)
		require.Equal(t, "GET", r.Header.Get("x-http-method-override"))
		body, _ := io.ReadAll(r.Body)
		require.Contains(t, string(body), `"_params":{`)
		answer(200, `{"data":[]}`)(w, r)
	})
	_, err := b.ListOpportunities(t.Context(), OpportunityListOptions{StatusIDs: []string{strings.Repeat("stat_x,", 400)}})
	require.NoError(t, err)
}

func TestBadOptionsAreRefusedBeforeSending(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"empty id":       func() error { _, err := b.GetRaw(ctx, "lead", ""); return err },
		"id with path":   func() error { return b.DeleteRaw(ctx, "lead", "../me") },
		"id with query":  func() error { _, err := b.UpdateRaw(ctx, "lead", "a?b", nil); return err },
		"path":           func() error { _, err := b.Do(ctx, "GET", "https://evil.example/", nil, nil); return err },
		"method":         func() error { _, err := b.Do(ctx, "G ET", "/lead/", nil, nil); return err },
		"search":         func() error { _, err := b.Search(ctx, SearchRequest{}); return err },
		"raw search":     func() error { _, err := b.Search(ctx, SearchRequest{RawQuery: RawMessage(`[`)}); return err },
		"merge":          func() error { return b.Leads().Merge(ctx, "lead_1", "lead_1") },
		"schema":         func() error { _, err := b.CustomFieldSchema(ctx, ""); return err },
		"orphan contact": func() error { _, err := b.CreateRaw(ctx, "contact", Changes{"name": "x"}); return err },
		"orphan task":    func() error { _, err := b.Tasks().Create(ctx, "", TaskFields{}); return err },
		"null lead":      func() error { _, err := b.CreateRaw(ctx, "opportunity", []byte(`{"lead_id":null}`)); return err },
	} {
		require.Error(t, call(), name)
	}
	_, err := b.Contacts().Create(ctx, "", ContactFields{})
	require.ErrorIs(t, err, ErrNoLead)
	_, err = b.CreateRaw(t.Context(), "contact", []byte(`["lead_1"]`))
	require.ErrorContains(t, err, "not one JSON object")
	require.NotErrorIs(t, err, ErrNoLead, "that is not what is wrong")
	require.Empty(t, *b.calls)
}

func TestErrorBodies(t *testing.T) {
	for _, tt := range []struct {
		file   string
		errors []string
		fields map[string]string
		is     error
	}{
		{"error-400-field-errors-nested.json", nil, map[string]string{"contacts.0.custom.Region": `The Custom Field "Region" does not exist.`}, nil},
		{"error-400-max-skip.json", nil, nil, ErrSkipTooLarge},
		{"error-400-max-limit.json", nil, nil, ErrSkipTooLarge},
	} {
		e := newError("POST", "lead/", 400, []byte(sample(t, tt.file)))
		if tt.fields != nil {
			require.Equal(t, tt.fields, e.FieldErrors, tt.file)
		}
		if tt.is != nil {
			require.ErrorIs(t, e, tt.is, tt.file)
			require.NotEmpty(t, e.Errors)
		}
	}
	require.NotEmpty(t, newError("GET", "lead/", 400, []byte(sample(t, "error-400-field-errors.json"))).FieldErrors)
	require.NotEmpty(t, newError("GET", "lead/", 429, []byte(sample(t, "error-429.body-legacy.json"))).Errors)
	e := newError("GET", "lead/", 500, []byte(strings.Repeat("x", 5000)))
	require.Len(t, e.Body, keptErrorBody)
}

func TestGateServesInteractiveFirst(t *testing.T) {
	g := newGate("x", 0)
	now := time.Now()
	g.learn(rateHeader{limit: 10, remaining: 0, reset: time.Second, hasReset: true}, now)
	back := g.join(Background)
	front := g.join(Interactive)
	later := g.join(Interactive)
	require.Equal(t, []*waiter{front, later, back}, g.waiting)
	require.Equal(t, Background, priorityOf(WithPriority(context.Background(), Background)))
}

func TestGateKeepsAReserve(t *testing.T) {
	g := newGate("x", 20)
	now := time.Now()
	g.learn(rateHeader{limit: 100, remaining: 21, reset: time.Minute, hasReset: true}, now)
	require.LessOrEqual(t, g.readyIn(now.Add(30*time.Second), 0), time.Minute)
	g.remaining = 20
	require.Equal(t, time.Minute, g.readyIn(now, 0), "the rest is for others")
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// In a bubble of virtual time: 200 calls at once against 20 a second, with
// 50 ms under way, pass without a single 429 and use every window.
func TestManyCallsAtOnceStayWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		left, resetAt, refused := 20, time.Now().Add(time.Second), 0
		server := tripper(func(r *http.Request) (*http.Response, error) {
			time.Sleep(25 * time.Millisecond)
			mu.Lock()
			if now := time.Now(); !now.Before(resetAt) {
				left, resetAt = 20, now.Add(time.Second)
			}
			w := httptest.NewRecorder()
			status := 200
			if left == 0 {
				refused++
				status = 429
			} else {
				left--
			}
			answer(status, lead1, "RateLimit", fmt.Sprintf("limit=20, remaining=%d, reset=%f", left, time.Until(resetAt).Seconds()))(w, r)
			mu.Unlock()
			time.Sleep(25 * time.Millisecond)
			return w.Result(), nil
		})
		c, err := New(Options{Key: "k", HTTPClient: &http.Client{Transport: server}})
		require.NoError(t, err)
		_, err = c.GetRaw(t.Context(), "lead", "lead_1")
		require.NoError(t, err)
		start := time.Now()
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				_, err := c.GetRaw(t.Context(), "lead", "lead_1")
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.Zero(t, refused)
		require.Less(t, time.Since(start), 13*time.Second)
	})
}

func TestQueriesName(t *testing.T) {
	at := time.Date(2026, 11, 3, 10, 0, 0, 120e6, time.FixedZone("", 3600))
	q := OpportunityListOptions{Updated: Span{From: at}, OrderBy: "date_updated", ListOptions: ListOptions{Limit: 5}}.query()
	require.Equal(t, url.Values{"date_updated__gte": {"2026-11-03T09:00:00.12Z"}, "_order_by": {"date_updated"}, "_limit": {"5"}}, q)
	stalled := true
	q = OpportunityListOptions{OrganizationID: "orga_1", StatusLabels: []string{"A", "B"}, ValuePeriods: []string{"annual"},
		SavedSearchID: "save_1", Query: "x", Stalled: &stalled, Won: Span{Before: at}}.query()
	require.Equal(t, url.Values{"organization_id": {"orga_1"}, "status_label__in": {"A,B"}, "value_period__in": {"annual"},
		"lead_saved_search_id": {"save_1"}, "query": {"x"}, "is_stalled": {"true"}, "date_won__lt": {"2026-11-03T09:00:00.12Z"}}, q)
	var names []string
	for name := range (EventOptions{ObjectType: "lead", Action: "updated", Limit: 7, Cursor: "c"}).query() {
		names = append(names, name)
	}
	slices.Sort(names)
	require.Equal(t, []string{"_cursor", "_limit", "action", "object_type"}, names)
}

func TestDo_HeadHasNoBody(t *testing.T) {
	b := setup(t)
	b.on("lead/lead_1/", answer(200, lead1))
	r, err := b.Do(t.Context(), http.MethodHead, "/lead/lead_1/", nil, nil)
	require.NoError(t, err)
	require.Empty(t, r.Body)
}
