package closeapi

import (
	"context"
	"net/http"
	"net/url"
)

// MaxEventLimit is the largest page of the event log; more is a 400.
const MaxEventLimit = 50

// EventOptions select events. Close accepts certain sets only: none at all;
// ObjectType with ObjectID or Action; ObjectID with Action; LeadID, also with
// ObjectType (and Action) or UserID; UserID, also with ObjectID or ObjectType
// (and Action); RequestID. Updated may be added to each. ObjectType or Action
// alone is refused. There is no filter on date_created.
// Source: developer.close.com/api/resources/event-log.
type EventOptions struct {
	ObjectType, ObjectID, LeadID, Action, UserID, RequestID string

	Updated Span
	Limit   int // zero means the maximum, 50
	// Cursor continues towards older (Next) or newer (Previous) events.
	// Repeat the other filters with it.
	Cursor string
}

// EventPage is one page of the log, newest first by date_updated. Empty
// cursors are the ends.
type EventPage struct {
	Data           []RawMessage
	Rejected       []Rejected
	Next, Previous string // older, newer
}

func (o EventOptions) query() url.Values {
	q := url.Values{}
	setText(q, "object_type", o.ObjectType)
	setText(q, "object_id", o.ObjectID)
	setText(q, "lead_id", o.LeadID)
	setText(q, "action", o.Action)
	setText(q, "user_id", o.UserID)
	setText(q, "request_id", o.RequestID)
	o.Updated.set(q, "date_updated")
	setInt(q, "_limit", o.Limit)
	setText(q, "_cursor", o.Cursor)
	return q
}

// Events fetches one page of the event log. It reaches back 30 days. Events
// of one object within a short time are folded into one, which keeps its id
// and gets a new date_updated: store events by id and always read the last
// five minutes again. A dead cursor is [ErrCursorExpired].
// Source: developer.close.com/api/resources/event-log/list.
func (c *Client) Events(ctx context.Context, o EventOptions) (*EventPage, error) {
	if o.Limit == 0 {
		o.Limit = MaxEventLimit
	}
	e, err := c.list(ctx, http.MethodGet, "event/", o.query(), nil)
	if err != nil {
		return nil, err
	}
	return &EventPage{
		Data: e.records, Rejected: e.rejected,
		Next: text(e.CursorNext), Previous: text(e.CursorPrevious),
	}, nil
}
