// Package web is the HTTP side of `closesync run`: the webhook receiver's
// place, health, readiness, metrics, the dashboard with its JSON, and the job
// UI. It holds no state of the worker; everything comes by the functions of
// Options.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options says what stands behind each path. Now and Logger are required; a
// nil part answers 404 or an empty list.
type Options struct {
	Version string
	// Webhook takes POST /webhooks/close/{connection} and checks all of it.
	Webhook http.Handler
	// Status gives what `status --json` prints.
	Status func(context.Context) (any, error)
	// Ready gives the reasons why the worker cannot work; none means ready. It
	// is asked at most once a second.
	Ready   func(context.Context) []string
	Metrics prometheus.Gatherer
	// Jobs is River UI made with the prefix /jobs.
	Jobs    http.Handler
	Queries Queries
	// AdminToken opens the dashboard; empty for none. It is never written out.
	AdminToken string
	// Loopback says that only this machine can reach the listener.
	Loopback bool
	Now      func() time.Time
	Logger   *slog.Logger
}

// Queries gives the lists of the dashboard, newest first, at most limit of
// each. A result is marshalled as a JSON array whose keys are the columns of
// the views in schema closesync.
type Queries interface {
	Conflicts(ctx context.Context, limit int) (any, error) // open ones
	Errors(ctx context.Context, limit int) (any, error)    // parked records: record_status
	Holds(ctx context.Context, limit int) (any, error)     // open ones
	Journal(ctx context.Context, limit int) (any, error)
	Runs(ctx context.Context, limit int) (any, error)
}

// New gives the handler of every path.
func New(o Options) http.Handler {
	if o.Now == nil || o.Logger == nil {
		panic("web: Options needs Now and Logger")
	}
	mux := http.NewServeMux()
	if o.Webhook != nil {
		mux.Handle("/webhooks/close/", o.Webhook)
	}
	mux.HandleFunc("GET /healthz", healthz)
	mux.Handle("GET /readyz", newReadiness(o))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{Timeout: 10 * time.Second}))
	}

	admin := http.NewServeMux()
	registerAPI(admin, o)
	registerDashboard(admin, o)
	admin.Handle("/jobs/", jobs(o.Jobs))
	guarded := newGuard(o).wrap(admin)
	for _, path := range []string{"/{$}", "/assets/", "/api/", "/jobs", "/jobs/"} {
		mux.Handle(path, guarded)
	}
	return headers(mux)
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}
