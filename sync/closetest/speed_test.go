package closetest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkBackfill walks seeded leads of about 4 kB with nested contacts and
// an opportunity by date_created, 200 a page, and reports leads per second.
func BenchmarkBackfill(b *testing.B) {
	s := New(Options{Seed: 1, Leads: 100_000, PadBytes: 500, NoHistory: true})
	b.ReportAllocs()
	n, size, at := 0, 0, "1970-01-01T00:00:00"
	for b.Loop() {
		body := `{"query":{"type":"and","queries":[{"type":"object_type","object_type":"lead"},{"type":"field_condition","field":{"type":"regular_field","object_type":"lead","field_name":"date_created"},"condition":{"type":"moment_range","on_or_after":{"type":"fixed_utc","value":"` + at + `"}}}]},"_fields":{"lead":["_all","contacts","opportunities","tasks"]},"_limit":200,"sort":[{"direction":"asc","field":{"type":"regular_field","object_type":"lead","field_name":"date_created"}}]}`
		r := httptest.NewRequest(http.MethodPost, "/api/v1/data/search/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth(s.Key(), "")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.Equal(b, 200, w.Code)
		n += 200
		size = w.Body.Len() / 200
		at = zoneless(s.seeds.start + int64(n%90_000)*1_000_000)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "leads/s")
	b.ReportMetric(float64(size), "B/lead")
}
