package closetest

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const maxSubscriptions = 40

// subscription is one row of /webhook/.
type subscription struct {
	id, url, signatureKey string
	events                []wanted
	verifyTLS             any
	status                string
	latestError           any
	pauseReason           any
	failBuckets           int
	counters              map[string]int
	errors, successes     []any
	owner, updatedBy      string
	created, updated      int64
	firstFail             int64 // since when all deliveries fail; 0 while some pass
}

type wanted struct {
	ObjectType string `json:"object_type"`
	Action     string `json:"action"`
	Filter     any    `json:"extra_filter"`
}

type hookState struct {
	subs  []*subscription
	queue []*delivery
	rng   *rand.Rand // of disorder and random faults, apart from the ids
	wake  chan struct{}
}

func (h *hookState) init(seed uint64) {
	h.rng = rand.New(rand.NewPCG(seed, 0x686f6f6b))
	h.wake = make(chan struct{}, 1)
}

func (s *Server) hookShape(sub *subscription, withKey bool) map[string]any {
	counters := map[string]any{}
	for k, n := range sub.counters {
		counters[k] = n
	}
	m := map[string]any{"id": sub.id, "url": sub.url, "events": sub.events, "verify_ssl": sub.verifyTLS,
		"status": sub.status, "health_status": nil, "latest_error": sub.latestError, "pause_reason": sub.pauseReason,
		"recent_consecutive_fail_buckets_cnt": sub.failBuckets, "counters": counters,
		"history":    map[string]any{"errors": orEmpty(sub.errors), "successes": orEmpty(sub.successes)},
		"created_by": sub.owner, "updated_by": sub.updatedBy,
		"date_created": zoneless(sub.created), "date_updated": zoneless(sub.updated)}
	if withKey {
		m["signature_key"] = sub.signatureKey
	}
	return m
}

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

func (s *Server) webhookEndpoint(req *request) ([]byte, *apiError) {
	if len(req.parts) == 1 {
		switch req.method {
		case "POST":
			return s.subscribe(req)
		case "GET":
		default:
			return nil, sentence(405, "Method not allowed")
		}
		rows := []any{}
		for _, sub := range s.hooks.subs {
			if req.key.role == RoleAdmin || sub.owner == req.key.userID {
				rows = append(rows, s.hookShape(sub, false))
			}
		}
		return encode(listed(rows)), nil
	}
	i := slices.IndexFunc(s.hooks.subs, func(x *subscription) bool { return x.id == req.parts[1] })
	if i < 0 || (req.key.role != RoleAdmin && s.hooks.subs[i].owner != req.key.userID) {
		return nil, notFound("webhook")
	}
	sub := s.hooks.subs[i]
	switch req.method {
	case "DELETE":
		s.hooks.subs = slices.Delete(s.hooks.subs, i, i+1)
		s.clearQueue(sub)
		return []byte("{}"), nil
	case "PUT":
		if err := s.setSubscription(sub, req.body); err != nil {
			return nil, err
		}
		sub.updated, sub.updatedBy = s.nowMicros(), req.actor.UserID
	}
	return encode(s.hookShape(sub, false)), nil
}

func (s *Server) subscribe(req *request) ([]byte, *apiError) {
	if len(s.hooks.subs) >= maxSubscriptions {
		return nil, badRequest("Maximum number of webhook subscriptions (%d) reached.", maxSubscriptions)
	}
	now := s.nowMicros()
	sub := &subscription{id: s.shortID("whsub"), status: "active", verifyTLS: true, counters: map[string]int{},
		owner: req.actor.UserID, updatedBy: req.actor.UserID, created: now, updated: now}
	if err := s.setSubscription(sub, req.body); err != nil {
		return nil, err
	}
	f := fieldErrors{}
	if sub.url == "" {
		f["url"] = "This field is required."
	}
	if len(sub.events) == 0 {
		f["events"] = "This field is required."
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(s.rng.Uint32())
	}
	sub.signatureKey = hex.EncodeToString(key)
	s.hooks.subs = append(s.hooks.subs, sub)
	return encode(s.hookShape(sub, true)), nil
}

func (s *Server) setSubscription(sub *subscription, body map[string]any) *apiError {
	if u, ok := body["url"]; ok {
		t, _ := u.(string)
		if !strings.HasPrefix(t, "http://") && !strings.HasPrefix(t, "https://") {
			return fieldErrors{"url": "Invalid URL."}.err()
		}
		sub.url = t
	}
	if list, ok := body["events"].([]any); ok {
		sub.events = nil
		for _, e := range list {
			m, _ := e.(map[string]any)
			w := wanted{Filter: m["extra_filter"]}
			w.ObjectType, _ = m["object_type"].(string)
			w.Action, _ = m["action"].(string)
			sub.events = append(sub.events, w)
		}
	}
	if v, ok := body["verify_ssl"]; ok {
		sub.verifyTLS = v
	}
	switch body["status"] {
	case nil:
	case "active":
		sub.status, sub.pauseReason, sub.firstFail, sub.failBuckets = "active", nil, 0, 0
	case "paused":
		s.pause(sub, "manual")
	default:
		return fieldErrors{"status": "Not a valid choice."}.err()
	}
	return nil
}

// pause stops a subscription; its queue is lost.
func (s *Server) pause(sub *subscription, reason string) {
	sub.status, sub.pauseReason = "paused", reason
	s.clearQueue(sub)
}

func (s *Server) clearQueue(sub *subscription) {
	s.hooks.queue = slices.DeleteFunc(s.hooks.queue, func(d *delivery) bool { return d.sub == sub })
}

// PauseWebhook pauses a subscription as Close does after 3 days of failures;
// the queue is cleared.
func (s *Server) PauseWebhook(id string) {
	s.lock()
	defer s.mu.Unlock()
	for _, sub := range s.hooks.subs {
		if sub.id == id {
			s.pause(sub, "too_many_failures")
		}
	}
}

// enqueue queues an event for every subscription that wants it. Updates and
// deletes wait for the consolidation window to end.
func (h *hookState) enqueue(s *Server, e *event) {
	due := e.created + s.opt.WebhookDelay.Microseconds()
	if e.action == "updated" || e.action == "deleted" {
		due += s.opt.Consolidation.Microseconds()
	}
	for _, sub := range h.subs {
		if sub.status != "active" || !sub.wants(s, e) {
			continue
		}
		h.queue = append(h.queue, &delivery{sub: sub, event: e, due: due})
		if h.queued(sub) >= s.opt.Webhooks.QueueLimit {
			s.pause(sub, "queue_limit")
		}
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *hookState) queued(sub *subscription) int {
	if len(h.subs) == 1 {
		return len(h.queue)
	}
	n := 0
	for _, d := range h.queue {
		if d.sub == sub {
			n++
		}
	}
	return n
}

func (sub *subscription) wants(s *Server, e *event) bool {
	for _, w := range sub.events {
		if w.ObjectType == e.objectType && w.Action == e.action {
			if w.Filter == nil {
				return true
			}
			m, _ := decodeObject(s.encodeEvent(nil, e, false))
			if filterPasses(w.Filter, m) {
				return true
			}
		}
	}
	return false
}

// deliveryLife is how long a failing delivery is tried again.
const deliveryLife = 72 * time.Hour
