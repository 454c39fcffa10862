package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// Webhook is the subscription at Close that a connection keeps. Previous is
// the one before a rotation, whose deliveries are still accepted.
type Webhook struct {
	ID       string   `json:"id"`
	Key      string   `json:"signature_key"` // hex; a secret, sealed in the database
	URL      string   `json:"url"`
	Previous *Webhook `json:"previous,omitzero"`
}

// Format keeps the key out of every message, whatever the verb.
func (w Webhook) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook "+w.ID) }

// LoadWebhook gives the subscription; the zero Webhook if there is none. A key
// that was sealed under another API key, or in another row, is lost: its Key
// is empty, and the subscription is made anew.
func (s *Store) LoadWebhook(ctx context.Context) (Webhook, error) {
	var w Webhook
	var text string
	if err := s.pool.QueryRow(ctx, `SELECT webhook::text FROM closesync.connections WHERE id = $1`, s.id).Scan(&text); err != nil {
		return w, fmt.Errorf("store.LoadWebhook: %w", err)
	}
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return w, fmt.Errorf("store.LoadWebhook: connections.webhook of %s is damaged", s.name) // the cause may quote the key
	}
	for p := &w; p != nil; p = p.Previous {
		p.Key = s.unseal(p.ID, p.Key)
	}
	return w, nil
}

func (s *Store) unseal(id, sealed string) string {
	if sealed == "" || s.sealer == nil {
		return ""
	}
	key, err := s.sealer.Open(sealed, s.purpose(id))
	if err != nil {
		s.log.Warn("the signature key of a webhook subscription cannot be opened with this API key", "connection", s.name, "webhook", id)
		return ""
	}
	return key
}

// purpose binds a sealed key to its connection and subscription.
func (s *Store) purpose(id string) string { return "webhook " + id + " of " + s.name }

// SaveWebhook replaces the subscription; the zero Webhook forgets it.
func (s *Store) SaveWebhook(ctx context.Context, w Webhook) error {
	text := []byte("{}")
	if w.ID != "" || w.Key != "" {
		sealed, err := s.sealed(w)
		if err != nil {
			return fmt.Errorf("store.SaveWebhook(%s): %w", w.ID, err)
		}
		if text, err = json.Marshal(sealed); err != nil {
			return err
		}
	}
	if _, err := s.pool.Exec(ctx, `UPDATE closesync.connections SET webhook = $2::text::jsonb WHERE id = $1`, s.id, string(text)); err != nil {
		return fmt.Errorf("store.SaveWebhook(%s): %w", w.ID, err)
	}
	return nil
}

// sealed is w with its keys sealed.
func (s *Store) sealed(w Webhook) (Webhook, error) {
	if w.Key != "" {
		if s.sealer == nil {
			return w, errors.New("nothing to seal its key with")
		}
		key, err := s.sealer.Seal(w.Key, s.purpose(w.ID))
		if err != nil {
			return w, err
		}
		w.Key = key
	}
	if w.Previous == nil {
		return w, nil
	}
	previous, err := s.sealed(*w.Previous)
	w.Previous = &previous
	return w, err
}
