package closetest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// controlBody is every member any control call takes.
type controlBody struct {
	Actor
	ObjectType  string         `json:"object_type"`
	ID          string         `json:"id"`
	Fields      map[string]any `json:"fields"`
	Query       any            `json:"query"`
	Source      string         `json:"source"`
	Destination string         `json:"destination"`
	Label       string         `json:"label"`
	FirstName   string         `json:"first_name"`
	LastName    string         `json:"last_name"`
	Currency    string         `json:"currency"`
	Active      bool           `json:"active"`
	Hidden      bool           `json:"hidden"`
	Advance     string         `json:"advance"`
	Leads       int            `json:"leads"`
	Latency     string         `json:"latency"`
	Role        string         `json:"role"`
	KeyID       string         `json:"key_id"`
	Revoked     bool           `json:"revoked"`
	Group       string         `json:"group"`
	Requests    int            `json:"requests"`

	raw    []byte
	method string
	ctx    context.Context //nolint:containedctx // of the one request the body came with
}

// serveControl answers /_control/…; the path itself lists the calls.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	out, err := s.control(r)
	status := 200
	if err != nil {
		status = 400
		out = map[string]any{"error": err.Error()}
		if e, ok := errors.AsType[*apiError](err); ok {
			status, out = e.status, e.body
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(encode(out))
}

func (s *Server) control(r *http.Request) (any, error) {
	what := strings.Trim(strings.TrimPrefix(r.URL.Path, "/_control/"), "/")
	if what == "" {
		return map[string]any{"data": controlCalls}, nil
	}
	i := slices.IndexFunc(controlCalls, func(c ControlCall) bool { return c.Name == what })
	if i < 0 {
		return nil, sentence(404, "Unknown control call %q; GET /_control/ lists them.", what)
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	b := controlBody{raw: raw, method: r.Method, ctx: r.Context()}
	if len(raw) == 0 {
		b.raw = []byte("{}")
	}
	if err := controlCalls[i].knows(b.raw); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b.raw, &b); err != nil {
		return nil, err
	}
	if !passing[what] {
		s.mu.Lock()
		drawn := s.drawn
		s.mu.Unlock()
		if err := s.keep(r, b.raw, drawn); err != nil {
			return nil, err
		}
	}
	return controlCalls[i].run(s, &b)
}

func (s *Server) controlClock(advance string) (any, error) {
	if advance != "" {
		d, err := time.ParseDuration(advance)
		if err != nil {
			return nil, err
		}
		if s.opt.Clock == nil {
			return nil, badRequest("The clock is not virtual.")
		}
		s.opt.Clock.Advance(d)
	}
	return map[string]any{"now": s.opt.Now().UTC()}, nil
}

// setTiming takes durations as texts, by the names of the options.
func (s *Server) setTiming(raw []byte) error {
	var given map[string]string
	if err := json.Unmarshal(raw, &given); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string]*time.Duration{
		"consolidation": &s.opt.Consolidation, "webhook_delay": &s.opt.WebhookDelay, "event_lag": &s.opt.EventLag,
		"event_cursor_life": &s.opt.EventCursorLife, "index_lag": &s.opt.IndexLag, "merge_delay": &s.opt.MergeDelay,
		"convert_delay": &s.opt.ConvertDelay, "export_delay": &s.opt.ExportDelay,
	}
	for name, text := range given {
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		if known[name] == nil {
			return badRequest("Unknown timing %q; there are %s.", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		*known[name] = d
	}
	return nil
}

func (s *Server) setDisorder(raw []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Unmarshal(raw, &s.opt.Webhooks)
}

// SetLatency delays every answer from now on.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Latency = d
}

func (s *Server) latency() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opt.Latency
}
