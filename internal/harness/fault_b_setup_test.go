package harness

import (
	"bytes"
	"context"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
	"closesync/sync/remote"
	"closesync/sync/webhook"
)

// hooked is a loaded world whose imitation delivers webhooks to a real
// receiver over the store.
type hooked struct {
	*World
	clock *closetest.Clock // Close's clock; the receiver's too
	url   string
	sub   remote.Subscription
	sink  *sink

	mu       sync.Mutex
	outcomes []webhook.Outcome
}

// sink keeps deliveries in the store, as the program does.
type sink struct {
	w      *World
	before func() error // a fault before the commit
	after  func() error // one after it
}

func (s *sink) Accept(ctx context.Context, batch []webhook.Delivery) error {
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	var events []engine.Event
	for _, d := range batch {
		e := engine.Event{ID: d.EventID, Updated: d.DateUpdated, ObjectType: d.ObjectType, ObjectID: d.ObjectID, Action: d.Action,
			Body: d.Event, Stale: d.Stale, Foreign: d.Foreign || d.Odd}
		if ev, err := mapping.DecodeEvent(d.Event); err == nil && ev.Action == "merged" {
			e.MergeSource = ev.MergeSource
		}
		events = append(events, e)
	}
	if _, err := s.w.Store.Accept(ctx, "webhook", events); err != nil {
		return err
	}
	if s.after != nil {
		return s.after()
	}
	return nil
}

// Keys are those of the subscription in force and of the one before it.
func (h *hooked) Keys(context.Context, string) ([]webhook.SigningKey, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var keys []webhook.SigningKey
	for s := &h.sub; s != nil && s.ID != ""; s = s.Previous {
		key, err := hex.DecodeString(s.Key.Reveal())
		if err != nil {
			return nil, err
		}
		keys = append(keys, webhook.SigningKey{SubscriptionID: s.ID, Key: key, OrganizationID: h.Close.OrganizationID()})
	}
	return keys, nil
}

func (h *hooked) save(_ context.Context, s remote.Subscription) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sub = s
	return nil
}

func hook(t *testing.T, change func(*Options)) *hooked {
	t.Helper()
	t.Parallel()
	// Near the real time: the store's dates are Postgres's own.
	h := &hooked{clock: closetest.NewClock(time.Now())}
	o := Options{Close: closetest.Options{Seed: 9, Leads: 5, Clock: h.clock}}
	if change != nil {
		change(&o)
	}
	h.World = New(t, o)
	h.Load()
	h.sink = &sink{w: h.World}
	h.url = h.receiver()
	h.ensure()
	return h
}

// receiver starts a receiver and gives the address of its deliveries.
func (h *hooked) receiver() string {
	r := webhook.New(webhook.Options{Sink: h.sink, Keys: h, Now: h.clock.Now, Observe: func(o webhook.Outcome) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.outcomes = append(h.outcomes, o)
	}})
	r.Start(context.Background())
	server := httptest.NewServer(r)
	h.T.Cleanup(func() {
		server.Close()
		require.NoError(h.T, r.Stop(context.Background()))
	})
	return server.URL + webhook.Prefix + "default"
}

func (h *hooked) subscriber() remote.Subscriber {
	return remote.Subscriber{Client: h.Client, URL: h.url, Save: h.save, Now: h.clock.Now}
}

func (h *hooked) ensure() (gap bool) {
	h.T.Helper()
	_, gap, err := h.subscriber().Ensure(context.Background(), h.sub)
	require.NoError(h.T, err)
	return gap
}

// deliver makes one attempt at all that is due.
func (h *hooked) deliver() int {
	return h.Close.DeliverWebhooks(context.Background(), http.DefaultClient)
}

// inbox counts the stored deliveries.
func (h *hooked) inbox(where string) string {
	return h.Get("SELECT count(*) FROM closesync.inbox WHERE source = 'webhook' AND " + where)
}

// post sends a body signed now, or at the time given.
func (h *hooked) post(url, body string, at time.Time) int {
	h.T.Helper()
	key, err := hex.DecodeString(h.sub.Key.Reveal())
	require.NoError(h.T, err)
	stamp, hash := webhook.Sign(key, []byte(body), at)
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader([]byte(body)))
	require.NoError(h.T, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Close-Sig-Timestamp", stamp)
	req.Header.Set("Close-Sig-Hash", hash)
	resp, err := sender.Do(req)
	require.NoError(h.T, err)
	require.NoError(h.T, resp.Body.Close())
	return resp.StatusCode
}

// sender keeps a connection for each of many senders.
var sender = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// event is a delivery's body; more are further members of the event.
func (h *hooked) event(id, objectType, action, objectID string, more ...string) string {
	return `{"subscription_id":"` + h.sub.ID + `","event":{"id":"` + id + `","date_created":"2026-05-02T09:14:07.390000","date_updated":"2026-05-02T09:14:07.390000","organization_id":"` +
		h.Close.OrganizationID() + `","object_type":"` + objectType + `","action":"` + action + `","object_id":"` + objectID + `","lead_id":null,"request_id":null,"meta":{},"user_id":null,"api_key_id":null` +
		strings.Join(append([]string{""}, more...), ",") + `}}`
}

func (h *hooked) lead(i int) string { return h.Close.List("lead")[i]["id"].(string) }

func (h *hooked) renamed(i int, name string) {
	h.T.Helper()
	require.NoError(h.T, h.Close.Update(h.lead(i), map[string]any{"name": name}))
}
