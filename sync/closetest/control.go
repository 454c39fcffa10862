package closetest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// controlBody is every member any control call takes.
type controlBody struct {
	Actor
	ObjectType  string         `json:"object_type"`
	ID          string         `json:"id"`
	Fields      map[string]any `json:"fields"`
	Source      string         `json:"source"`
	Destination string         `json:"destination"`
	Hidden      bool           `json:"hidden"`
	Advance     string         `json:"advance"`
	Leads       int            `json:"leads"`
	Latency     string         `json:"latency"`
	Role        string         `json:"role"`
	KeyID       string         `json:"key_id"`
	Revoked     bool           `json:"revoked"`
}

// serveControl answers /_control/…; see the package comment.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	var b controlBody
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &b)
	}
	var out any = map[string]any{}
	if err == nil {
		out, err = s.control(r, strings.Trim(strings.TrimPrefix(r.URL.Path, "/_control/"), "/"), &b, raw)
	}
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

func (s *Server) control(r *http.Request, what string, b *controlBody, raw []byte) (any, error) {
	none := map[string]any{}
	switch what {
	case "create", "update", "delete", "merge", "get", "list":
		return s.controlRecord(what, b)
	case "hide":
		return none, s.Hide(b.ID, b.Hidden)
	case "fault":
		var f Fault
		if err := json.Unmarshal(raw, &f); err != nil {
			return nil, err
		}
		return map[string]any{"name": s.Fault(f)}, nil
	case "faults":
		s.ClearFaults()
	case "clock":
		return s.controlClock(b.Advance)
	case "violations":
		return map[string]any{"data": append([]string{}, s.Violations()...)}, nil
	case "requests":
		if r.Method == http.MethodDelete {
			s.ResetRequests()
		}
		return map[string]any{"data": append([]Request{}, s.Requests()...)}, nil
	case "webhooks/flush":
		return map[string]any{"sent": s.DeliverWebhooks(r.Context(), http.DefaultClient)}, nil
	case "seed":
		return map[string]any{"leads": s.SeedMore(b.Leads)}, nil
	case "latency":
		d, err := time.ParseDuration(b.Latency)
		if err == nil {
			s.SetLatency(d)
		}
		return none, err
	case "limits":
		var l Limits
		if err := json.Unmarshal(raw, &l); err != nil {
			return nil, err
		}
		s.SetLimits(l)
	case "key":
		return map[string]any{"key": s.AddKey(b.Role)}, nil
	case "key/revoke":
		s.RevokeKey(b.KeyID, b.Revoked)
	case "cursors/rotate":
		s.RotateCursors()
	default:
		return nil, sentence(404, "Unknown control call %q.", what)
	}
	return none, nil
}

func (s *Server) controlRecord(what string, b *controlBody) (any, error) {
	p := s.As(b.Actor)
	id, err := b.ID, error(nil)
	switch what {
	case "create":
		id, err = p.Create(b.ObjectType, b.Fields)
	case "update":
		err = p.Update(id, b.Fields)
	case "delete":
		return map[string]any{}, p.Delete(id)
	case "merge":
		return map[string]any{}, p.Merge(b.Source, b.Destination)
	case "list":
		return map[string]any{"data": append([]map[string]any{}, s.List(b.ObjectType)...)}, nil
	}
	if err != nil {
		return nil, err
	}
	m, ok := s.Get(id)
	if !ok {
		return nil, notFound(kindOfID(id))
	}
	return m, nil
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
