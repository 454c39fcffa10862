package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"closesync/sync/closeapi"
	"closesync/sync/remote"
)

func newWebhookCommand(o *options) *cobra.Command {
	ensure := o.webhookCommand("ensure", "Make the subscription exist, be active and point here", func(ctx context.Context, s remote.Subscriber, known remote.Subscription) (string, error) {
		now, _, err := s.Ensure(ctx, known)
		return now.ID, err
	})
	rotate := o.webhookCommand("rotate", "Replace the subscription and its signature key", func(ctx context.Context, s remote.Subscriber, known remote.Subscription) (string, error) {
		if known.Previous != nil {
			return "", errors.New("a rotation is under way: the subscription before it is still being drained")
		}
		now, err := s.Rotate(ctx, known)
		return now.ID, err
	})
	remove := o.webhookCommand("delete", "End the subscription", func(ctx context.Context, s remote.Subscriber, known remote.Subscription) (string, error) {
		return "", s.Remove(ctx, known)
	})
	return group("webhook", "The subscription at Close", nil, o.webhookStatus(), ensure, rotate, remove)
}

// webhookCommand acts on the subscription of each chosen connection, while no
// worker does.
func (o *options) webhookCommand(use, short string, do func(context.Context, remote.Subscriber, remote.Subscription) (string, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: o.deciding(func(ctx context.Context, s *session, _ []string) error {
			if s.cfg.PublicURL == "" && use != "delete" {
				return usageError("set CLOSESYNC_PUBLIC_URL to the https root under which Close reaches this worker")
			}
			if !s.cfg.WebhookKey.IsZero() {
				return usageError("CLOSESYNC_WEBHOOK_KEY says that the subscription was made by hand; unset it first")
			}
			for _, m := range s.stores {
				id, err := s.subscribe(ctx, m, do)
				if err != nil {
					return o.refused(fmt.Errorf("connection %s: %w", m.Name, err))
				}
				_, _ = fmt.Fprintf(o.err, "connection %s: webhook %s done %s\n", m.Name, use, id)
			}
			return nil
		}),
	}
}

func (s *session) subscribe(ctx context.Context, m member, do func(context.Context, remote.Subscriber, remote.Subscription) (string, error)) (id string, err error) {
	client, err := s.client(s.cfg, m.Name)
	if err != nil {
		return "", err
	}
	defer client.CloseIdle()
	if err := s.mayWrite(ctx, m, client); err != nil {
		return "", err
	}
	alone := false
	err = oneSubscriber(ctx, m.Store, func() error {
		alone = true
		saved, err := m.LoadWebhook(ctx)
		if err != nil {
			return err
		}
		id, err = do(ctx, subscriber(s.cfg.PublicURL, m.Name, client, m.Store), fromStore(saved))
		if err != nil {
			return err
		}
		state := remote.SubscriptionActive
		if id == "" {
			state = remote.SubscriptionAbsent
		}
		return noteWebhookState(ctx, m.Store, state)
	})
	if err == nil && !alone {
		err = errors.New("the worker is at the subscription just now; try again")
	}
	return id, err
}

// webhookRow is one subscription of the key's user at Close. It has no key.
type webhookRow struct {
	ID         string  `json:"id"`
	Connection string  `json:"connection"`
	URL        string  `json:"url"`
	Status     string  `json:"status"`
	Ours       bool    `json:"ours"` // the one this database has the key of
	Events     int     `json:"events"`
	Health     *string `json:"health_status"`
	PausedFor  *string `json:"pause_reason"`
}

func (o *options) webhookStatus() *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "status", Short: "List the subscriptions at Close", Args: cobra.NoArgs,
		RunE: o.deciding(func(ctx context.Context, s *session, _ []string) error {
			var rows []webhookRow
			for _, m := range s.stores {
				client, err := o.client(s.cfg, m.Name)
				if err != nil {
					return err
				}
				found, err := subscriptions(ctx, client, m)
				client.CloseIdle()
				if err != nil {
					return o.refused(err)
				}
				rows = append(rows, found...)
			}
			return show(o, rows, []string{"id", "connection", "URL", "status", "ours", "events", "health", "paused because"}, func(r webhookRow) []any {
				return []any{r.ID, r.Connection, r.URL, r.Status, r.Ours, r.Events, optional(r.Health), optional(r.PausedFor)}
			})
		}),
	})
}

func subscriptions(ctx context.Context, client *closeapi.Client, m member) ([]webhookRow, error) {
	saved, err := m.LoadWebhook(ctx)
	if err != nil {
		return nil, err
	}
	var rows []webhookRow
	for w, err := range client.Webhooks().All(ctx) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, webhookRow{w.ID, m.Name, w.URL, w.Status, w.ID == saved.ID, len(w.Events), w.HealthStatus, w.PauseReason})
	}
	return rows, nil
}
