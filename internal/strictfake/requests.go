package strictfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Request is one call that was answered.
type Request struct {
	Method, Path string // below the API root, without a slash in front
	Query        url.Values
	Body         map[string]any
	Status       int
	NoChange     bool // a PUT that changed nothing
}

// Writes reports whether it was meant to change something.
func (r Request) Writes() bool {
	return r.Method != http.MethodGet && r.Path != "data/search/"
}

func (r Request) String() string {
	body, _ := json.Marshal(r.Body)
	return fmt.Sprintf("%s %s?%s %s -> %d", r.Method, r.Path, r.Query.Encode(), body, r.Status)
}

// Requests lists the calls so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Writes lists the calls that were meant to change a record.
func (s *Server) Writes() []Request {
	var list []Request
	for _, r := range s.Requests() {
		if r.Writes() && !strings.HasPrefix(r.Path, "webhook/") {
			list = append(list, r)
		}
	}
	return list
}

// Forget empties the list of calls.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Violations are the calls that Close's documents do not allow.
func (s *Server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// violate notes what a caller should not have done. The caller holds mu.
func (s *Server) violate(format string, args ...any) {
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// Fault is trouble for the calls it matches.
type Fault struct {
	Method, Path string // the path's beginning; "" matches all
	Times        int    // how often
	Status       int    // answered instead, 0: as it would be
	Body         string // with Status
	After        bool   // the call takes effect first
	Cut          bool   // the connection is closed without an answer
}

// Fail adds a fault.
func (s *Server) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// fault takes one that matches.
func (s *Server) fault(method, path string) *Fault {
	for _, f := range s.faults {
		if f.Times > 0 && (f.Method == "" || f.Method == method) && strings.HasPrefix(path, f.Path) {
			f.Times--
			return f
		}
	}
	return nil
}
