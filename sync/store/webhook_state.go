package store

import (
	"context"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// Webhook is the subscription at Close that a connection keeps. Previous is
// the one before a rotation, whose deliveries are still accepted.
type Webhook struct {
	ID       string   `json:"id"`
	Key      string   `json:"signature_key"` // hex; a secret
	URL      string   `json:"url"`
	Previous *Webhook `json:"previous,omitzero"`
}

// Format keeps the key out of every message, whatever the verb.
func (w Webhook) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook "+w.ID) }

// LoadWebhook gives the subscription; the zero Webhook if there is none.
func (s *Store) LoadWebhook(ctx context.Context) (Webhook, error) {
	var w Webhook
	var text string
	if err := s.pool.QueryRow(ctx, `SELECT webhook::text FROM closesync.connections WHERE id = $1`, s.id).Scan(&text); err != nil {
		return w, fmt.Errorf("store.LoadWebhook: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return w, fmt.Errorf("store.LoadWebhook: connections.webhook of %s is damaged", s.name) // the cause may quote the key
	}
	return w, nil
}

// SaveWebhook replaces the subscription; the zero Webhook forgets it.
func (s *Store) SaveWebhook(ctx context.Context, w Webhook) error {
	text := []byte("{}")
	if w.ID != "" || w.Key != "" {
		var err error
		if text, err = json.Marshal(w); err != nil {
			return err
		}
	}
	if _, err := s.pool.Exec(ctx, `UPDATE closesync.connections SET webhook = $2::text::jsonb WHERE id = $1`, s.id, string(text)); err != nil {
		return fmt.Errorf("store.SaveWebhook(%s): %w", w.ID, err)
	}
	return nil
}
