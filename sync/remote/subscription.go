package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"closesync/mapping"
	"closesync/sync/closeapi"
)

// drainAfter is how long the subscription before a rotation stays: its own
// deliveries then have had their first repetitions (the first comes after a
// minute).
const drainAfter = 15 * time.Minute

// Subscription is the webhook subscription a connection keeps at Close.
// Previous is the one before a rotation, which is still live.
type Subscription struct {
	ID       string
	Key      closeapi.Secret // hex
	URL      string
	Previous *Subscription
}

// States of a subscription.
const (
	SubscriptionActive = "active"
	SubscriptionPaused = "paused"
	SubscriptionAbsent = "absent"
	// SubscriptionUnmanaged is one made by hand, which is left alone.
	SubscriptionUnmanaged = "unmanaged"
)

// Subscriber keeps one connection's subscription at Close as it should be. At
// most one Subscriber of a connection may work at a time. Its errors are
// *engine.CallError, or those of Save.
type Subscriber struct {
	Client *closeapi.Client
	// URL is our receiver's address, unlike that of any other connection.
	URL string
	// Save keeps a subscription durably. Its key cannot be read again.
	Save func(context.Context, Subscription) error
	// Now is the clock of the drain; nil means time.Now.
	Now func() time.Time
}

// Ensure compares what Close holds with known and puts it right (faults B21 to
// B23): a paused one is made active again, one changed by a person is put back,
// a lost one or one whose key is not known is made anew, and one with our URL
// that we do not know is deleted. gap says that deliveries may have been
// missed: the event log must be read.
func (s Subscriber) Ensure(ctx context.Context, known Subscription) (now Subscription, gap bool, err error) {
	ours, other, err := s.survey(ctx, known)
	if err != nil {
		return known, false, err
	}
	// Orphans go first, so that 40 crashes cannot fill Close's 40 places.
	for _, w := range other {
		if err := s.remove(ctx, w.ID); err != nil {
			return known, false, err
		}
	}
	if ours == nil {
		now, err = s.create(ctx, nil)
		return now, err == nil, err
	}
	if gap, err = s.correct(ctx, ours); err != nil {
		return known, gap, err
	}
	now = known
	now.URL = s.URL
	if known.Previous != nil && s.now().Sub(ours.DateCreated.Time) > drainAfter {
		if err := s.remove(ctx, known.Previous.ID); err != nil {
			return known, gap, err
		}
		now.Previous, gap = nil, true // what its queue still held is in the log
	}
	if now == known {
		return now, gap, nil
	}
	return now, gap, s.Save(ctx, now)
}

// Rotate makes a new subscription with a new key. Deliveries of both are good
// until Ensure removes the old one. A rotation under way is not begun twice.
func (s Subscriber) Rotate(ctx context.Context, known Subscription) (Subscription, error) {
	if known.Previous != nil {
		return known, nil
	}
	if known.ID == "" || known.Key == "" {
		now, _, err := s.Ensure(ctx, known)
		return now, err
	}
	return s.create(ctx, &known)
}

// Remove deletes every subscription with our URL and forgets it.
func (s Subscriber) Remove(ctx context.Context, known Subscription) error {
	ours, other, err := s.survey(ctx, known)
	if err != nil {
		return err
	}
	if ours != nil {
		other = append(other, ours)
	}
	if known.Previous != nil {
		other = append(other, &closeapi.Webhook{ID: known.Previous.ID})
	}
	for _, w := range other {
		if err := s.remove(ctx, w.ID); err != nil {
			return err
		}
	}
	return s.Save(ctx, Subscription{})
}

// State is the known subscription's state at Close.
func (s Subscriber) State(ctx context.Context, known Subscription) (string, error) {
	ours, _, err := s.survey(ctx, known)
	switch {
	case err != nil:
		return "", err
	case ours == nil:
		return SubscriptionAbsent, nil
	case ours.Status == SubscriptionActive:
		return SubscriptionActive, nil
	}
	return SubscriptionPaused, nil
}

// survey finds our subscription and the orphans: those with our URL that we
// do not know, or whose key we lost. The one before a rotation is neither.
func (s Subscriber) survey(ctx context.Context, known Subscription) (ours *closeapi.Webhook, orphans []*closeapi.Webhook, err error) {
	for w, err := range s.Client.Webhooks().All(ctx) {
		if err != nil {
			return nil, nil, callError(err)
		}
		switch {
		case w.ID == known.ID && known.Key != "":
			ours = w
		case known.Previous != nil && w.ID == known.Previous.ID:
		case w.ID == known.ID || w.URL == s.URL:
			orphans = append(orphans, w)
		}
	}
	return ours, orphans, nil
}

// correct puts back the parts of w that differ from what we want.
func (s Subscriber) correct(ctx context.Context, w *closeapi.Webhook) (changed bool, err error) {
	changes := closeapi.Changes{}
	if w.Status != SubscriptionActive {
		changes["status"] = SubscriptionActive
	}
	if w.URL != s.URL {
		changes["url"] = s.URL
	}
	if !sameEvents(w.Events, WantedEvents()) {
		changes["events"] = WantedEvents()
	}
	if len(changes) == 0 {
		return false, nil
	}
	_, err = s.Client.Webhooks().Update(ctx, w.ID, changes)
	return true, callError(err)
}

// create subscribes and saves the key at once: a crash between the two leaves
// an orphan, which Ensure finds by its URL.
func (s Subscriber) create(ctx context.Context, previous *Subscription) (Subscription, error) {
	w, err := s.Client.Webhooks().Create(ctx, closeapi.NewWebhook{URL: s.URL, Events: WantedEvents()})
	if err != nil {
		return Subscription{}, callError(err)
	}
	now := Subscription{ID: w.ID, Key: w.SignatureKey, URL: s.URL, Previous: previous}
	if err := s.Save(ctx, now); err != nil {
		return Subscription{}, fmt.Errorf("the webhook subscription %s was made and could not be saved; it is made anew: %w", w.ID, err)
	}
	return now, nil
}

// remove deletes a subscription; one that is gone already is no error.
func (s Subscriber) remove(ctx context.Context, id string) error {
	if err := s.Client.Webhooks().Delete(ctx, id); err != nil && !errors.Is(err, closeapi.ErrNotFound) {
		return callError(err)
	}
	return nil
}

func (s Subscriber) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// WantedEvents is what a subscription must tell: the records' changes, and
// those of the catalogue that give them meaning.
// Source: developer.close.com/api/resources/events, list of event types.
func WantedEvents() []closeapi.WebhookEvent {
	var list []closeapi.WebhookEvent
	add := func(objectType string) {
		for _, action := range []string{"created", "updated", "deleted"} {
			list = append(list, closeapi.WebhookEvent{ObjectType: objectType, Action: action})
		}
	}
	for _, objectType := range mapping.Types() {
		if o := mapping.Default(objectType); o.EventType != "" {
			add(o.EventType)
		} else {
			add(objectType)
		}
		add("custom_fields." + objectType)
	}
	for _, objectType := range []string{"custom_fields.shared", "status.lead", "status.opportunity"} {
		add(objectType)
	}
	return append(list, closeapi.WebhookEvent{ObjectType: "lead", Action: "merged"})
}

// sameEvents compares as sets. A filter that a person added hides events, so
// that it counts as a difference.
func sameEvents(a, b []closeapi.WebhookEvent) bool {
	return slices.Equal(eventNames(a), eventNames(b))
}

func eventNames(list []closeapi.WebhookEvent) []string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.ObjectType + " " + e.Action
		if len(e.ExtraFilter) > 0 && string(e.ExtraFilter) != "null" {
			names[i] += " filtered"
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
