package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReceiver_RecordedDelivery(t *testing.T) {
	b := setup(t)
	body, _, ts, hash := sample(t)
	w := b.post("default", body, ts, hash)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "ok\n", w.Body.String())

	got := b.sink.all()
	require.Len(t, got, 1)
	d := got[0]
	require.Equal(t, body, d.Raw)
	require.True(t, strings.HasPrefix(string(d.Event), `{"id":"ev_`) && strings.HasSuffix(string(d.Event), `"}`), "%s", d.Event)
	d.Raw, d.Event = nil, nil
	require.Equal(t, Delivery{
		Connection: "default", SubscriptionID: sampleSub, EventID: "ev_PIHVBr1dvZXSLS4oKcZp7Y",
		ObjectType: "opportunity", Action: "updated", ObjectID: "oppo_qpyZ9NfUl36ohkjXRS4ASfzgUOVm0HnCO3V3xkhTOa1",
		LeadID: "lead_kTSOsq63Hvzl8IBtPnRNbzoc51FeogdvbzDp8mFmQp5", OrganizationID: sampleOrg,
		DateUpdated: time.Date(2026, 11, 20, 8, 0, 1, 240_000_000, time.UTC),
	}, d)
}

func TestReceiver_Refusals(t *testing.T) {
	body, _, ts, hash := sample(t)
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"GET", func(r *http.Request) { r.Method = "GET" }, 405},
		{"unknown connection", func(r *http.Request) { r.URL.Path = Prefix + "nobody" }, 404},
		{"no connection", func(r *http.Request) { r.URL.Path = Prefix }, 404},
		{"deeper path", func(r *http.Request) { r.URL.Path = Prefix + "default/x" }, 404},
		// What counts is the signature and the content; nothing is ever unpacked.
		{"form", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 200},
		{"said to be compressed", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 200},
		{"charset", func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") }, 200},
		{"no media type", func(r *http.Request) { r.Header.Del("Content-Type") }, 200},
		{"no subscription", func(r *http.Request) { r.URL.Path = Prefix + "none" }, 401},
		{"empty key", func(r *http.Request) { r.URL.Path = Prefix + "empty" }, 401},
		{"key made by hand", func(r *http.Request) { r.URL.Path = Prefix + "byhand" }, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			r := httptest.NewRequest(http.MethodPost, Prefix+"default", strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("close-sig-timestamp", ts)
			r.Header.Set("close-sig-hash", hash)
			c.change(r)
			w := b.do(r)
			require.Equal(t, c.want, w.Code)
			if c.want != 200 {
				require.Equal(t, "refused\n", w.Body.String())
				require.Empty(t, b.sink.all())
			}
		})
	}
}

func TestReceiver_KeysUnavailable(t *testing.T) {
	b := setup(t)
	b.keys.err = errors.New("database is down")
	require.Equal(t, 503, b.signed("default", delivery(event("ev_1"))).Code)
}

func TestReceiver_NotAnObject(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", `"x"`, "12", "{", "{} {}", `{"event":`, "\ufeff{}", `{"subscription_id":"` + sampleSub + `"},`,
		`{"subscription_id":"` + sampleSub + `","subscription_id":"` + sampleSub + `"}`,
		`{"subscription_id":"` + sampleSub + `","event":{},"event":{}}`,
		`{"subscription_id":"` + sampleSub + `","event":{"id":"a","\u0069d":"b"}}`,
	} {
		t.Run(body, func(t *testing.T) {
			b := setup(t)
			require.Equal(t, 400, b.signed("default", []byte(body)).Code)
			require.Empty(t, b.sink.all())
		})
	}
}

func TestReceiver_Rotation(t *testing.T) {
	b := setup(t)
	next := []byte("the next key, which is 32 bytes.")
	body := []byte(`{"subscription_id":"whsub_next","event":` + event("ev_2") + `}`)
	ts, hash := Sign(next, body, b.now)
	require.Equal(t, 401, b.post("default", body, ts, hash).Code)

	b.keys.mu.Lock()
	b.keys.keys["default"] = append(b.keys.keys["default"], SigningKey{SubscriptionID: "whsub_next", Key: next, OrganizationID: sampleOrg})
	b.keys.mu.Unlock()
	b.now = b.now.Add(keysRefetch)
	ts, hash = Sign(next, body, b.now)
	require.Equal(t, 200, b.post("default", body, ts, hash).Code, "new key")
	require.Equal(t, 200, b.signed("default", delivery(event("ev_1"))).Code, "old key")
}

// The Sink refuses one delivery for good; its neighbours are stored.
func TestReceiver_OneBadDeliveryFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		first := true
		b := setup(t, func(o *Options) { o.Committers = 1 })
		b.sink.before = func(_ context.Context, batch []Delivery) error {
			if first {
				first = false
				<-hold
			}
			for _, d := range batch {
				if d.EventID == "ev_bad" {
					return errors.New("refused")
				}
			}
			return nil
		}
		codes := make(chan [2]any, 4)
		for _, id := range []string{"ev_first", "ev_good", "ev_bad", "ev_also"} {
			go func() { codes <- [2]any{id, b.signed("default", delivery(event(id))).Code} }()
			synctest.Wait()
		}
		close(hold)
		got := map[any]any{}
		for range 4 {
			c := <-codes
			got[c[0]] = c[1]
		}
		require.Equal(t, map[any]any{"ev_first": 200, "ev_good": 200, "ev_bad": 503, "ev_also": 200}, got)
		require.NoError(t, b.Stop(t.Context()))
	})
}

func TestReceiver_GroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		b := setup(t, func(o *Options) { o.Committers = 1 })
		b.sink.before = func(context.Context, []Delivery) error { <-hold; return nil }
		done := make(chan int, 100)
		for range 100 {
			go func() { done <- b.signed("default", delivery(event("ev_1"))).Code }()
		}
		synctest.Wait()
		close(hold)
		for range 100 {
			require.Equal(t, 200, <-done)
		}
		require.LessOrEqual(t, len(b.sink.batches), 3, "the requests that wait share a commit")
		require.Len(t, b.sink.all(), 100)
		require.NoError(t, b.Stop(t.Context()))
		require.Equal(t, 503, b.signed("default", delivery(event("ev_1"))).Code, "stopped")
	})
}

// pausing gives nothing for a while, then the body.
type pausing struct {
	pause time.Duration
	rest  io.Reader
}

func (p *pausing) Read(into []byte) (int, error) {
	time.Sleep(p.pause) // of the test's bubble
	p.pause = 0
	return p.rest.Read(into)
}

func TestReceiver_SlowBodyIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		body := delivery(event("ev_1"))
		ts, hash := Sign(b.key, body, b.now)
		r := httptest.NewRequest(http.MethodPost, Prefix+"default", &pausing{8 * time.Second, bytes.NewReader(body)})
		r.Header.Set("close-sig-timestamp", ts)
		r.Header.Set("close-sig-hash", hash)
		require.Equal(t, 200, b.do(r).Code)
		require.Len(t, b.sink.all(), 1)
		require.NoError(t, b.Stop(t.Context()))
	})
}
