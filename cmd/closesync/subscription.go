package main

import (
	"context"
	"fmt"
	"time"

	"closesync/config"
	"closesync/sync/closeapi"
	"closesync/sync/remote"
	"closesync/sync/store"
	"closesync/sync/webhook"
)

// subscriber keeps the subscription of a connection over its store.
func subscriber(publicURL, connection string, client *closeapi.Client, s *store.Store) remote.Subscriber {
	return remote.Subscriber{
		Client: client, URL: publicURL + webhook.Prefix + connection,
		Save: func(ctx context.Context, w remote.Subscription) error { return s.SaveWebhook(ctx, toStore(w)) },
	}
}

// managesSubscription: with a signature key given by hand, the subscription is
// the person's own.
func managesSubscription(cfg *config.Config) bool {
	return cfg.PublicURL != "" && cfg.WebhookKey.IsZero()
}

// webhookKeeper gives what the check job calls; nil when there is nothing to
// keep.
func (a *app) webhookKeeper(c *conn) func(context.Context) error {
	if !managesSubscription(a.cfg) {
		return nil
	}
	return func(ctx context.Context) error { return a.keepWebhook(ctx, c) }
}

// keepWebhook puts the subscription right and, where deliveries may have been
// missed, reads the event log at once: Close clears the queue of a paused
// subscription (fault B21).
func (a *app) keepWebhook(ctx context.Context, c *conn) error {
	gap, err := a.ensureWebhook(ctx, c)
	if err != nil || !gap {
		return err
	}
	a.log.Info("the webhook subscription was put right; the event log is read for what it missed", "connection", c.name)
	// A gap that the log does not reach over is noted as an owed compare.
	_, _, err = c.engine.Tail(ctx)
	return err
}

func (a *app) ensureWebhook(ctx context.Context, c *conn) (gap bool, err error) {
	err = oneSubscriber(ctx, c.store, func() error {
		saved, err := c.store.LoadWebhook(ctx)
		if err != nil {
			return err
		}
		_, gap, err = subscriber(a.cfg.PublicURL, c.name, c.client, c.store).Ensure(ctx, fromStore(saved))
		if err == nil {
			err = noteWebhookState(ctx, c.store, remote.SubscriptionActive)
		}
		return err
	})
	return gap, err
}

// subscriptionLock is the first half of an advisory lock's key, which the
// connection's number completes.
const subscriptionLock = 0x636c6f73

// oneSubscriber runs f while no other process keeps the subscription of this
// connection; if one does, that is enough. The lock is a session's, so that no
// transaction is open during calls to Close and a crash lets go of it.
func oneSubscriber(ctx context.Context, s *store.Store, f func() error) error {
	held, err := s.Pool().Acquire(ctx)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer held.Release()
	var locked bool
	if err := held.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", subscriptionLock, s.ConnectionID()).Scan(&locked); err != nil || !locked {
		return err
	}
	defer func() {
		_, _ = held.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1, $2)", subscriptionLock, s.ConnectionID())
	}()
	return f()
}

// noteWebhookState keeps the state beside the subscription, for status.
func noteWebhookState(ctx context.Context, s *store.Store, state string) error {
	_, err := s.Pool().Exec(ctx, `UPDATE closesync.connections SET webhook = webhook || jsonb_build_object('state', $2::text)
		WHERE id = $1 AND webhook ->> 'state' IS DISTINCT FROM $2`, s.ConnectionID(), state)
	return err
}

// noteUnmanaged says at the start what no job will: the subscription is a
// person's, or there is none.
func (a *app) noteUnmanaged(ctx context.Context, c *conn) error {
	if managesSubscription(a.cfg) {
		return nil
	}
	state := remote.SubscriptionAbsent
	if !a.cfg.WebhookKey.IsZero() {
		state = remote.SubscriptionUnmanaged
	}
	return noteWebhookState(ctx, c.store, state)
}

// delivered notes the time of a delivery, at most once a second.
func (c *conn) delivered(ctx context.Context, now time.Time) {
	last := c.noted.Load()
	if now.Unix() <= last || !c.noted.CompareAndSwap(last, now.Unix()) {
		return
	}
	// For people only: a failure is not the delivery's.
	_, _ = c.store.Pool().Exec(ctx, `UPDATE closesync.connections SET last_delivery_at = greatest(last_delivery_at, $2) WHERE id = $1`,
		c.store.ConnectionID(), now.UTC())
}

func toStore(w remote.Subscription) store.Webhook {
	out := store.Webhook{ID: w.ID, Key: w.Key.Reveal(), URL: w.URL}
	if w.Previous != nil {
		p := toStore(*w.Previous)
		out.Previous = &p
	}
	return out
}

func fromStore(w store.Webhook) remote.Subscription {
	out := remote.Subscription{ID: w.ID, Key: closeapi.Secret(w.Key), URL: w.URL}
	if w.Previous != nil {
		p := fromStore(*w.Previous)
		out.Previous = &p
	}
	return out
}

// webhookState is what noteWebhookState kept; "" if nothing or if the database
// does not answer, which the rest of the status then says.
func (c *conn) webhookState(ctx context.Context) string {
	var state string
	_ = c.store.Pool().QueryRow(ctx, `SELECT coalesce(webhook ->> 'state', '') FROM closesync.connections WHERE id = $1`, c.store.ConnectionID()).Scan(&state)
	return state
}
