package closetest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// receiver keeps what arrives and answers as told.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	valid  []bool
	status int
	key    string
	url    string
	arrive chan struct{}
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 200, arrive: make(chan struct{}, 1000)}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		sig, _ := Sign(r.key, req.Header.Get("close-sig-timestamp"), body)
		r.bodies = append(r.bodies, string(body))
		r.valid = append(r.valid, sig == req.Header.Get("close-sig-hash"))
		w.WriteHeader(r.status)
		r.arrive <- struct{}{}
	}))
	t.Cleanup(h.Close)
	r.url = h.URL
	return r
}

func (r *receiver) subscribe(b *bundle, events ...any) string {
	out := b.ok("POST", "/webhook/", obj{"url": r.url, "events": events})
	r.key = out["signature_key"].(string)
	return "/webhook/" + out["id"].(string) + "/"
}

func on(kind, action string) obj { return obj{"object_type": kind, "action": action} }

func (b *bundle) deliver() int { return b.DeliverWebhooks(b.t.Context(), http.DefaultClient) }

func TestWebhooks_WaitForConsolidation(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Consolidation: 10 * time.Second, WebhookDelay: time.Second})
	r := newReceiver(t)
	r.subscribe(b, on("lead", "created"), on("lead", "updated"))
	id := b.newLead(obj{"name": "A"})
	require.Zero(t, b.deliver())
	b.clock.Advance(time.Second)
	require.Equal(t, 1, b.deliver(), "created goes out at once")
	require.NoError(t, b.Update(id, obj{"name": "B"}))
	b.clock.Advance(5 * time.Second)
	require.NoError(t, b.Update(id, obj{"name": "C"}))
	require.Len(t, b.events("object_type=lead&action=updated"), 1, "the log is ahead")
	require.Zero(t, b.deliver())
	due, ok := b.NextDelivery()
	require.True(t, ok)
	b.clock.Advance(due.Sub(b.clock.Now()))
	require.Equal(t, 1, b.deliver())
	require.Equal(t, []bool{true, true}, r.valid)
	require.Contains(t, r.bodies[1], `"name":"C"`)
	require.NoError(t, b.Delete(id))
	b.clock.Advance(time.Hour)
	require.Zero(t, b.deliver(), "not subscribed")
}

func TestWebhooks_RetryUntil72Hours(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Webhooks: WebhookOptions{PauseAfter: 1000 * time.Hour}})
	r := newReceiver(t)
	path := r.subscribe(b, on("lead", "created"))
	r.status = 503
	b.newLead(obj{})
	require.Equal(t, 1, b.deliver())
	at := b.clock.Now()
	var gaps []time.Duration
	for {
		due, ok := b.NextDelivery()
		if !ok {
			break
		}
		gaps = append(gaps, due.Sub(b.clock.Now()))
		b.clock.Advance(due.Sub(b.clock.Now()))
		b.deliver()
	}
	require.Equal(t, 61*time.Second, gaps[0])
	require.Equal(t, 121*time.Second, gaps[1])
	require.Equal(t, 20*time.Minute+time.Second, gaps[10])
	require.InDelta(t, 72, b.clock.Now().Sub(at).Hours(), 0.5)
	sub := b.ok("GET", path, nil)
	require.NotContains(t, sub, "signature_key")
	require.EqualValues(t, 1, sub["counters"].(obj)["first_fail"])
	require.EqualValues(t, 503, sub["history"].(obj)["errors"].([]any)[0].(obj)["response_status_code"])
}

func TestFault_B21_PausedAndQueueCleared(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	r := newReceiver(t)
	path := r.subscribe(b, on("lead", "created"))
	r.status = 500
	b.newLead(obj{})
	for b.QueuedWebhooks() > 0 {
		due, _ := b.NextDelivery()
		b.clock.Advance(due.Sub(b.clock.Now()))
		b.deliver()
	}
	require.Equal(t, "paused", b.ok("GET", path, nil)["status"])
	b.newLead(obj{})
	require.Zero(t, b.QueuedWebhooks())
	r.status = 200
	sub := b.ok("PUT", path, obj{"status": "active"})
	require.Equal(t, "active", sub["status"])
	require.Nil(t, sub["pause_reason"])
	b.newLead(obj{})
	require.Equal(t, 1, b.deliver())
	require.True(t, r.valid[len(r.valid)-1], "the key stays")
}

func TestFault_B21_QueueLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Webhooks: WebhookOptions{QueueLimit: 3}})
	r := newReceiver(t)
	path := r.subscribe(b, on("lead", "created"))
	for range 3 {
		b.newLead(obj{})
	}
	require.Zero(t, b.QueuedWebhooks())
	require.Equal(t, "paused", b.ok("GET", path, nil)["status"])
}

func TestFault_B3_ShuffledAndDuplicated(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Webhooks: WebhookOptions{Shuffle: true, Duplicate: 1}})
	r := newReceiver(t)
	r.subscribe(b, on("lead", "created"))
	for range 8 {
		b.newLead(obj{})
	}
	require.Equal(t, 16, b.deliver())
	seen := map[string]int{}
	for _, body := range r.bodies {
		seen[body]++
	}
	require.Len(t, seen, 8)
	ordered := b.events("")
	m, err := decodeObject([]byte(r.bodies[0]))
	require.NoError(t, err)
	require.NotEqual(t, ordered[7]["id"], m["event"].(obj)["id"], "with this seed the first is not the oldest")
}

func TestWebhooks_Subscriptions(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.bad(400, "POST", "/webhook/", obj{"url": "ftp://x", "events": []any{on("lead", "created")}})
	b.bad(400, "POST", "/webhook/", obj{"url": "https://x.example"})
	r := newReceiver(t)
	var path string
	for range maxSubscriptions {
		path = r.subscribe(b, on("lead", "created"))
	}
	b.bad(400, "POST", "/webhook/", obj{"url": r.url, "events": []any{on("lead", "created")}})
	b.ok("PUT", path, obj{"events": []any{on("contact", "created")}, "verify_ssl": false})
	b.ok("DELETE", path, nil)
	b.bad(404, "GET", path, nil)
	b.key = b.AddKey(RoleUser)
	require.Empty(t, rows(b.ok("GET", "/webhook/", nil)), "others see only their own")
}

func TestWebhooks_ExtraFilter(t *testing.T) {
	t.Parallel()
	access := func(field string, f obj) obj { return obj{"type": "field_accessor", "field": field, "filter": f} }
	event, err := decodeObject([]byte(`{"changed_fields":["status_id"],"api_key_id":null,"data":{"custom.cf_1":"x","emails":[{"type":"office"}]}}`))
	require.NoError(t, err)
	for _, tt := range []struct {
		f    obj
		want bool
	}{
		{access("changed_fields", obj{"type": "contains", "value": "status_id"}), true},
		{access("changed_fields", obj{"type": "contains", "value": "name"}), false},
		{access("api_key_id", obj{"type": "is_null"}), true},
		{access("api_key_id", obj{"type": "non_null"}), false},
		{access("data", access("custom.cf_1", obj{"type": "equals", "value": "x"})), true},
		{access("data", access("custom.cf_1", obj{"type": "not_equals", "value": "x"})), false},
		{access("data", access("emails", obj{"type": "any_array_value", "filter": access("type", obj{"type": "equals", "value": "office"})})), true},
		{obj{"type": "not", "filter": access("api_key_id", obj{"type": "is_null"})}, false},
		{obj{"type": "or", "filters": []any{access("api_key_id", obj{"type": "non_null"}), access("api_key_id", obj{"type": "is_null"})}}, true},
		{obj{"type": "and", "filters": []any{access("api_key_id", obj{"type": "non_null"}), access("api_key_id", obj{"type": "is_null"})}}, false},
	} {
		require.Equal(t, tt.want, filterPasses(tt.f, event), "%v", tt.f)
	}
}

func TestRun_DeliversInTheBackground(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	r := newReceiver(t)
	r.subscribe(b, on("lead", "created"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.Run(ctx); close(done) }()
	b.newLead(obj{})
	<-r.arrive
	cancel()
	<-done
	require.Equal(t, []bool{true}, r.valid)
}
