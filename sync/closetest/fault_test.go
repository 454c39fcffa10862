package closetest

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// head is an answer without its body; zero when none came.
type head struct {
	status int
	header http.Header
}

// fetch makes a real request, so that cuts and lengths are what a client sees.
func fetch(t *testing.T, s *Server, base, method, path, body string) (head, []byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	require.NoError(t, err)
	r.SetBasicAuth(s.Key(), "")
	r.Header.Set("Content-Type", "application/json")
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		return head{}, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return head{resp.StatusCode, resp.Header}, raw, err
}

func TestFaults_BeforeAndAfterEffect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind    FaultKind
		effect  bool
		isError bool
	}{
		{FaultStatus, false, false}, {FaultCut, false, true}, {FaultHang, false, true},
		{FaultStatusAfter, true, false}, {FaultCutAfter, true, true}, {FaultHangAfter, true, true},
	} {
		b := setup(t, Options{})
		base := b.Start(t)
		b.Fault(Fault{Name: "f", Method: "POST", Path: "/lead/", Nth: 1, Kind: tt.kind, Status: 502})
		resp, _, err := fetch(t, b.Server, base, "POST", "lead/", `{"name":"A"}`)
		require.Equal(t, tt.isError, err != nil, tt.kind)
		if !tt.isError {
			require.Equal(t, 502, resp.status)
		}
		require.Equal(t, tt.effect, len(b.List("lead")) == 1, tt.kind)
		require.Equal(t, 1, b.FaultFired("f"))
		_, _, err = fetch(t, b.Server, base, "POST", "lead/", `{"name":"B"}`)
		require.NoError(t, err, "only the first")
	}
}

func TestFaults_InTheAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 2})
	base := b.Start(t)
	with := func(f Fault, path string) (head, []byte, error) {
		b.ClearFaults()
		f.Method = "GET"
		b.Fault(f)
		return fetch(t, b.Server, base, "GET", path, "")
	}
	_, raw, err := with(Fault{Kind: FaultTruncate, N: 40}, "lead/")
	require.NoError(t, err)
	require.Len(t, raw, 40)
	_, raw, err = with(Fault{Kind: FaultCutBody, N: 40}, "lead/")
	require.Error(t, err)
	require.Len(t, raw, 40)
	resp, raw, _ := with(Fault{Kind: FaultHTML}, "lead/")
	require.Equal(t, "text/html", resp.header.Get("Content-Type"))
	require.Contains(t, string(raw), "<html>")
	_, raw, _ = with(Fault{Kind: FaultReplace, Replace: map[string]string{"Brackwater": `\ud800\u0000`}}, "lead/")
	require.Contains(t, string(raw), `\ud800\u0000`)
	_, raw, _ = with(Fault{Kind: FaultDuplicateKeys}, "lead/")
	require.Contains(t, string(raw), `"Id":"x_title"`)
	for _, kind := range []FaultKind{FaultWrongTypes, FaultUnknownFields, FaultEmptyPage, FaultRepeatRows} {
		_, raw, err = with(Fault{Kind: kind}, "lead/")
		require.NoError(t, err)
		require.True(t, json.Valid(raw), kind)
	}
	require.Equal(t, 4, strings.Count(string(raw), `"html_url"`))
	resp, _, _ = with(Fault{Kind: FaultRedirect, Body: "https://elsewhere.example/"}, "lead/")
	require.Equal(t, 302, resp.status)
	require.Equal(t, "https://elsewhere.example/", resp.header.Get("Location"))
	_, _, err = with(Fault{Kind: FaultTruncatedGzip}, "lead/")
	require.Error(t, err)
	_, raw, err = with(Fault{Kind: FaultDrip, Delay: 10 * time.Millisecond}, "lead/")
	require.Error(t, err, "the client gives up first")
	require.NotEmpty(t, raw)
	_, raw, err = with(Fault{Kind: FaultStatus, Status: 429, Header: map[string]string{"RateLimit": "limit=1, remaining=0, reset=abc"}}, "lead/")
	require.NoError(t, err)
	require.Contains(t, string(raw), "Too Many Requests")
}

func TestFault_A13_GzipBomb(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	base := b.Start(t)
	b.Fault(Fault{Kind: FaultGzipBomb, N: 8})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"lead/", nil)
	require.NoError(t, err)
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	small := &counter{r: resp.Body}
	z, err := gzip.NewReader(small)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, z)
	require.NoError(t, err)
	require.Greater(t, n, int64(8<<20))
	require.Less(t, small.n, 64<<10)
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestFault_A28_StaleRead(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	id := b.newLead(obj{"name": "A"})
	b.clock.Advance(time.Second)
	b.ok("PUT", "/lead/"+id+"/", obj{"name": "B"})
	b.Fault(Fault{Kind: FaultStale, Times: 1})
	require.Equal(t, "A", b.ok("GET", "/lead/"+id+"/", nil)["name"])
	require.Equal(t, "B", b.ok("GET", "/lead/"+id+"/", nil)["name"])
}

func TestFaults_RateAndMatch(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.Fault(Fault{Name: "half", Path: "/me/", Rate: 0.5, Kind: FaultStatus, Status: 500})
	b.Fault(Fault{Name: "others", KeyID: "api_other", Kind: FaultStatus, Status: 500})
	failed := 0
	for range 200 {
		code, _, _ := b.do("GET", "/me/", nil)
		failed += code / 500
	}
	require.InDelta(t, 100, failed, 30)
	require.Zero(t, b.FaultFired("others"))
	b.ok("GET", "/user/", nil)
}

func TestFault_A5_OthersUseTheOrganization(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Limits: Limits{Key: 10, Separator: "; ", Decimals: -1, LegacyBody: true}})
	_, _, h := b.do("GET", "/me/", nil)
	require.Equal(t, "limit=10; remaining=9; reset=1", h.Get("RateLimit"))
	b.DrainOrganization("GET me", 29)
	bad := b.bad(429, "GET", "/me/", nil)
	require.Equal(t, "org", bad["error"].(obj)["rate_limit_type"])
	requireShape(t, sample(t, "error-429.body-legacy"), bad, "$")
	b.ok("GET", "/lead/", nil)
}

func TestLimits_Burst(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Limits: Limits{Key: 2, Burst: 3}})
	for range 5 {
		_, _, h := b.do("GET", "/me/", nil)
		require.NotContains(t, h.Get("RateLimit"), "-")
	}
	b.bad(429, "GET", "/me/", nil)
}

func TestFault_A2_NoHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Limits: Limits{Key: 1, NoHeaders: true, Groups: map[string]int{"GET lead": 5}}})
	b.ok("GET", "/me/", nil)
	code, _, h := b.do("GET", "/me/", nil)
	require.Equal(t, 429, code)
	require.Empty(t, h.Get("RateLimit"))
	require.Empty(t, h.Get("Retry-After"))
	b.ok("GET", "/lead/", nil)
	b.ok("GET", "/lead/", nil)
}
