package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"closesync/sync/engine"
	"closesync/sync/store"
	"closesync/sync/webhook"
)

const (
	hookID = "whsub_bench"
	// drainLimit is how long the worker may take for what it accepted.
	drainLimit = 5 * time.Minute
	// floorSeconds is enough for the floor of a rate.
	floorSeconds = 3
)

const (
	mostHooks = 1500 // events/s that must be taken for a minute
	calmHooks = 200  // events/s at which a row must follow at once
)

// ingestTarget is what must be reached at a rate; zero for nothing.
type ingestTarget struct {
	least         float64
	answer, drain time.Duration
}

var hookKey = []byte("0123456789abcdef0123456789abcdef")

// hooks is the receiver of a worker behind a real port.
type hooks struct {
	*worker
	url     string
	stop    func()
	lookups atomic.Int64 // of the signing key
}

// Accept stores a batch as the program does.
func (h *hooks) Accept(ctx context.Context, batch []webhook.Delivery) error {
	events := make([]engine.Event, len(batch))
	for i, d := range batch {
		events[i] = engine.Event{ID: d.EventID, Updated: d.DateUpdated, ObjectType: d.ObjectType, ObjectID: d.ObjectID, Action: d.Action,
			Body: d.Event, Stale: d.Stale, Foreign: d.Foreign || d.Odd}
	}
	_, err := h.store.Accept(ctx, "webhook", events)
	return err
}

// Keys reads the signing key where the program has it.
func (h *hooks) Keys(ctx context.Context, _ string) ([]webhook.SigningKey, error) {
	h.lookups.Add(1)
	saved, err := h.store.LoadWebhook(ctx)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(saved.Key)
	return []webhook.SigningKey{{SubscriptionID: saved.ID, Key: key, OrganizationID: h.orgID}}, err
}

// serveHooks opens the receiver.
func (w *worker) serveHooks(ctx context.Context) (*hooks, error) {
	if err := w.store.SaveWebhook(ctx, store.Webhook{ID: hookID, Key: hex.EncodeToString(hookKey), URL: "https://bench.example"}); err != nil {
		return nil, err
	}
	h := &hooks{worker: w}
	receiver := webhook.New(webhook.Options{Sink: h, Keys: h, Now: time.Now})
	receiver.Start(ctx)
	url, stop, err := serve(receiver)
	if err != nil {
		return nil, err
	}
	h.url = url + webhook.Prefix + "default"
	h.stop = func() { stop(); _ = receiver.Stop(context.WithoutCancel(ctx)) }
	return h, nil
}

// serve opens a port of the loopback for a handler.
func serve(handler http.Handler) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = server.Close() }, nil
}

func measureIngest(ctx context.Context, b *bench) error {
	return b.withHooks(ctx, func(h *hooks, contacts []string) error {
		for _, rate := range b.rates {
			if err := h.ingest(ctx, contacts, rate); err != nil {
				return fmt.Errorf("%d/s: %w", rate, err)
			}
		}
		return nil
	})
}

// withHooks measures on a loaded worker that receives webhooks.
func (b *bench) withHooks(ctx context.Context, measure func(h *hooks, contacts []string) error) error {
	w, err := b.newWorker(ctx, imitationSpec{Leads: b.leads})
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.load(ctx); err != nil {
		return err
	}
	contacts, err := w.ids(ctx, "contacts", 0)
	if err != nil {
		return err
	}
	if err := w.startJobs(ctx); err != nil {
		return err
	}
	h, err := w.serveHooks(ctx)
	if err != nil {
		return err
	}
	defer h.stop()
	return measure(h, contacts)
}

// ingest delivers at one rate and follows each event to its row.
func (h *hooks) ingest(ctx context.Context, contacts []string, rate int) error {
	changes, err := h.makeChanges(ctx, contacts, rate*h.b.seconds)
	if err != nil {
		return err
	}
	f, err := h.floorHooks(ctx)
	if err != nil {
		return err
	}
	floor := deliver(ctx, f.url, rate, changes[:min(len(changes), rate*floorSeconds)])
	f.stop()
	before, err := h.fetched(ctx)
	if err != nil {
		return err
	}
	if _, err := h.pool.Exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	sent := deliver(ctx, h.url, rate, changes)
	last := time.Now()
	if err := h.settle(ctx, drainLimit); err != nil {
		return err
	}
	drained := time.Since(last)
	after, err := h.fetched(ctx)
	if err != nil {
		return err
	}
	arrived, err := h.arrivals(ctx, changes, sent)
	if err != nil {
		return err
	}
	h.report(rate, sent, floor, arrived, drained, after-before)
	return nil
}

// fetched counts requests to Close, of which ingest should need none.
func (h *hooks) fetched(ctx context.Context) (int, error) {
	list, err := h.close.requests(ctx)
	return len(list), err
}

func (h *hooks) report(rate int, sent, floor *delivered, a arrivals, drained time.Duration, requests int) {
	t := &h.b.table
	what := fmt.Sprintf("%d webhooks/s for %d s", rate, h.b.seconds)
	var m ingestTarget
	if rate <= mostHooks {
		m = ingestTarget{least: float64(rate) * 0.99, answer: 250 * time.Millisecond, drain: 30 * time.Second}
	}
	t.slower(what+": answered", "/s", sent.rate(), floor.rate(), m.least)
	t.way("  answer", sent.answers, floor.answers, 0, m.answer)
	if rate <= calmHooks {
		t.way("  answer to row", a.lags, nil, 50*time.Millisecond, time.Second)
	} else {
		t.way("  answer to row", a.lags, nil, 0, 0)
	}
	t.exact("  lost", int64(a.lost), 0)
	t.longer("  time to drain", drained, 0, m.drain)
	if m.least > 0 {
		t.exact("  refused", int64(sent.refused), 0)
		t.exact("  requests to Close", int64(requests), 0)
	}
}
