package closetest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// delivery is one event on its way to one subscription. The body is fixed at
// the first attempt.
type delivery struct {
	sub        *subscription
	event      *event
	body       []byte
	stamp, sig string
	due, first int64
	attempts   int
	drop       bool
	twin       bool // sent besides the one in the queue, and never again
}

// Sign is the close-sig-hash of a body: HMAC-SHA256 over the timestamp's text
// followed by the body, keyed by the decoded hex key.
func Sign(signatureKey, timestamp string, body []byte) (string, error) {
	key, err := hex.DecodeString(signatureKey)
	if err != nil {
		return "", fmt.Errorf("closetest: signature key is not hex: %w", err)
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(timestamp))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil)), nil
}

// NextDelivery is when the next queued webhook is due; false when none is.
func (s *Server) NextDelivery() (time.Time, bool) {
	s.lock()
	defer s.mu.Unlock()
	due := always
	for _, d := range s.hooks.queue {
		due = min(due, d.due)
	}
	return time.UnixMicro(due).UTC(), len(s.hooks.queue) > 0
}

// QueuedWebhooks is how many deliveries wait, due or not.
func (s *Server) QueuedWebhooks() int {
	s.lock()
	defer s.mu.Unlock()
	return len(s.hooks.queue)
}

// DropWebhooks loses everything queued, as if dropped after 72 hours.
func (s *Server) DropWebhooks() {
	s.lock()
	defer s.mu.Unlock()
	s.hooks.queue = nil
}

// DeliverWebhooks makes one attempt at everything due now, in order, and
// returns how many requests it sent. Failures are queued again.
func (s *Server) DeliverWebhooks(ctx context.Context, client *http.Client) int {
	due := s.takeDue()
	for _, d := range due {
		s.attempt(ctx, client, d)
	}
	return len(due)
}

// takeDue removes what is due from the queue and prepares it to be sent.
func (s *Server) takeDue() []*delivery {
	s.lock()
	defer s.mu.Unlock()
	now, o, h := s.nowMicros(), s.opt.Webhooks, &s.hooks
	var due []*delivery
	h.queue = slices.DeleteFunc(h.queue, func(d *delivery) bool {
		if d.due <= now {
			due = append(due, d)
		}
		return d.due <= now
	})
	slices.SortStableFunc(due, func(a, b *delivery) int { return int(min(max(a.due-b.due, -1), 1)) })
	for _, d := range slices.Clone(due) {
		s.prepare(d, now)
		d.drop = o.Drop > 0 && h.rng.Float64() < o.Drop
		if o.Duplicate > 0 && h.rng.Float64() < o.Duplicate {
			due = append(due, d.double())
		}
	}
	if o.Shuffle {
		h.rng.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	}
	return due
}

// double is the same delivery once more, whose fate leaves the queue alone.
func (d *delivery) double() *delivery {
	twin := *d
	twin.twin = true
	return &twin
}

func (s *Server) prepare(d *delivery, now int64) {
	if d.body == nil {
		d.body = put(append([]byte(`{"event":`), s.encodeEvent(nil, d.event, false)...), `,"subscription_id":"`, d.sub.id, `"}`)
		d.first = now
	}
	if d.sig == "" || !s.opt.Webhooks.KeepSignature {
		d.stamp = strconv.FormatInt(now/1_000_000, 10)
		d.sig, _ = Sign(d.sub.signatureKey, d.stamp, d.body)
	}
}

func (s *Server) attempt(ctx context.Context, client *http.Client, d *delivery) {
	status, err := 0, errors.New("dropped")
	if !d.drop {
		status, err = post(ctx, client, d, s.opt.Webhooks.Timeout)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	s.lock()
	defer s.mu.Unlock()
	s.record(d, status, err)
}

func post(ctx context.Context, client *http.Client, d *delivery, timeout time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.sub.url, bytes.NewReader(d.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Close-Sig-Timestamp", d.stamp)
	req.Header.Set("Close-Sig-Hash", d.sig)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode, nil
}

// historyKept is how many attempts a subscription's history shows.
const historyKept = 10

// record notes an attempt's outcome: a failure goes back into the queue,
// first after a minute, then twice as long each time up to 20 minutes, for 72
// hours in all. Three days without any success pause the subscription.
func (s *Server) record(d *delivery, status int, err error) {
	sub, now := d.sub, s.nowMicros()
	d.attempts++
	ok := err == nil && status >= 200 && status < 300
	entry := map[string]any{"attempt_number": d.attempts, "datetime": zoned(now), "error": nil,
		"event_id": d.event.id, "response_status_code": status}
	if name := attemptName(d.attempts == 1, ok); name != "" {
		sub.counters[name]++
	}
	if ok {
		sub.firstFail, sub.failBuckets = 0, 0
		sub.successes = lastOf(append(sub.successes, entry))
		return
	}
	entry["error"] = "HTTPError"
	if status == 0 {
		entry["response_status_code"], entry["error"] = nil, "ConnectionError"
	}
	sub.latestError = fmt.Sprintf("Exception name: %s, Status code: %d", entry["error"], status)
	sub.errors = lastOf(append(sub.errors, entry))
	sub.failBuckets++
	if sub.firstFail == 0 {
		sub.firstFail = now
	}
	if now-sub.firstFail >= s.opt.Webhooks.PauseAfter.Microseconds() {
		s.pause(sub, "too_many_failures")
	}
	if !d.twin && sub.status == "active" && now-d.first < deliveryLife.Microseconds() && slices.Contains(s.hooks.subs, sub) {
		d.due = now + backoff(d.attempts).Microseconds()
		s.hooks.queue = append(s.hooks.queue, d)
	}
}

// attemptName is the counter of an attempt; failed repetitions have none.
func attemptName(first, ok bool) string {
	switch {
	case first && ok:
		return "first_success"
	case first:
		return "first_fail"
	case ok:
		return "retry_success"
	}
	return ""
}

func backoff(attempts int) time.Duration {
	return min(time.Minute<<min(attempts-1, 10), 20*time.Minute) + time.Second
}

func lastOf(list []any) []any { return list[max(0, len(list)-historyKept):] }

// senders is how many webhooks Run sends at once: Close keeps no order.
const senders = 8

// Run lets background work happen as time passes, until ctx ends: webhooks go
// out when due, merges end, the index catches up.
func (s *Server) Run(ctx context.Context) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	slots := make(chan struct{}, senders)
	var busy sync.WaitGroup
	defer busy.Wait()
	for ctx.Err() == nil {
		for _, d := range s.takeDue() {
			slots <- struct{}{}
			busy.Add(1)
			go func() {
				defer func() { <-slots; busy.Done() }()
				s.attempt(ctx, client, d)
			}()
		}
		s.rest(ctx)
	}
}

// rest waits until something may be due: a new event, or a tenth of a second.
func (s *Server) rest(ctx context.Context) {
	woken, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.hooks.wake:
		case <-woken.Done():
		}
		cancel()
	}()
	s.opt.Sleep(woken, 100*time.Millisecond)
}
