package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"closesync/internal/intake"
	"closesync/internal/web"
	"closesync/sync/engine"
	"closesync/sync/store"
	"closesync/sync/webhook"
)

// deliveries joins the receiver to the stores.
type deliveries struct{ *app }

func (a *app) receiver() *webhook.Receiver {
	return webhook.New(webhook.Options{Sink: deliveries{a}, Keys: deliveries{a}, Now: time.Now, Observe: a.receipts.observe})
}

func (a *app) byName(name string) *conn {
	for _, c := range a.conns {
		if c.name == name {
			return c
		}
	}
	return nil
}

// Accept stores a batch, connection by connection.
func (d deliveries) Accept(ctx context.Context, batch []webhook.Delivery) error {
	byName := map[string][]engine.Event{}
	for _, v := range batch {
		byName[v.Connection] = append(byName[v.Connection], intake.Event(v))
	}
	for name, events := range byName {
		c := d.byName(name)
		if c == nil {
			return webhook.ErrUnknownConnection
		}
		if _, err := c.store.Accept(ctx, "webhook", events); err != nil {
			return err
		}
		c.delivered(ctx, time.Now())
	}
	return nil
}

// Keys gives the live signing keys of a connection.
func (d deliveries) Keys(ctx context.Context, name string) ([]webhook.SigningKey, error) {
	c := d.byName(name)
	if c == nil {
		return nil, webhook.ErrUnknownConnection
	}
	var keys []webhook.SigningKey
	add := func(id, hexKey string) error {
		if hexKey == "" {
			return nil
		}
		key, err := hex.DecodeString(hexKey)
		if err != nil {
			return fmt.Errorf("the signature key of connection %s is not hex", name)
		}
		keys = append(keys, webhook.SigningKey{SubscriptionID: id, Key: key, OrganizationID: c.permission.of()})
		return nil
	}
	if err := add("", d.cfg.WebhookKey.Reveal()); err != nil {
		return nil, err
	}
	state, err := c.store.LoadWebhook(ctx)
	if err != nil {
		return nil, err
	}
	for w := &state; w != nil; w = w.Previous {
		if err := add(w.ID, w.Key); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func (a *app) webOptions(receiver *webhook.Receiver) web.Options {
	return web.Options{
		Version: version(), Webhook: receiver, Ready: a.reasons, Metrics: a.metrics(),
		Status:     func(ctx context.Context) (any, error) { return a.status(ctx) },
		AdminToken: a.cfg.AdminToken.Reveal(), Loopback: a.cfg.ListenIsLoopback(), Now: time.Now, Logger: a.log,
		Queries: queries{store.NewLists(a.pool, "")},
	}
}

// reasons says why the worker cannot work; none means ready.
func (a *app) reasons(ctx context.Context) []string {
	var list []string
	switch err := store.Ready(ctx, a.pool); {
	case errors.Is(err, store.ErrReadOnly) || errors.Is(err, store.ErrNoSchema):
		return []string{err.Error()}
	case err != nil:
		return []string{"the database does not answer"}
	}
	for _, c := range a.conns {
		if err := c.allowed(ctx); err != nil {
			list = append(list, fmt.Sprintf("connection %s: %v", c.name, err))
		} else if api := c.api.state(); !api.OK && api.Error != nil {
			list = append(list, fmt.Sprintf("connection %s: %s", c.name, *api.Error))
		}
		for _, reason := range c.tables.reasons() {
			list = append(list, fmt.Sprintf("connection %s: %s", c.name, reason))
		}
	}
	return list
}
