package closeapi

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"
)

// Event is one entry of the log, also the payload of webhooks.
// Source: developer.close.com/api/resources/event-log.
type Event struct {
	ID            string         `json:"id"`
	ObjectType    string         `json:"object_type"`
	ObjectID      string         `json:"object_id"`
	Action        string         `json:"action"`
	LeadID        *string        `json:"lead_id"`
	UserID        *string        `json:"user_id"`
	APIKeyID      *string        `json:"api_key_id"` // whose key wrote; a folded event may hide others
	RequestID     *string        `json:"request_id"`
	ChangedFields []string       `json:"changed_fields,omitzero"`
	Data          jsontext.Value `json:"data,omitzero"`          // now; null after a delete; absent for old events if the key is no admin's
	PreviousData  jsontext.Value `json:"previous_data,omitzero"` // old values; all of them after a delete
	Meta          EventMeta      `json:"meta,omitzero"`
	DateCreated   Time           `json:"date_created"`
	DateUpdated   Time           `json:"date_updated"`
	Extra         Extra          `json:",embed"`
}

// EventMeta says how the change came about.
type EventMeta struct {
	RequestMethod          string `json:"request_method,omitzero"`
	RequestPath            string `json:"request_path,omitzero"`
	BulkActionID           string `json:"bulk_action_id,omitzero"`
	MergeSourceLeadID      string `json:"merge_source_lead_id,omitzero"`
	MergeDestinationLeadID string `json:"merge_destination_lead_id,omitzero"`
	Extra                  Extra  `json:",embed"`
}

// DecodeEvent reads an event from the log or from a webhook.
func DecodeEvent(raw RawMessage) (*Event, error) { return decodeInto[Event](raw) }

// Event reads one event by its id.
// Source: developer.close.com/api/resources/event-log/retrieve.
func (c *Client) Event(ctx context.Context, id string) (*Event, error) {
	return getRecord[Event](ctx, c, "event", id, nil)
}
