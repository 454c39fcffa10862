package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRoutes(t *testing.T) {
	h := New(options(func(o *Options) { o.Queries = lists{"holds": []map[string]any{{"id": 7}}} }))
	for _, c := range []struct {
		method, path string
		code         int
		body         string
	}{
		{"GET", "/healthz", 200, "ok\n"},
		{"HEAD", "/healthz", 200, ""},
		{"POST", "/healthz", 405, ""},
		{"GET", "/readyz", 200, `{"ready":true,"reasons":[]}`},
		{"GET", "/metrics", 200, "closesync_up 0"},
		{"POST", "/webhooks/close/default", 200, "webhook"},
		{"GET", "/", 200, "<title>closesync</title>"},
		{"GET", "/jobs/", 200, "jobs"},
		{"GET", "/jobs", 307, ""},
		{"GET", "/api/status", 200, `{"idle":true}`},
		{"GET", "/api/holds", 200, `[{"id":7}]`},
		{"GET", "/api/journal", 200, "[]\n"},
		{"GET", "/api/journal?limit=500", 200, "[]\n"},
		{"GET", "/api/journal?limit=501", 400, "limit"},
		{"GET", "/api/journal?limit=-1", 400, "limit"},
		{"GET", "/api/journal?limit=x", 400, "limit"},
		{"DELETE", "/api/status", 405, ""},
		{"GET", "/api/nothing", 404, ""},
		{"GET", "/assets/", 404, ""},
		{"GET", "/assets/dashboard.html", 404, ""},
		{"GET", "/assets/../web.go", 307, ""},
		{"GET", "/nothing", 404, ""},
	} {
		w := ask(h, c.method, c.path)
		require.Equal(t, c.code, w.Code, "%s %s", c.method, c.path)
		require.Contains(t, w.Body.String(), c.body, "%s %s", c.method, c.path)
	}
}

// Nothing that shows the inside of the process is served.
func TestSecurity_18_NothingForDebuggingIsServed(t *testing.T) {
	h := New(options())
	for _, path := range []string{"/debug/", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/requests"} {
		require.Equal(t, http.StatusNotFound, ask(h, "GET", path).Code, path)
	}
}

func TestAbsentParts(t *testing.T) {
	h := New(Options{Now: func() time.Time { return start }, Logger: slog.New(slog.DiscardHandler), Loopback: true})
	for path, want := range map[string]int{"/": 200, "/readyz": 200, "/jobs/": 404, "/metrics": 404, "/api/status": 404, "/webhooks/close/x": 404} {
		require.Equal(t, want, ask(h, "GET", path).Code, path)
	}
}

func TestReadyz(t *testing.T) {
	now, asked, reasons := start, 0, []string{"database: no answer"}
	h := New(options(func(o *Options) {
		o.Now = func() time.Time { return now }
		o.Ready = func(context.Context) []string { asked++; return reasons }
	}))
	for range 100 {
		w := ask(h, "GET", "/readyz")
		require.Equal(t, 503, w.Code)
		require.JSONEq(t, `{"ready":false,"reasons":["database: no answer"]}`, w.Body.String())
	}
	require.Equal(t, 1, asked, "an open path must not load the database")
	reasons, now = nil, now.Add(readyEvery)
	require.Equal(t, 200, ask(h, "GET", "/readyz").Code)
}

func TestAPI_ErrorIsNotTold(t *testing.T) {
	h := New(options(func(o *Options) {
		o.Status = func(context.Context) (any, error) { return nil, errors.New("password=CANARY") }
	}))
	w := ask(h, "GET", "/api/status")
	require.Equal(t, 503, w.Code)
	require.NotContains(t, w.Body.String(), "CANARY")
}

// The page holds nothing a policy would have to allow, and loads nothing from
// elsewhere.
func TestPage_NoInlineCodeNoOtherHost(t *testing.T) {
	h := New(options(func(o *Options) { o.Version = `v1<script>alert(1)</script>` }))
	html := ask(h, "GET", "/").Body.String()
	require.Contains(t, html, "v1&lt;script&gt;")
	require.NotRegexp(t, `(?i)<script>|<style|\son\w+=|style=|javascript:`, html)
	js := ask(h, "GET", "/assets/dashboard.js").Body.String()
	css := ask(h, "GET", "/assets/dashboard.css").Body.String()
	for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"} {
		require.NotContains(t, js, forbidden)
	}
	require.NotContains(t, html+js+css, "//cdn")
	require.NotRegexp(t, `https?://`, html+js+css)
}

// serve runs Serve on a free port until the test ends.
func serve(t *testing.T, h http.Handler) (addr string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h, slog.New(slog.DiscardHandler)) }()
	return l.Addr().String(), func() error { cancel(); return <-done }
}

func TestServe_FinishesWhatIsInFlight(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	addr, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	}))
	answer := make(chan string, 1)
	go func() {
		r, err := http.Get("http://" + addr)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		answer <- string(body)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(release)
	require.Equal(t, "done", <-answer)
	require.NoError(t, <-stopped)
}

func TestServe_HeaderLimit(t *testing.T) {
	addr, stop := serve(t, New(options()))
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nA: "+strings.Repeat("a", 64<<10)+"\r\n\r\n")
	require.NoError(t, err)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, answer, "431")
	require.NoError(t, stop())
}

func TestFault_B16_ConnectionCap(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := newCapped(l, 2)
	var held []net.Conn
	for range 2 {
		client, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		conn, err := c.Accept()
		require.NoError(t, err)
		held = append(held, conn)
	}
	client, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	accepted := make(chan net.Conn)
	go func() {
		conn, err := c.Accept()
		if err == nil {
			accepted <- conn
		}
		_, err = c.Accept()
		if err != nil {
			close(accepted)
		}
	}()
	select {
	case <-accepted:
		t.Fatal("a third connection was accepted")
	default:
	}
	require.NoError(t, held[0].Close())
	_ = held[0].Close() // twice frees one place
	third := <-accepted
	defer third.Close()
	require.NoError(t, c.Close())
	_, open := <-accepted
	require.False(t, open, "Close wakes an Accept that waits for a place")
	_ = held[1].Close()
}
