package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

const token = "correct-horse-battery-staple"

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// lists is a Queries of fixed rows.
type lists map[string]any

func (l lists) Conflicts(context.Context, int) (any, error) { return l["conflicts"], nil }
func (l lists) Errors(context.Context, int) (any, error)    { return l["errors"], nil }
func (l lists) Holds(context.Context, int) (any, error)     { return l["holds"], nil }
func (l lists) Journal(context.Context, int) (any, error)   { return l["journal"], nil }
func (l lists) Runs(context.Context, int) (any, error)      { return l["runs"], nil }

func options(change ...func(*Options)) Options {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "closesync_up"}))
	ok := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	o := Options{
		Version: "v1", Webhook: ok("webhook"), Jobs: ok("jobs"), Metrics: registry, Loopback: true,
		Status:  func(context.Context) (any, error) { return map[string]any{"idle": true}, nil },
		Queries: lists{}, Now: func() time.Time { return start }, Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// ask sends a request from this machine to a loopback name.
func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, nil)
	r.RemoteAddr = "127.0.0.1:5000"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func basic(t *testing.T, user, password string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://x", nil)
	require.NoError(t, err)
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}
