package web

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// readyEvery is how often Ready is asked: the path is open to everyone.
const readyEvery = time.Second

// readiness answers /readyz with 200 or 503 and the reasons.
type readiness struct {
	ready func(context.Context) []string
	now   func() time.Time

	mu      sync.Mutex // held while Ready runs, so that it runs once
	asked   time.Time
	reasons []string
}

func newReadiness(o Options) *readiness {
	ready := o.Ready
	if ready == nil {
		ready = func(context.Context) []string { return nil }
	}
	return &readiness{ready: ready, now: o.Now}
}

func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reasons := h.current(context.WithoutCancel(r.Context()))
	answer := struct {
		Ready   bool     `json:"ready"`
		Reasons []string `json:"reasons"`
	}{len(reasons) == 0, reasons}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the reader may be gone
}

func (h *readiness) current(ctx context.Context) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.now(); h.asked.IsZero() || now.Sub(h.asked) >= readyEvery || now.Before(h.asked) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		h.reasons = append([]string{}, h.ready(ctx)...)
		h.asked = now
	}
	return h.reasons
}
