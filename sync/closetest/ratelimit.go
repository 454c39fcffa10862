package closetest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// rateGate counts requests per endpoint group in fixed windows: one bucket
// for each key, one of three times the size for the organization.
type rateGate struct {
	buckets map[string]*bucket
}

type bucket struct {
	start  int64 // of the window
	used   int
	closed int64 // instant of the first 429 in this window, 0 while open
}

// group is the endpoint group of a request.
func group(r *request) string {
	first := r.parts[0]
	if (first == "data" || first == "activity" || first == "custom_field" || first == "status") && len(r.parts) > 1 {
		first += "/" + r.parts[1]
	}
	return r.method + " " + first
}

func (l *Limits) of(group string) int {
	if n, ok := l.Groups[group]; ok {
		return n
	}
	return l.Key
}

func (l *Limits) window() int64 {
	if l.Window > 0 {
		return l.Window.Microseconds()
	}
	return time.Second.Microseconds()
}

// passGate counts the request. The header goes with whatever is answered; a
// request over a limit is answered by limited.
func (s *Server) passGate(req *request) (header http.Header, limited *response) {
	l, g := &s.opt.Limits, group(req)
	limit := l.of(g)
	if limit <= 0 {
		return http.Header{"Ratelimit": {l.header(1000, 999, 1)}}, nil
	}
	if s.gate.buckets == nil {
		s.gate.buckets = map[string]*bucket{}
	}
	factor := l.OrgFactor
	if factor == 0 {
		factor = 3
	}
	now := s.nowMicros()
	key, org := s.bucketOf(req.key.id+" "+g, now), s.bucketOf("org "+g, now)
	b, size, level := key, limit, "key"
	if org.used >= limit*factor && key.used < limit+l.Burst {
		b, size, level = org, limit*factor, "org"
	}
	reset := float64(b.start+l.window()-now) / 1e6
	if b.used >= size+l.Burst {
		if b.closed == 0 {
			b.closed = now
		} else if now-b.closed >= l.Grace.Microseconds() {
			s.violate(&req.call, "request inside the closed rate window of %s", g)
		}
		return nil, l.refusal(size, reset, level)
	}
	key.used++
	org.used++
	return http.Header{"Ratelimit": {l.header(size, max(size-b.used, 0), reset)}}, nil
}

func (s *Server) bucketOf(name string, now int64) *bucket {
	b := s.gate.buckets[name]
	if b == nil || now-b.start >= s.opt.Limits.window() || now < b.start {
		b = &bucket{start: now}
		s.gate.buckets[name] = b
	}
	return b
}

func (l *Limits) header(limit, remaining int, reset float64) string {
	sep := l.Separator
	if sep == "" {
		sep = ", "
	}
	decimals := 3
	if l.Decimals != 0 {
		decimals = max(l.Decimals, 0)
	}
	// Rounded up: what is announced has passed when it says so.
	unit := math.Pow10(decimals)
	reset = math.Ceil(math.Round(reset*1e6)/1e6*unit) / unit
	return strings.Join([]string{"limit=" + strconv.Itoa(limit), "remaining=" + strconv.Itoa(remaining),
		"reset=" + strconv.FormatFloat(reset, 'f', -1, 64)}, sep)
}

func (l *Limits) refusal(limit int, reset float64, level string) *response {
	r := &response{status: 429, header: http.Header{}, body: []byte(`{"error":"Rate limit exceeded."}`)}
	if l.LegacyBody {
		r.body = encode(map[string]any{"error": map[string]any{"message": "API call count exceeded for this window",
			"rate_reset": reset, "rate_limit": limit, "rate_window": float64(l.window()) / 1e6,
			"rate_limit_type": level, "rate_endpoint_group": fmt.Sprintf("%032x", limit)}})
	}
	if !l.NoHeaders {
		r.header["Ratelimit"] = []string{l.header(limit, 0, reset)}
		r.header["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(reset)))}
	}
	return r
}

// SetLimits replaces the rate limits; buckets start afresh.
func (s *Server) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opt.Limits, s.gate = l, rateGate{}
}

// DrainOrganization uses up n requests of a group's organization bucket, as
// another integration would.
func (s *Server) DrainOrganization(group string, n int) {
	s.lock()
	defer s.mu.Unlock()
	if s.gate.buckets == nil {
		s.gate.buckets = map[string]*bucket{}
	}
	s.bucketOf("org "+group, s.nowMicros()).used += n
}
