// Package webhook receives what Close delivers: it verifies, notes and answers
// 200 only after the delivery is durably stored. It knows neither the database
// nor the rest of the worker; it says what came, and a Sink keeps it.
//
// Source: developer.close.com, API reference, webhook subscriptions, read 2026-11.
package webhook

import (
	"context"
	"errors"
	"time"
)

// Delivery is one correctly signed request. It is a hint: its content may be
// old, repeated or out of order.
type Delivery struct {
	Connection     string
	SubscriptionID string
	// EventID and the fields below are empty when the body does not hold them
	// as text. They hold at most 256 printable bytes.
	EventID        string
	ObjectType     string
	Action         string
	ObjectID       string
	LeadID         string
	OrganizationID string
	// DateUpdated is UTC; zero when absent or unreadable.
	DateUpdated time.Time
	// Raw is the whole body, Event the event object within it (nil when it is
	// no object). Both are the Sink's to read until Accept returns.
	Raw   []byte
	Event []byte
	// Stale: the signature is older than StaleAfter or from the future. Fetch
	// the record, never apply the content.
	Stale bool
	// Foreign: the organization is not the connection's. Park it.
	Foreign bool
	// Odd: the event has no id, type or object id. Keep it for a person.
	Odd bool
}

// Sink keeps deliveries.
type Sink interface {
	// Accept returns nil only after the whole batch is durably committed, and
	// an error only when nothing of it is. It is called concurrently, and again
	// with the same deliveries after an error or a lost answer: it must dedupe
	// by EventID and DateUpdated.
	Accept(ctx context.Context, batch []Delivery) error
}

// SigningKey is one live key of a connection; two are live during rotation.
type SigningKey struct {
	// SubscriptionID must equal that of the body; empty for a key whose
	// subscription was made by hand.
	SubscriptionID string
	// Key is the decoded key, not its hex text. An empty key never matches.
	Key []byte
	// OrganizationID the events must have; empty when it is not known yet.
	OrganizationID string
}

// Keys finds the keys of a connection.
type Keys interface {
	// Keys returns ErrUnknownConnection for a name that does not exist, and no
	// key for a connection without a subscription (its requests get 401). Answers are
	// kept for up to ten seconds.
	Keys(ctx context.Context, connection string) ([]SigningKey, error)
}

// ErrUnknownConnection says that no connection has the name of the path.
var ErrUnknownConnection = errors.New("webhook: unknown connection")
