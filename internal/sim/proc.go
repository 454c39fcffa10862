package sim

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"time"

	"closesync/internal/intake"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
	"closesync/sync/remote"
	"closesync/sync/store"
	"closesync/sync/webhook"
)

// proc is one run of a worker's process, from its start to its death. What it
// holds in memory dies with it.
type proc struct {
	w       *World
	name    string
	dead    bool
	booting bool

	client   *closeapi.Client
	store    *store.Store
	remote   *remote.Remote
	engine   *engine.Engine
	receiver *webhook.Receiver
	inbound  *task // the delivery that its receiver works on
}

// realPatience replaces timeouts that run by the real clock: an operation that is
// suspended must not end by itself.
const realPatience = time.Hour

const baseURL = "http://127.0.0.1/api/v1"

// boot puts a worker together as the program does, if it is not yet.
func (p *proc) boot(ctx context.Context) error {
	if p.engine != nil {
		return nil
	}
	p.booting = true
	defer func() { p.booting = false }()
	w := p.w
	jitter := rand.New(rand.NewPCG(w.sc.Seed, uint64(len(p.name))))
	var err error
	p.client, err = closeapi.New(closeapi.Options{BaseURL: baseURL, Key: closeapi.Secret(w.Close.Key()), HTTPClient: httpClient(w),
		Now: w.workerClock, Sleep: w.sleep, Rand: jitter.Float64, Logger: w.log})
	if err != nil {
		return err
	}
	p.store, err = store.Open(ctx, store.Options{Pool: w.lane.pool, Connection: "default", Objects: w.objects, Logger: w.log, Sealer: simpleSealer{}})
	if err != nil {
		return err
	}
	if err := p.store.Bind(ctx, w.Close.OrganizationID()); err != nil {
		return err
	}
	if _, err := p.store.EnsureTriggers(ctx); err != nil {
		return err
	}
	c := w.sc.Config
	p.remote = remote.New(remote.Options{Client: p.client, Objects: w.objects, OrganizationID: w.Close.OrganizationID(), APIKeyID: w.Close.Key(),
		CanSeeAll: c.SeesAll, Now: w.workerClock, Logger: w.log})
	p.engine = engine.New(engine.Options{Objects: w.objects, Local: observed{p.store, w.reached}, Remote: p.remote, Now: w.workerClock, Logger: w.log,
		Optimistic: c.Optimistic, Workers: 1,
		Guards: reconcile.Limits{MaxDeletes: c.MaxDeletes, MaxDeletePercent: c.MaxPercent, MaxCreates: c.MaxCreates}})
	return nil
}

// workerClock is the clock of the workers' machines.
func (w *World) workerClock() time.Time { return w.lane.now.Add(w.sc.Config.WorkerSkew) }

// listen starts the receiver.
func (p *proc) listen(ctx context.Context) {
	p.receiver = webhook.New(webhook.Options{Sink: p, Keys: p, Now: p.w.workerClock, Committers: 1, AckTimeout: realPatience})
	p.receiver.Start(ctx)
}

// Accept stores deliveries, as the program does.
func (p *proc) Accept(ctx context.Context, batch []webhook.Delivery) error {
	var events []engine.Event
	for _, d := range batch {
		events = append(events, intake.Event(d))
	}
	_, err := p.store.Accept(p.inboundContext(ctx), "webhook", events)
	return err
}

// Keys gives the signing keys in force.
func (p *proc) Keys(ctx context.Context, _ string) ([]webhook.SigningKey, error) {
	state, err := p.store.LoadWebhook(p.inboundContext(ctx))
	if err != nil {
		return nil, err
	}
	var keys []webhook.SigningKey
	for s := &state; s != nil && s.Key != ""; s = s.Previous {
		key, err := hex.DecodeString(s.Key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, webhook.SigningKey{SubscriptionID: s.ID, Key: key, OrganizationID: p.w.Close.OrganizationID()})
	}
	return keys, nil
}

// inboundContext says which task the receiver's own goroutines work for: one
// delivery is under way at a time.
func (p *proc) inboundContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, taskKey{}, p.inbound)
}

// subscriber keeps the subscription at Close.
func (p *proc) subscriber() remote.Subscriber {
	return remote.Subscriber{Client: p.client, URL: "https://worker.example" + webhook.Prefix + "default", Now: p.w.workerClock,
		Save: func(ctx context.Context, s remote.Subscription) error {
			if key := s.Key.Reveal(); key != "" && !slices.Contains(p.w.signing, key) {
				p.w.signing = append(p.w.signing, key)
			}
			return p.store.SaveWebhook(ctx, toStore(s))
		}}
}

func toStore(s remote.Subscription) store.Webhook {
	out := store.Webhook{ID: s.ID, Key: s.Key.Reveal(), URL: s.URL}
	if s.Previous != nil {
		before := toStore(*s.Previous)
		out.Previous = &before
	}
	return out
}

func fromStore(s store.Webhook) remote.Subscription {
	out := remote.Subscription{ID: s.ID, Key: closeapi.Secret(s.Key), URL: s.URL}
	if s.Previous != nil {
		before := fromStore(*s.Previous)
		out.Previous = &before
	}
	return out
}
