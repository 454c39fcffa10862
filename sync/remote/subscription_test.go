package remote

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
	"closesync/sync/closetest"
)

const hookURL = "https://sync.example/webhooks/close/default"

// notebook is where a Subscriber saves.
type notebook struct {
	Subscription
	fail error
}

func (n *notebook) save(_ context.Context, s Subscription) error {
	if n.fail != nil {
		return n.fail
	}
	n.Subscription = s
	return nil
}

func subscribing(t *testing.T) (*closetest.Server, Subscriber, *notebook) {
	t.Helper()
	srv, r := imitation(t, closetest.Options{Seed: 4}, nil)
	n := &notebook{}
	return srv, Subscriber{Client: r.client, URL: hookURL, Save: n.save}, n
}

func (n *notebook) ensure(t *testing.T, s Subscriber) (gap bool) {
	t.Helper()
	now, gap, err := s.Ensure(t.Context(), n.Subscription)
	require.NoError(t, err)
	require.Equal(t, now, n.Subscription, "what is returned is what was saved")
	return gap
}

func subscriptions(t *testing.T, s Subscriber) []*closeapi.Webhook {
	t.Helper()
	var list []*closeapi.Webhook
	for w, err := range s.Client.Webhooks().All(t.Context()) {
		require.NoError(t, err)
		list = append(list, w)
	}
	return list
}

func TestSubscriber_SubscribesOnceAndThenRests(t *testing.T) {
	t.Parallel()
	srv, s, n := subscribing(t)
	require.True(t, n.ensure(t, s), "what came before the subscription is in the event log")
	require.Len(t, n.Key.Reveal(), 64)
	first := n.Subscription
	srv.ResetRequests()
	require.False(t, n.ensure(t, s))
	require.Equal(t, first, n.Subscription)
	require.Len(t, srv.Requests(), 1, "at rest it only looks")
	list := subscriptions(t, s)
	require.Len(t, list, 1)
	require.True(t, sameEvents(list[0].Events, WantedEvents()))
}

func TestFault_B21_PausedIsMadeActiveWithItsKey(t *testing.T) {
	t.Parallel()
	srv, s, n := subscribing(t)
	n.ensure(t, s)
	before := n.Subscription
	srv.PauseWebhook(n.ID)
	state, err := s.State(t.Context(), n.Subscription)
	require.NoError(t, err)
	require.Equal(t, SubscriptionPaused, state)
	require.True(t, n.ensure(t, s), "its queue was cleared")
	require.Equal(t, before, n.Subscription)
	require.Equal(t, "active", subscriptions(t, s)[0].Status)
}

func TestFault_B22_ChangesByAPersonArePutBack(t *testing.T) {
	t.Parallel()
	filter := closeapi.WebhookEvent{ObjectType: "lead", Action: "updated", ExtraFilter: []byte(`{"type":"is_null"}`)}
	filtered := append(WantedEvents()[:0:0], WantedEvents()...)
	filtered[1] = filter
	for name, edit := range map[string]func(ctx context.Context, s Subscriber, id string) error{
		"url": func(ctx context.Context, s Subscriber, id string) error {
			_, err := s.Client.Webhooks().Update(ctx, id, closeapi.Changes{"url": "https://elsewhere.example/"})
			return err
		},
		"fewer events": func(ctx context.Context, s Subscriber, id string) error {
			_, err := s.Client.Webhooks().Update(ctx, id, closeapi.Changes{"events": WantedEvents()[:3]})
			return err
		},
		"a filter": func(ctx context.Context, s Subscriber, id string) error {
			_, err := s.Client.Webhooks().Update(ctx, id, closeapi.Changes{"events": filtered})
			return err
		},
		"deleted": func(ctx context.Context, s Subscriber, id string) error { return s.Client.Webhooks().Delete(ctx, id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, s, n := subscribing(t)
			n.ensure(t, s)
			require.NoError(t, edit(t.Context(), s, n.ID))
			require.True(t, n.ensure(t, s))
			list := subscriptions(t, s)
			require.Len(t, list, 1)
			require.Equal(t, n.ID, list[0].ID)
			require.Equal(t, hookURL, list[0].URL)
			require.True(t, sameEvents(list[0].Events, WantedEvents()))
			require.False(t, n.ensure(t, s))
		})
	}
}

func TestFault_B23_CrashBeforeTheKeyIsSaved(t *testing.T) {
	t.Parallel()
	_, s, n := subscribing(t)
	stranger, err := s.Client.Webhooks().Create(t.Context(), closeapi.NewWebhook{URL: "https://other.example/hook", Events: WantedEvents()[:1]})
	require.NoError(t, err)
	n.fail = errors.New("killed")
	for range 50 { // Close has 40 places
		_, _, err := s.Ensure(t.Context(), n.Subscription)
		require.ErrorIs(t, err, n.fail)
		require.LessOrEqual(t, len(subscriptions(t, s)), 2, "orphans do not pile up")
	}
	n.fail = nil
	require.True(t, n.ensure(t, s))
	list := subscriptions(t, s)
	require.Len(t, list, 2)
	require.Equal(t, stranger.ID, list[0].ID, "another program's subscription is not ours to delete")
	require.Equal(t, n.ID, list[1].ID)
}

func TestFault_B23_ALostKeyIsReplaced(t *testing.T) {
	t.Parallel()
	_, s, n := subscribing(t)
	n.ensure(t, s)
	lost := n.ID
	n.Key = ""
	require.True(t, n.ensure(t, s))
	require.NotEqual(t, lost, n.ID)
	require.Len(t, subscriptions(t, s), 1)
}

func TestFault_B24_RotationKeepsBothUntilDrained(t *testing.T) {
	t.Parallel()
	_, s, n := subscribing(t)
	n.ensure(t, s)
	old := n.Subscription
	now, err := s.Rotate(t.Context(), n.Subscription)
	require.NoError(t, err)
	require.Equal(t, now, n.Subscription)
	require.Equal(t, old, *n.Previous)
	require.NotEqual(t, old.Key.Reveal(), n.Key.Reveal())

	again, err := s.Rotate(t.Context(), n.Subscription)
	require.NoError(t, err)
	require.Equal(t, now.ID, again.ID, "a rotation under way is not begun twice")
	require.False(t, n.ensure(t, s))
	require.Len(t, subscriptions(t, s), 2, "the old one still delivers")

	s.Now = func() time.Time { return time.Now().Add(drainAfter + time.Minute) }
	require.True(t, n.ensure(t, s))
	require.Nil(t, n.Previous)
	list := subscriptions(t, s)
	require.Len(t, list, 1)
	require.Equal(t, n.ID, list[0].ID)
}

func TestSubscriber_Remove(t *testing.T) {
	t.Parallel()
	_, s, n := subscribing(t)
	n.ensure(t, s)
	_, err := s.Rotate(t.Context(), n.Subscription)
	require.NoError(t, err)
	require.NoError(t, s.Remove(t.Context(), n.Subscription))
	require.Empty(t, subscriptions(t, s))
	require.Equal(t, Subscription{}, n.Subscription)
	require.NoError(t, s.Remove(t.Context(), n.Subscription), "twice is no error")
}
