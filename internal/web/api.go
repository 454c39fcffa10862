package web

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

const (
	apiTimeout   = 10 * time.Second
	defaultLimit = 50
	mostLimit    = 500
)

// registerAPI adds the JSON of the dashboard.
func registerAPI(mux *http.ServeMux, o Options) {
	a := api{log: o.Logger}
	if o.Status != nil {
		mux.Handle("GET /api/status", a.answer(func(ctx context.Context, _ int) (any, error) { return o.Status(ctx) }))
	}
	if o.Queries == nil {
		return
	}
	for path, query := range map[string]func(context.Context, int) (any, error){
		"conflicts": o.Queries.Conflicts,
		"errors":    o.Queries.Errors,
		"holds":     o.Queries.Holds,
		"journal":   o.Queries.Journal,
		"runs":      o.Queries.Runs,
	} {
		mux.Handle("GET /api/"+path, a.answer(query))
	}
}

type api struct{ log *slog.Logger }

// answer gives the result as JSON; ?limit=1..500 applies to lists. The cause
// of a failure is logged, not told.
func (a api) answer(query func(context.Context, int) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), apiTimeout)
		defer cancel()
		limit, ok := limitOf(r)
		if !ok {
			a.fail(w, http.StatusBadRequest, "limit is a number from 1 to 500")
			return
		}
		result, err := query(ctx, limit)
		var body []byte
		if err == nil {
			body, err = json.Marshal(result)
		}
		if err != nil {
			a.log.ErrorContext(r.Context(), "dashboard query", "path", r.URL.Path, "error", err)
			a.fail(w, http.StatusServiceUnavailable, "the database gave no answer; the log has the cause")
			return
		}
		if string(body) == "null" { // a nil slice is an empty list
			body = []byte("[]")
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(body, '\n'))
	})
}

func (a api) fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

func limitOf(r *http.Request) (int, bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= mostLimit
}
