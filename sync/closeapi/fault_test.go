package closeapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const lead1 = `{"id":"lead_1"}`

// cut sends the first n bytes of an answer and drops the connection.
func cut(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		full := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + lead1
		_, _ = io.WriteString(conn, full[:min(n, len(full))])
	}
}

func TestFault_A1_ClosedWindowHoldsOneGroup(t *testing.T) {
	b := setup(t)
	var at []time.Time
	first := true
	b.mux.HandleFunc("/api/v1/lead/lead_1/", func(w http.ResponseWriter, r *http.Request) {
		at = append(at, b.clock.Now())
		if first {
			first = false
			answer(429, `{}`, "RateLimit", "limit=10, remaining=0, reset=3.2", "Retry-After", "4")(w, r)
			return
		}
		answer(200, lead1)(w, r)
	})
	contact := b.on("contact/cont_1/", answer(200, `{"id":"cont_1"}`))
	_, err := b.GetRaw(t.Context(), "lead", "lead_1")
	require.NoError(t, err)
	require.Len(t, at, 2)
	require.GreaterOrEqual(t, at[1].Sub(at[0]), 3200*time.Millisecond)
	before := b.clock.Now()
	_, err = b.GetRaw(t.Context(), "contact", "cont_1")
	require.NoError(t, err)
	require.Equal(t, before, b.clock.Now(), "another group must not wait")
	require.Equal(t, 1, contact())
}

func TestFault_A1_GivesUpAtOnceWhenDeadlineIsNearer(t *testing.T) {
	b := setup(t)
	n := b.on("lead/lead_1/", answer(429, `{}`, "RateLimit", "limit=10, remaining=0, reset=200"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := b.UpdateRaw(ctx, "lead", "lead_1", Changes{"name": "x"})
	var limited *RateLimitError
	require.ErrorAs(t, err, &limited)
	require.Equal(t, "PUT lead", limited.Group)
	require.GreaterOrEqual(t, limited.Wait, 200*time.Second)
	require.Equal(t, 1, n())
}

func TestFault_A2_BackoffGrowsWithoutHeaders(t *testing.T) {
	b := setup(t)
	b.on("lead/lead_1/", answer(429, `{}`))
	_, err := b.GetRaw(t.Context(), "lead", "lead_1")
	var limited *RateLimitError
	require.ErrorAs(t, err, &limited)
	require.GreaterOrEqual(t, b.clock.slept[0], time.Second)
	for i := 1; i < len(b.clock.slept); i++ {
		require.GreaterOrEqual(t, b.clock.slept[i], b.clock.slept[i-1])
	}
	require.Greater(t, b.clock.slept[3], 4*b.clock.slept[0])
}

func TestFault_A3_AbsurdResetIsClamped(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"-5": minReset, "0": minReset, "1e9": maxReset, "1e400": maxReset, "Inf": maxReset, "-Inf": minReset, "2.5": 2500 * time.Millisecond,
	} {
		h := parseRate(http.Header{"Ratelimit": {"limit=10;remaining=0;reset=" + value}})
		require.True(t, h.hasReset, value)
		require.Equal(t, want, h.reset, value)
	}
	for _, value := range []string{"NaN", "abc", ""} {
		require.False(t, parseRate(http.Header{"Ratelimit": {"reset=" + value}}).hasReset, value)
	}
	h := parseRate(http.Header{"Ratelimit": {"reset=abc"}, "Retry-After": {"7"}})
	require.Equal(t, 7*time.Second, h.reset)
}

func TestFault_A4_RefusalInsideTheWindowSlowsDown(t *testing.T) {
	g := newGate("x", 0)
	now := time.Now()
	g.refused(ticket{}, parseRate(http.Header{"Ratelimit": {"limit=100, remaining=50, reset=1"}}), now, 0)
	require.Equal(t, 0.5, g.share)
	g.refused(ticket{}, rateHeader{remaining: 50}, now, 0)
	require.Equal(t, 0.5, g.share, "the same burst counts once")
	now = now.Add(1100 * time.Millisecond)
	var sent int
	for range 1000 {
		if d := g.readyIn(now, 0); d > 0 {
			now = now.Add(d)
			continue
		}
		g.take(now)
		if sent++; sent == 50 {
			break
		}
	}
	require.Equal(t, 50, sent)
}

func TestFault_A5_WindowUsedUpByOthers(t *testing.T) {
	b := setup(t)
	b.on("lead/lead_1/", answer(200, lead1, "RateLimit", "limit=100, remaining=0, reset=5"))
	start := b.clock.Now()
	for range 3 {
		_, err := b.GetRaw(t.Context(), "lead", "lead_1")
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, b.clock.Now().Sub(start), 10*time.Second)
	l := b.Limits()[0]
	require.Equal(t, Limit{Group: "GET lead", Limit: 100, ResetsIn: 5 * time.Second}, l)
}

func TestFault_A6_ServerErrors(t *testing.T) {
	for _, status := range []int{500, 502, 503, 504} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			b := setup(t)
			read := b.on("lead/lead_1/", answer(status, `oops`), answer(status, `oops`), answer(200, lead1))
			_, err := b.GetRaw(t.Context(), "lead", "lead_1")
			require.NoError(t, err)
			require.Equal(t, 3, read())
			write := b.on("lead/", answer(status, `oops`))
			_, err = b.CreateRaw(t.Context(), "lead", Changes{"name": "x"})
			var unknown *UnknownOutcomeError
			require.ErrorAs(t, err, &unknown)
			var inner *Error
			require.ErrorAs(t, err, &inner)
			require.Equal(t, status, inner.Status)
			require.Equal(t, 1, write(), "a write is not repeated")
		})
	}
}

func TestFault_A7_AppliedThenServerError(t *testing.T) {
	b := setup(t)
	n := b.on("lead/lead_1/", answer(502, `<html>`))
	for _, call := range []func() error{
		func() error { _, err := b.UpdateRaw(t.Context(), "lead", "lead_1", Changes{}); return err },
		func() error { return b.DeleteRaw(t.Context(), "lead", "lead_1") },
	} {
		var unknown *UnknownOutcomeError
		require.ErrorAs(t, call(), &unknown)
	}
	require.Equal(t, 2, n())
}

func TestFault_A8_NoConnection(t *testing.T) {
	// A free port would soon be taken by the server of another test.
	b := setup(t, func(o *Options) { o.BaseURL = "http://127.0.0.1:1" })
	_, err := b.CreateRaw(t.Context(), "lead", Changes{"name": "x"})
	var transport *TransportError
	require.ErrorAs(t, err, &transport)
	require.False(t, transport.Sent)
	var unknown *UnknownOutcomeError
	require.NotErrorAs(t, err, &unknown)
	require.Len(t, *b.calls, maxTries, "a write that was never sent is repeated")
}

func TestFault_A9_ResetAtEveryByte(t *testing.T) {
	for n := 0; n < 100; n += 3 {
		b := setup(t)
		b.on("lead/lead_1/", cut(n), answer(200, lead1))
		raw, err := b.GetRaw(t.Context(), "lead", "lead_1")
		require.NoError(t, err, n)
		require.Equal(t, lead1, string(raw))
		writes := b.on("lead/", cut(min(n, 80)))
		_, err = b.CreateRaw(t.Context(), "lead", Changes{})
		var unknown *UnknownOutcomeError
		require.ErrorAs(t, err, &unknown, n)
		// None may arrive where the kept connection was already dropped.
		require.LessOrEqual(t, writes(), 1)
	}
}

func TestFault_A10_SlowBodyMeetsDeadline(t *testing.T) {
	b := setup(t, func(o *Options) { o.Timeout = 50 * time.Millisecond })
	b.on("lead/lead_1/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	err := b.DeleteRaw(t.Context(), "lead", "lead_1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var unknown *UnknownOutcomeError
	require.ErrorAs(t, err, &unknown)
}

func TestFault_A11_HeadersNeverArrive(t *testing.T) {
	b := setup(t, func(o *Options) { o.Timeout = 20 * time.Millisecond })
	n := b.on("lead/lead_1/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err := b.GetRaw(t.Context(), "lead", "lead_1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, maxTries, n())
}

func TestFault_A12_TruncatedJSON(t *testing.T) {
	full := `{"data":[{"id":"lead_1"},{"id":"lead_2"}],"has_more":false}`
	for n := range len(full) {
		b := setup(t)
		b.on("lead/", answer(200, full[:n]), answer(200, full))
		p, err := b.ListLeads(t.Context(), ListOptions{})
		require.NoError(t, err)
		require.Len(t, p.Data, 2, n)
	}
	for _, body := range []string{`{}`, `{"data":null}`, `{"data":{}}`, `[]`, `null`} {
		b := setup(t)
		b.on("lead/", answer(200, body))
		_, err := b.ListLeads(t.Context(), ListOptions{})
		var odd *ResponseError
		require.ErrorAs(t, err, &odd, body)
	}
}

func gzipped(t *testing.T, body []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return buf.Bytes()
}

func TestFault_A13_GzipCutOrBomb(t *testing.T) {
	b := setup(t)
	z := gzipped(t, []byte(lead1))
	b.on("lead/lead_1/", answer(200, string(z[:len(z)-6]), "Content-Encoding", "gzip"), answer(200, string(z), "Content-Encoding", "gzip"))
	raw, err := b.GetRaw(t.Context(), "lead", "lead_1")
	require.NoError(t, err)
	require.Equal(t, lead1, string(raw))
	bomb := gzipped(t, bytes.Repeat([]byte(" "), MaxBodyBytes+1))
	n := b.on("lead/lead_2/", answer(200, string(bomb), "Content-Encoding", "gzip"))
	_, err = b.GetRaw(t.Context(), "lead", "lead_2")
	var odd *ResponseError
	require.ErrorAs(t, err, &odd)
	require.Equal(t, ReasonTooLarge, odd.Reason)
	require.Equal(t, 1, n())
}

func TestFault_A14_ProxyPage(t *testing.T) {
	b := setup(t)
	html := answer(200, "<html>", "Content-Type", "text/html")
	n := b.on("lead/", html, answer(200, `{"data":[]}`))
	p, err := b.ListLeads(t.Context(), ListOptions{})
	require.NoError(t, err)
	require.Empty(t, p.Data)
	require.Equal(t, 2, n())
	b.on("lead/lead_1/", html)
	_, err = b.UpdateRaw(t.Context(), "lead", "lead_1", Changes{})
	var unknown *UnknownOutcomeError
	require.ErrorAs(t, err, &unknown)
}

func TestFault_A17_LargeNumbersKeepTheirDigits(t *testing.T) {
	in := `{"id":"lead_1","name":null,"description":null,"url":null,"created_by":null,"updated_by":null,"custom.cf_n":9007199254740993}`
	lead, err := decodeInto[Lead](RawMessage(in))
	require.NoError(t, err)
	v, ok := lead.Extra.Custom("cf_n")
	require.True(t, ok)
	require.Equal(t, "9007199254740993", string(v))
	b := setup(t)
	b.on("lead/lead_1/", answer(200, in))
	raw, err := b.GetRaw(t.Context(), "lead", "lead_1")
	require.NoError(t, err)
	require.Equal(t, in, string(raw))
}

func TestFault_A18_DuplicateKeys(t *testing.T) {
	b := setup(t)
	b.on("lead/lead_1/", answer(200, `{"id":"a","id":"b"}`))
	_, err := b.GetRaw(t.Context(), "lead", "lead_1")
	var odd *ResponseError
	require.ErrorAs(t, err, &odd)
	require.Equal(t, ReasonDuplicate, odd.Reason)
	b.on("lead/", answer(200, `{"data":[{"id":"lead_1"},{"id":"a","id":"b"},7]}`))
	p, err := b.ListLeads(t.Context(), ListOptions{})
	require.NoError(t, err)
	require.Len(t, p.Data, 1)
	require.Len(t, p.Rejected, 2, "bad entries stay apart and the page goes on")
	lead, err := decodeInto[Lead](RawMessage(`{"ID":"x","id":"right","Id":"y"}`))
	require.NoError(t, err)
	require.Equal(t, "right", lead.ID)
}

func TestFault_A19_NulAndLoneSurrogate(t *testing.T) {
	in := `{"id":"lead_1","name":"a\u0000b\ud800c"}`
	b := setup(t)
	b.on("lead/lead_1/", answer(200, in))
	raw, err := b.GetRaw(t.Context(), "lead", "lead_1")
	require.NoError(t, err)
	require.Equal(t, in, string(raw), "bytes as Close sent them")
	lead, err := b.Leads().Get(t.Context(), "lead_1")
	require.NoError(t, err)
	require.Equal(t, "a\x00b\uFFFDc", *lead.Name)
}

func TestFault_A33_Unauthorized(t *testing.T) {
	b := setup(t)
	n := b.on("me/", answer(401, sample(t, "error-401.json")))
	_, err := b.Me(t.Context())
	require.ErrorIs(t, err, ErrUnauthorized)
	require.NotContains(t, err.Error(), "secretpart")
	require.Equal(t, 1, n())
}

func TestFault_A34_PlanLimit(t *testing.T) {
	b := setup(t)
	b.on("lead/", answer(402, `{"error":"Plan limit reached"}`))
	_, err := b.CreateRaw(t.Context(), "lead", Changes{})
	require.ErrorIs(t, err, ErrPlanLimit)
}

func TestFault_A35_Forbidden(t *testing.T) {
	b := setup(t)
	b.on("lead/lead_1/", answer(403, `{"field-errors":{"custom.cf_x":"no"},"errors":[]}`))
	_, err := b.UpdateRaw(t.Context(), "lead", "lead_1", Changes{"custom.cf_x": 1})
	require.ErrorIs(t, err, ErrForbidden)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, map[string]string{"custom.cf_x": "no"}, e.FieldErrors)
}

func TestFault_A36_NotFound(t *testing.T) {
	b := setup(t)
	b.on("lead/lead_1/", answer(404, sample(t, "error-404.json")))
	_, err := b.UpdateRaw(t.Context(), "lead", "lead_1", Changes{})
	require.ErrorIs(t, err, ErrNotFound)
}

func TestFault_A37_RedirectIsNeverFollowed(t *testing.T) {
	hit := false
	other := setup(t)
	other.mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { hit = true })
	for _, status := range []int{301, 302, 307, 308} {
		b := setup(t, func(o *Options) { o.HTTPClient = &http.Client{} })
		b.on("lead/lead_1/", answer(status, ``, "Location", other.base.String()+"lead/x/"))
		_, err := b.UpdateRaw(t.Context(), "lead", "lead_1", Changes{})
		var odd *ResponseError
		require.ErrorAs(t, err, &odd)
		require.Equal(t, ReasonRedirect, odd.Reason)
		require.Contains(t, odd.Detail, other.base.Host)
	}
	require.False(t, hit)
}

func TestSecretNeverShows(t *testing.T) {
	s := Secret(testKey)
	text, err := json.Marshal(map[string]any{"k": s, "p": &s})
	require.NoError(t, err)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", s, "in", struct{ K Secret }{s})
	plain, err := s.MarshalText()
	require.NoError(t, err)
	for _, shown := range []string{fmt.Sprint(s), s.String(), s.GoString(), string(plain), log.String(), fmt.Sprintf("%q %x %#v %+v %d", s, s, s, struct{ K Secret }{s}, s), string(text)} {
		require.NotContains(t, shown, "secretpart")
		require.NotContains(t, shown, fmt.Sprintf("%x", testKey))
	}
}
