package harness

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
)

func TestFault_B21_PausedAndClearedFillsTheGap(t *testing.T) {
	h := hook(t, nil)
	h.renamed(0, "In the queue that is cleared")
	h.Close.PauseWebhook(h.sub.ID)
	h.renamed(1, "While paused")
	require.Zero(t, h.deliver())
	require.True(t, h.ensure(), "the gap is known")
	h.Tail()
	h.Equal()
	h.renamed(2, "Active again")
	require.Equal(t, 1, h.deliver())
	h.Settle()
	h.Equal()
}

func TestFault_B22_DeletedByAPersonFillsTheGap(t *testing.T) {
	h := hook(t, nil)
	old := h.sub.ID
	require.NoError(t, h.Client.Webhooks().Delete(context.Background(), old))
	h.renamed(0, "Told to nobody")
	require.True(t, h.ensure())
	require.NotEqual(t, old, h.sub.ID)
	h.Tail()
	h.Equal()
}

func TestFault_B22_EventsTakenOutByAPerson(t *testing.T) {
	h := hook(t, nil)
	_, err := h.Client.Webhooks().Update(context.Background(), h.sub.ID, closeapi.Changes{
		"events": []closeapi.WebhookEvent{{ObjectType: "contact", Action: "created"}}})
	require.NoError(t, err)
	h.renamed(0, "Not told")
	require.Zero(t, h.deliver())
	require.True(t, h.ensure())
	h.Tail()
	h.Equal()
	h.renamed(1, "Told")
	require.Equal(t, 1, h.deliver())
}

func TestFault_B24_RotationUnderLoadLosesNothing(t *testing.T) {
	h := hook(t, nil)
	for i := range 100 {
		h.renamed(i%5, fmt.Sprintf("Edit %d", i))
		if i == 50 {
			_, err := h.subscriber().Rotate(context.Background(), h.sub)
			require.NoError(t, err)
			h.clock.Advance(time.Minute) // the receiver asks for keys again
		}
		h.deliver()
	}
	h.clock.Advance(2 * time.Minute)
	h.deliver()
	require.Zero(t, h.Close.QueuedWebhooks(), "every delivery was answered 2xx, under both keys")
	h.Settle()
	h.Equal()
	h.clock.Advance(time.Hour)
	require.True(t, h.ensure(), "the old one is removed")
	require.Nil(t, h.sub.Previous)
	h.renamed(0, "After the rotation")
	require.Equal(t, 1, h.deliver())
	h.Settle()
	h.Equal()
}

func TestFault_B25_BacklogAfterAnOutage(t *testing.T) {
	heavy(t)
	const n = 5000
	h := hook(t, nil)
	lead := h.lead(0)
	began := time.Now()
	var senders sync.WaitGroup
	bad := make(chan int, n)
	for s := range 32 {
		senders.Go(func() {
			for i := s; i < n; i += 32 {
				if status := h.post(h.url, h.event(fmt.Sprintf("ev_burst_%d", i), "lead", "updated", lead), h.clock.Now()); status != http.StatusOK {
					bad <- status
				}
			}
		})
	}
	senders.Wait()
	took := time.Since(began)
	require.Empty(t, bad)
	require.Equal(t, fmt.Sprint(n), h.inbox("event_id LIKE 'ev_burst_%'"))
	t.Logf("%d deliveries in %s, %.0f a second", n, took, float64(n)/took.Seconds())
	require.Less(t, took, 50*time.Second, "a hundred a second at the very least, on a busy machine")
	// A local edit made now does not wait behind the backlog.
	h.SQL("UPDATE crm.leads SET description = 'pushed' WHERE id = 1")
	h.Settle()
	h.Equal()
}

func TestFault_B26_TwoReceiversOneRow(t *testing.T) {
	h := hook(t, nil)
	other := h.receiver()
	var senders sync.WaitGroup
	for i := range 200 {
		body := h.event(fmt.Sprintf("ev_two_%d", i/2), "lead", "updated", h.lead(0))
		url := []string{h.url, other}[i%2]
		senders.Go(func() {
			if status := h.post(url, body, h.clock.Now()); status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
		})
	}
	senders.Wait()
	require.Equal(t, "100", h.inbox("event_id LIKE 'ev_two_%'"))
	h.Settle()
	h.Equal()
}
