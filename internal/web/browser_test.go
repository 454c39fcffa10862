package web

import (
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.String("screenshots", "", "folder to write screenshots of the dashboard to")

// browser gives a tab and the count of what must not happen in it: dialogs
// opened by scripts of the data, and exceptions. The test is skipped without
// Chromium on the PATH.
func browser(t *testing.T) (context.Context, *atomic.Int32) {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium on the PATH: the dashboard is not looked at")
	}
	bad := &atomic.Int32{}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *page.EventJavascriptDialogOpening:
			bad.Add(1)
		case *runtime.EventExceptionThrown:
			t.Logf("exception: %s", e.ExceptionDetails.Text)
			bad.Add(1)
		}
	}))
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	return ctx, bad
}

// value runs an expression in the page.
func value[T any](ctx context.Context, t *testing.T, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err, expression)
	return v
}

// open loads a dashboard and waits until it is drawn.
func open(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(url), chromedp.Poll[chromedp.Void](drawn)))
}

// file is a Queries and status of a JSON file; replace changes every text.
func file(t *testing.T, name string, replace func(string) string) (any, lists) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(text, &all))
	if replace != nil {
		all = texts(all, replace).(map[string]any)
	}
	return all["status"], all
}

// texts replaces every string within v, keys apart.
func texts(v any, replace func(string) string) any {
	switch v := v.(type) {
	case string:
		return replace(v)
	case []any:
		for i := range v {
			v[i] = texts(v[i], replace)
		}
	case map[string]any:
		for k := range v {
			v[k] = texts(v[k], replace)
		}
	}
	return v
}

func dashboard(t *testing.T, name string, replace func(string) string) string {
	t.Helper()
	status, rows := file(t, name, replace)
	addr, stop := serve(t, New(options(func(o *Options) {
		o.Queries = rows
		o.Status = func(context.Context) (any, error) { return status, nil }
	})))
	t.Cleanup(func() { _ = stop() })
	return "http://" + addr + "/"
}

const drawn = `document.querySelectorAll('#journal table, #journal .empty').length > 0 && document.querySelectorAll('#connections article, #connections .empty').length > 0 && document.getElementById('updated').textContent !== ''`

func TestDashboard_InABrowser(t *testing.T) {
	ctx, bad := browser(t)
	for _, c := range []struct {
		data, name    string
		width, height int64
		scheme        string
		state         string
	}{
		{"busy.json", "busy-wide", 1400, 1000, "light", "working"},
		{"busy.json", "busy-dark", 1400, 1000, "dark", "working"},
		{"busy.json", "busy-phone", 390, 844, "light", "working"},
		{"empty.json", "empty-wide", 1400, 900, "light", "no connection"},
	} {
		require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(c.width, c.height),
			chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}},
				})
				return err
			})))
		open(ctx, t, dashboard(t, c.data, nil))
		require.Equal(t, c.state, value[string](ctx, t, `document.getElementById('state').textContent`), c.name)
		require.LessOrEqual(t, value[int64](ctx, t, `document.documentElement.scrollWidth`), c.width, "%s is wider than its window", c.name)
		require.True(t, value[bool](ctx, t, `document.getElementById('banner').hidden`), c.name)
		if *screenshots != "" {
			shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(*screenshots, c.name+".png"), shot, 0o600))
		}
	}
	require.Zero(t, bad.Load())
}

// Text of a CRM is text: in every field of every answer, no corpus entry makes
// an element or a dialog.
func TestDashboard_HostileText(t *testing.T) {
	ctx, bad := browser(t)
	for _, evil := range []string{
		`<script>alert(1)</script>`,
		`<img src=x onerror=alert(1)>`,
		`"><svg onload=alert(1)>`,
		`' onmouseover='alert(1)' x='`,
		`javascript:alert(1)`,
		`</td></tr></table><iframe src="javascript:alert(1)"></iframe>`,
		`{{constructor.constructor('alert(1)')()}}`,
		`<style>*{display:none}</style><base href="//evil.example/">`,
		"<b>\u202e\u2028\u0000</b>",
	} {
		open(ctx, t, dashboard(t, "busy.json", func(s string) string { return s + evil }))
		require.Zero(t, value[int](ctx, t, `document.querySelectorAll('main script, main img, main svg, main iframe, main style, main base, main b, main a, main [onerror], main [onload], main [onmouseover]').length`), evil)
		text := value[string](ctx, t, `document.getElementById('main').textContent`)
		require.GreaterOrEqual(t, strings.Count(text, evil), 20, "it is shown as text")
		require.True(t, value[bool](ctx, t, `document.getElementById('banner').hidden`))
	}
	require.Zero(t, bad.Load())
}

// The token may stand in the address that somebody opens.
func TestDashboard_OpenedWithTheTokenInTheAddress(t *testing.T) {
	ctx, bad := browser(t)
	status, rows := file(t, "busy.json", nil)
	addr, stop := serve(t, New(options(func(o *Options) {
		o.AdminToken, o.Queries = "opensesame", rows
		o.Status = func(context.Context) (any, error) { return status, nil }
	})))
	t.Cleanup(func() { _ = stop() })
	open(ctx, t, "http://any:opensesame@"+addr+"/")
	require.Equal(t, "http://"+addr+"/jobs/", value[string](ctx, t, `document.querySelector('nav a').href`))
	require.True(t, value[bool](ctx, t, `document.getElementById('banner').hidden`))
	require.Zero(t, bad.Load())
}

// River UI fetches relative addresses, which such a page may not.
func TestJobs_OpenedWithTheTokenInTheAddress(t *testing.T) {
	ctx, _ := browser(t)
	pages := map[string][2]string{
		"/jobs/":       {"text/html; charset=utf-8", `<!doctype html><html><head><script src="/jobs/app.js" defer></script></head><body></body></html>`},
		"/jobs/app.js": {"text/javascript; charset=utf-8", `fetch('/jobs/api').then((r) => r.text()).then((text) => { document.title = text; });`},
		"/jobs/api":    {"text/plain; charset=utf-8", "<head>listed"},
	}
	addr, stop := serve(t, New(options(func(o *Options) {
		o.AdminToken = "opensesame"
		o.Jobs = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", pages[r.URL.Path][0])
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(pages[r.URL.Path][1]))
		})
	})))
	t.Cleanup(func() { _ = stop() })
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("http://any:opensesame@"+addr+"/jobs/"), chromedp.Poll[chromedp.Void](`document.title === '<head>listed'`)))
}

func TestDashboard_SaysWhenTheWorkerIsGone(t *testing.T) {
	ctx, _ := browser(t)
	down := atomic.Bool{}
	inner := New(options())
	addr, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer func() { _ = stop() }()
	open(ctx, t, "http://"+addr+"/")
	down.Store(true)
	require.NoError(t, chromedp.Do(ctx, chromedp.Poll[chromedp.Void](`!document.getElementById('banner').hidden`)))
	require.Contains(t, value[string](ctx, t, `document.getElementById('banner').textContent`), "The worker answers 503")
	down.Store(false)
	require.NoError(t, chromedp.Do(ctx, chromedp.Poll[chromedp.Void](`document.getElementById('banner').hidden`)))
}
