package closeapi

import (
	"context"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Webhook is a subscription. An organization may have 40; one can carry many
// events. SignatureKey is in the answer to a create only and cannot be read
// again.
// Source: developer.close.com/api/resources/webhooks.
type Webhook struct {
	ID           string         `json:"id"`
	URL          string         `json:"url"`
	Status       string         `json:"status"` // active, paused
	Events       []WebhookEvent `json:"events"`
	VerifySSL    bool           `json:"verify_ssl"`
	SignatureKey Secret         `json:"signature_key,omitzero"`
	HealthStatus *string        `json:"health_status"`
	LatestError  jsontext.Value `json:"latest_error,omitzero"`
	PauseReason  *string        `json:"pause_reason"`
	FailBuckets  int            `json:"recent_consecutive_fail_buckets_cnt"` // rises towards a pause
	Counters     map[string]int `json:"counters,omitzero"`                   // first_success, first_fail, retry_success
	History      WebhookHistory `json:"history,omitzero"`
	CreatedBy    *string        `json:"created_by"`
	UpdatedBy    *string        `json:"updated_by"`
	DateCreated  Time           `json:"date_created,omitzero"`
	DateUpdated  Time           `json:"date_updated,omitzero"`
	Extra        Extra          `json:",embed"`
}

// WebhookEvent is what a subscription is told about. ExtraFilter narrows it,
// in Close's JSON (developer.close.com/api/resources/webhooks/filters).
type WebhookEvent struct {
	ObjectType  string         `json:"object_type"`
	Action      string         `json:"action"`
	ExtraFilter jsontext.Value `json:"extra_filter,omitzero"`
}

// WebhookHistory is a subscription's latest deliveries.
type WebhookHistory struct {
	Errors    []WebhookAttempt `json:"errors"`
	Successes []WebhookAttempt `json:"successes"`
}

// WebhookAttempt is one try of a delivery.
type WebhookAttempt struct {
	EventID string  `json:"event_id"`
	Number  int     `json:"attempt_number"` // from 1
	Time    Time    `json:"datetime"`
	Status  *int    `json:"response_status_code"` // nil: no answer
	Error   *string `json:"error"`
}

// NewWebhook is what a subscription may be created with.
type NewWebhook struct {
	URL         string         `json:"url"`
	Events      []WebhookEvent `json:"events"`
	EventFilter jsontext.Value `json:"event_filter,omitzero"` // narrows all events
	VerifySSL   *bool          `json:"verify_ssl,omitzero"`   // nil: Close verifies
}

// WebhookService manages subscriptions.
type WebhookService struct{ c *Client }

// Webhooks returns the service of subscriptions.
func (c *Client) Webhooks() WebhookService { return WebhookService{c} }

// Get reads one. Source: developer.close.com/api/resources/webhooks/retrieve.
func (s WebhookService) Get(ctx context.Context, id string) (*Webhook, error) {
	return getRecord[Webhook](ctx, s.c, "webhook", id, nil)
}

// All walks the subscriptions the key's user may see.
// Source: developer.close.com/api/resources/webhooks/list.
func (s WebhookService) All(ctx context.Context) iter.Seq2[*Webhook, error] {
	return all[Webhook](ctx, s.c, "webhook/", nil)
}

// Create subscribes. Keep the SignatureKey. Not safe to run twice.
// Source: developer.close.com/api/resources/webhooks/create.
func (s WebhookService) Create(ctx context.Context, n NewWebhook) (*Webhook, error) {
	return create[Webhook](ctx, s.c, "webhook", n)
}

// Update changes url, events, status or verify_ssl. Setting the status to
// "active" resumes a paused subscription and keeps its key.
// Source: developer.close.com/api/resources/webhooks/update.
func (s WebhookService) Update(ctx context.Context, id string, ch Changes) (*Webhook, error) {
	return update[Webhook](ctx, s.c, "webhook", id, ch)
}

// Delete unsubscribes. Source: developer.close.com/api/resources/webhooks/delete.
func (s WebhookService) Delete(ctx context.Context, id string) error {
	return s.c.DeleteRaw(ctx, "webhook", id)
}
