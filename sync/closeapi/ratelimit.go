package closeapi

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	minReset = 100 * time.Millisecond
	maxReset = 5 * time.Minute
)

// rateHeader is what one answer says about its endpoint group.
type rateHeader struct {
	limit     float64 // requests per window; 0 when not said
	remaining float64 // requests left in the window; -1 when not said
	reset     time.Duration
	hasReset  bool
	odd       bool // some part was nonsense and was ignored or clamped
}

// usable tells whether the header announces a whole window.
func (r *rateHeader) usable() bool { return r.limit > 0 && r.remaining >= 0 && r.hasReset }

// parseRate reads "RateLimit: limit=100, remaining=50, reset=5". Clients have
// seen semicolons too, and the reset is a decimal. A wait is always within
// [0.1s, 5min]. Without a usable reset the whole seconds of Retry-After count.
// Source: developer.close.com/api/overview/rate-limits.
func parseRate(h http.Header) rateHeader {
	r := rateHeader{remaining: -1}
	if v := h.Get("RateLimit"); v != "" {
		r.parseParts(v)
	}
	if !r.hasReset {
		for _, name := range [...]string{"RateLimit-Reset", "Retry-After"} {
			if v := h.Get(name); v != "" && r.setReset(v) {
				break
			}
		}
	}
	return r
}

func (r *rateHeader) parseParts(v string) {
	for part := range strings.FieldsFuncSeq(v, func(c rune) bool { return c == ',' || c == ';' }) {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			continue
		}
		value = strings.Trim(strings.TrimSpace(value), `"`)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "limit":
			if n, ok := r.number(value); ok && n > 0 {
				r.limit = n
			}
		case "remaining":
			if n, ok := r.number(value); ok {
				r.remaining = max(n, 0)
			}
		case "reset":
			r.setReset(value)
		}
	}
}

// number accepts finite decimals of sane size.
func (r *rateHeader) number(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > 1e9 {
		r.odd = true
		return 0, false
	}
	return n, true
}

// setReset reports whether s is a number at all; its value is clamped.
func (r *rateHeader) setReset(s string) bool {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if (err != nil && !math.IsInf(n, 0)) || math.IsNaN(n) {
		r.odd = true
		return false
	}
	r.hasReset = true
	switch {
	case n < 0, n > maxReset.Seconds():
		r.odd = true
		r.reset = minReset
		if n > 0 {
			r.reset = maxReset
		}
	default:
		r.reset = max(time.Duration(n*float64(time.Second)), minReset)
	}
	return true
}
