package closetest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Request is one request as it arrived. Body holds at most 4 kB.
type Request struct {
	Time   time.Time   `json:"time"`
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Query  string      `json:"query"`
	Body   string      `json:"body"`
	KeyID  string      `json:"key_id"`
	Status int         `json:"status"`
	Group  string      `json:"group"`
	Fault  string      `json:"fault,omitempty"`
	Header http.Header `json:"-"`
}

const keptBody = 4096

type history struct {
	requests   []Request
	violations []string
	changes    []Change
	born       []Born
}

// Requests is every request since the start or the last ResetRequests, in
// order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.history.requests)
}

// ResetRequests forgets the requests; violations stay.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history.requests = nil
}

// Violations tells what no good client does: children posted without a lead,
// requests inside a closed rate window, chunked bodies, unknown parameters.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.history.violations)
}

func (s *Server) violate(c *call, format string, args ...any) {
	s.history.violations = append(s.history.violations, c.method+" "+c.path+": "+fmt.Sprintf(format, args...))
}

// checkParams records parameters that the endpoint would drop silently.
func (s *Server) checkParams(c *call, q url.Values, known ...string) {
	for _, k := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(known, k) && k != "_fields" && k != "_limit" && k != "_skip" {
			s.violate(c, "unknown parameter %q", k)
		}
	}
}
