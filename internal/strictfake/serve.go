package strictfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request under way.
type call struct {
	method, path string
	parts        []string
	query        url.Values
	body         map[string]any
	key          string // before the dot
	changed      bool   // a PUT that made a difference
}

// answer is a status and what is marshalled as its body.
type answer struct {
	status int
	body   any
}

func refuse(status int, format string, args ...any) *answer {
	return &answer{status, map[string]any{"error": fmt.Sprintf(format, args...)}}
}

// fieldError is Close's answer to one field that it cannot take.
func fieldError(field, format string, args ...any) *answer {
	return &answer{http.StatusBadRequest, map[string]any{
		"errors": []string{}, "field-errors": map[string]any{field: fmt.Sprintf(format, args...)},
	}}
}

const root = "/api/v1/"

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, root)
	c := &call{method: r.Method, path: path, parts: strings.Split(strings.TrimSuffix(path, "/"), "/"), query: r.URL.Query()}
	var a *answer
	fault := s.fault(r.Method, path)
	switch {
	case !ok:
		a = refuse(404, "no such path")
	case fault != nil && !fault.After && fault.Cut:
		cut(w)
		return
	case fault != nil && !fault.After:
		a = &answer{fault.Status, json.RawMessage(fault.Body)}
	default:
		if a = s.admit(w, r, c, raw); a == nil {
			a = s.route(c)
		}
	}
	s.requests = append(s.requests, Request{Method: c.method, Path: path, Query: c.query, Body: c.body, Status: a.status,
		NoChange: c.method == "PUT" && a.status == 200 && !c.changed})
	if fault != nil && fault.After {
		if fault.Cut {
			cut(w)
			return
		}
		a = &answer{fault.Status, json.RawMessage(fault.Body)}
	}
	s.write(w, c, a)
}

func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func (s *Server) write(w http.ResponseWriter, c *call, a *answer) {
	kind := "application/json"
	if s.opt.PlainText {
		kind = "text/plain; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	s.rateHeader(w, c)
	body, err := json.Marshal(a.body)
	if err != nil {
		panic(err)
	}
	w.WriteHeader(a.status)
	if a.status != http.StatusNoContent {
		_, _ = w.Write(body)
	}
}

// admit checks what every request must be like.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, c *call, raw []byte) *answer {
	user, password, basic := r.BasicAuth()
	if !basic || user != s.Key || password != "" {
		return refuse(401, "Unauthorized")
	}
	c.key, _, _ = strings.Cut(user, ".")
	if !strings.HasSuffix(c.path, "/") {
		s.violate("%s %s: the path does not end in a slash", c.method, c.path)
		w.Header().Set("Location", r.URL.Path+"/")
		return refuse(301, "moved")
	}
	if a := s.limit(c); a != nil {
		return a
	}
	if len(r.TransferEncoding) > 0 {
		s.violate("%s %s: a chunked body", c.method, c.path)
		return refuse(400, "chunked bodies are not supported")
	}
	for _, p := range s.opt.Missing {
		if strings.HasPrefix(c.path, p) {
			return refuse(404, "Not found")
		}
	}
	for _, p := range s.opt.Refused {
		if strings.HasPrefix(c.path, p) {
			return refuse(403, "You do not have permission to do this.")
		}
	}
	return s.readBody(r, c, raw)
}

func (s *Server) readBody(r *http.Request, c *call, raw []byte) *answer {
	if c.method == "GET" || c.method == "DELETE" {
		if len(raw) > 0 {
			s.violate("%s %s: a body", c.method, c.path)
		}
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		s.violate("%s %s: Content-Type %q", c.method, c.path, r.Header.Get("Content-Type"))
		return refuse(415, "Unsupported media type")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&c.body); err != nil || c.body == nil || d.More() {
		s.violate("%s %s: the body is no JSON object", c.method, c.path)
		return refuse(400, "The request body must be a JSON object")
	}
	if c.method == "POST" && r.Header.Get("X-Http-Method-Override") == "GET" {
		params, _ := c.body["_params"].(map[string]any)
		c.method, c.body = "GET", nil
		for name, v := range params {
			c.query.Set(name, fmt.Sprint(v))
		}
	}
	return nil
}

// known records every parameter that an endpoint does not have: Close ignores
// it, so that a misspelt filter gives everything.
func (s *Server) known(c *call, names ...string) {
	for name := range c.query {
		if !slices.Contains(names, name) {
			s.violate("%s %s: parameter %s does not exist there", c.method, c.path, name)
		}
	}
}

func group(c *call) string { return c.method + " " + c.parts[0] }

// window counts the requests of one group.
type window struct {
	ends time.Time
	used int
}

// limit counts a request, and refuses it if there were too many.
func (s *Server) limit(c *call) *answer {
	if s.opt.PerSecond == 0 {
		return nil
	}
	now := time.Now()
	g := group(c)
	if now.Before(s.closed[g]) {
		s.violate("%s %s: sent %s before the limit of its group resets", c.method, c.path, s.closed[g].Sub(now))
	}
	win := s.windows[g]
	if win == nil || now.After(win.ends) {
		win = &window{ends: now.Add(time.Second)}
		s.windows[g] = win
	}
	if win.used++; win.used > s.opt.PerSecond {
		s.closed[g] = win.ends
		return &answer{429, map[string]any{"error": map[string]any{"message": "rate limited", "rate_reset": win.ends.Sub(now).Seconds()}}}
	}
	return nil
}

func (s *Server) rateHeader(w http.ResponseWriter, c *call) {
	win := s.windows[group(c)]
	if s.opt.RateForm == "" || win == nil {
		return
	}
	left := time.Until(win.ends).Seconds()
	w.Header().Set("ratelimit", strings.Join([]string{
		"limit=" + strconv.Itoa(s.opt.PerSecond), " remaining=" + strconv.Itoa(max(s.opt.PerSecond-win.used, 0)),
		fmt.Sprintf(" reset=%.3f", max(left, 0.001)),
	}, s.opt.RateForm))
	if win.used > s.opt.PerSecond {
		w.Header().Set("retry-after", strconv.Itoa(int(math.Ceil(left))))
	}
}

func (s *Server) route(c *call) *answer {
	switch c.parts[0] {
	case "lead":
		if c.path == "lead/merge/" && c.method == "POST" {
			return s.mergeCall(c)
		}
		return s.resource(c)
	case "contact", "opportunity":
		return s.resource(c)
	case "event":
		return s.eventCall(c)
	case "data":
		if c.path == "data/search/" && c.method == "POST" {
			return s.search(c)
		}
	case "webhook":
		return s.hookCall(c)
	case "me", "organization", "user", "status", "pipeline", "custom_field", "custom_field_schema":
		if c.method == "GET" {
			return s.reference(c)
		}
	}
	s.violate("%s %s: no such endpoint", c.method, c.path)
	return refuse(404, "no such path")
}
