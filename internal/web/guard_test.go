package web

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	adminPaths = []string{"/", "/assets/dashboard.js", "/assets/dashboard.css", "/jobs/", "/jobs/api/x", "/api/status",
		"/api/conflicts", "/api/errors", "/api/holds", "/api/journal", "/api/runs"}
	openPaths = []string{"/healthz", "/readyz", "/metrics", "/webhooks/close/default"}
)

// Every route, with every kind of address and token.
func TestAuthMatrix(t *testing.T) {
	for _, c := range []struct {
		name     string
		loopback bool
		token    string
		header   []string
		want     int // of the admin paths; the open ones are always 200
	}{
		{"loopback, none", true, "", nil, 200},
		{"loopback, none, localhost", true, "", []string{"Host", "localhost:8080"}, 200},
		{"loopback, none, ::1", true, "", []string{"Host", "[::1]:8080"}, 200},
		{"loopback, none, rebinding", true, "", []string{"Host", "evil.example:8080"}, 403},
		{"loopback, none, look-alike", true, "", []string{"Host", "localhost.evil.example"}, 403},
		{"loopback, none, no host", true, "", []string{"Host", ""}, 403},
		{"loopback, none, proxy", true, "", []string{"X-Forwarded-For", "203.0.113.1"}, 403},
		{"loopback, set, missing", true, token, nil, 401},
		{"loopback, set, right", true, token, []string{"Authorization", "Bearer " + token}, 200},
		{"elsewhere, none", false, "", nil, 403},
		{"elsewhere, none, empty Bearer", false, "", []string{"Authorization", "Bearer "}, 403},
		{"elsewhere, none, empty Basic", false, "", []string{"Authorization", "Basic Og=="}, 403},
		{"elsewhere, none, loopback host", false, "", []string{"Host", "127.0.0.1"}, 403},
		{"elsewhere, set, missing", false, token, nil, 401},
		{"elsewhere, set, right Bearer", false, token, []string{"Authorization", "Bearer " + token, "Host", "sync.example"}, 200},
		{"elsewhere, set, right bearer", false, token, []string{"Authorization", "bearer " + token}, 200},
		{"elsewhere, set, right Basic", false, token, []string{"Authorization", basic(t, "anyone", token)}, 200},
		{"elsewhere, set, token as user", false, token, []string{"Authorization", basic(t, token, "")}, 401},
		{"elsewhere, set, wrong", false, token, []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"elsewhere, set, prefix", false, token, []string{"Authorization", "Bearer " + token[:5]}, 401},
		{"elsewhere, set, empty", false, token, []string{"Authorization", "Bearer "}, 401},
		{"elsewhere, set, other scheme", false, token, []string{"Authorization", "Digest " + token}, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range adminPaths {
				h := New(options(func(o *Options) { o.Loopback, o.AdminToken = c.loopback, c.token }))
				w := ask(h, "GET", path, c.header...)
				require.Equal(t, c.want, w.Code, path)
				require.Equal(t, c.want == 401, w.Header().Get("WWW-Authenticate") != "", path)
				require.NotContains(t, w.Body.String(), token, path)
			}
			h := New(options(func(o *Options) { o.Loopback, o.AdminToken = c.loopback, c.token }))
			for _, path := range openPaths {
				require.Equal(t, 200, ask(h, "GET", path, c.header...).Code, path)
			}
		})
	}
}

func TestCrossSiteWritesAreRefused(t *testing.T) {
	h := New(options())
	for _, c := range []struct {
		header []string
		want   int
	}{
		{nil, 200}, // no browser
		{[]string{"Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Origin", "http://127.0.0.1:8080"}, 200},
		{[]string{"Origin", "https://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
	} {
		require.Equal(t, c.want, ask(h, "POST", "/jobs/api/jobs/cancel", c.header...).Code, "%v", c.header)
		require.Equal(t, 200, ask(h, "GET", "/jobs/", c.header...).Code, "%v", c.header)
		require.Equal(t, 200, ask(h, "POST", "/webhooks/close/default", c.header...).Code, "%v", c.header)
	}
}

func TestLockOut(t *testing.T) {
	now := start
	h := New(options(func(o *Options) { o.AdminToken = token; o.Now = func() time.Time { return now } }))
	for range failureBurst {
		require.Equal(t, 401, ask(h, "GET", "/", "Authorization", "Bearer guess").Code)
	}
	w := ask(h, "GET", "/", "Authorization", "Bearer "+token)
	require.Equal(t, 429, w.Code, "even the right one")
	require.Equal(t, "30", w.Header().Get("Retry-After"))
	require.Equal(t, 200, ask(h, "GET", "/healthz").Code)

	now = now.Add(2 * failureRefill)
	require.Equal(t, 200, ask(h, "GET", "/", "Authorization", "Bearer "+token).Code)
	for range 100 {
		require.Equal(t, 401, ask(h, "GET", "/").Code, "no token is no guess")
	}
}

// From more addresses than are remembered, guessing is no faster than from one.
func TestLockOut_FromEverywhere(t *testing.T) {
	now := start
	f := newFailures(func() time.Time { return now })
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, byte(i >> 16), byte(i >> 8), byte(i)}) }
	guesses := 0
	for i := range 2 * failureMost {
		if !f.locked(at(i)) {
			f.note(at(i))
			guesses++
		}
	}
	require.Equal(t, failureMost+failureBurst, guesses)
	require.False(t, f.locked(at(0)), "one that is known has its own count")
	for range failureBurst {
		f.note(at(0))
	}
	require.True(t, f.locked(at(0)))

	now = now.Add(time.Hour)
	require.False(t, f.locked(at(2*failureMost)))
	f.note(at(2 * failureMost))
	require.Len(t, f.fullAt, 1, "they are forgotten")
}

func TestHeaders(t *testing.T) {
	h := New(options())
	for _, path := range append(append([]string{"/nowhere"}, adminPaths...), openPaths...) {
		w := ask(h, "GET", path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			require.Equal(t, want, w.Header().Get(name), "%s of %s", name, path)
		}
		csp := w.Header().Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'none'", path)
		require.Contains(t, csp, "frame-ancestors 'none'", path)
		require.Contains(t, csp, "script-src 'self';", path)
		if !strings.HasPrefix(path, "/jobs/") {
			require.NotContains(t, csp, "unsafe", path)
		}
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), path)
	}
}
