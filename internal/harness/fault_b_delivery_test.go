package harness

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFault_B1_SameDeliveryAThousandTimes(t *testing.T) {
	h := hook(t, nil)
	h.renamed(0, "Once")
	require.Equal(t, 1, h.deliver())
	h.Settle()
	h.Equal()
	body := h.event("ev_same", "lead", "updated", h.lead(0))
	for range 1000 {
		require.Equal(t, http.StatusOK, h.post(h.url, body, h.clock.Now()))
	}
	require.Equal(t, "1", h.inbox("event_id = 'ev_same'"))
	h.Settle()
	before := h.Get("SELECT count(*) FROM closesync.journal")
	h.Equal()
	require.Equal(t, before, h.Get("SELECT count(*) FROM closesync.journal"))
}

func TestFault_B2_ConsolidatedEventIsNew(t *testing.T) {
	h := hook(t, func(o *Options) { o.Close.Consolidation = 10 * time.Second })
	h.renamed(0, "First")
	h.clock.Advance(11 * time.Second)
	require.Positive(t, h.deliver())
	h.Settle()
	id := h.Get("SELECT max(event_id) FROM closesync.inbox WHERE source = 'webhook'")
	// The same event again, rewritten later with more in it.
	require.NoError(t, h.Close.Update(h.lead(0), map[string]any{"name": "Second"}))
	later := h.event(id, "lead", "updated", h.lead(0))
	require.Equal(t, http.StatusOK, h.post(h.url, later, h.clock.Now()))
	require.Equal(t, "2", h.inbox("event_id = '"+id+"'"))
	h.Settle()
	require.Equal(t, "Second", h.Get("SELECT name FROM crm.leads WHERE close_id = $1", h.lead(0)))
	h.Equal()
}

func TestFault_B3_AnyOrder(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 4} {
		t.Run("", func(t *testing.T) {
			h := hook(t, func(o *Options) {
				o.Close.Seed = seed
				o.Close.Webhooks.Shuffle = true
				o.Close.Webhooks.Duplicate = 0.5
			})
			gone, err := h.Close.Create("lead", map[string]any{"name": "Soon gone"})
			require.NoError(t, err)
			for i := range 3 {
				h.renamed(0, string(rune('A'+i)))
			}
			require.NoError(t, h.Close.Delete(gone))
			require.NoError(t, h.Close.Merge(h.lead(3), h.lead(2)))
			require.Positive(t, h.deliver())
			h.Settle()
			h.Equal()
		})
	}
}

func TestFault_B4_LostForHoursAndDropped(t *testing.T) {
	h := hook(t, func(o *Options) { o.Close.Webhooks.Drop = 1 })
	h.renamed(0, "Lost")
	require.NoError(t, h.Close.Delete(h.lead(4)))
	for range 8 {
		h.deliver()
		h.clock.Advance(10 * time.Hour)
	}
	require.Equal(t, "0", h.inbox("true"))
	h.Close.DropWebhooks()
	h.Tail()
	h.Equal()
}

func TestFault_B5_OurProcessIsDown(t *testing.T) {
	h := hook(t, nil)
	up := h.sink.before
	h.sink.before = func() error { return errors.New("no process") }
	h.renamed(0, "While down")
	h.deliver()
	require.Equal(t, "0", h.inbox("true"))
	require.Equal(t, 1, h.Close.QueuedWebhooks(), "Close keeps what was not answered 2xx")
	h.sink.before = up
	h.clock.Advance(2 * time.Minute)
	require.Equal(t, 1, h.deliver())
	h.Settle()
	h.Equal()
}

func TestFault_B8_AnswerImpliesARow(t *testing.T) {
	h := hook(t, nil)
	crash := errors.New("killed")
	for name, at := range map[string]func(){
		"before the commit":           func() { h.sink.before = func() error { return crash } },
		"between commit and answer":   func() { h.sink.after = func() error { return crash } },
		"no crash, so that it counts": func() {},
	} {
		h.sink.before, h.sink.after = nil, nil
		at()
		id := "ev_" + name
		status := h.post(h.url, h.event(id, "lead", "updated", h.lead(0)), h.clock.Now())
		rows := h.inbox("event_id = '" + id + "'")
		if status == http.StatusOK {
			require.Equal(t, "1", rows, name)
		} else {
			require.Equal(t, http.StatusServiceUnavailable, status, name)
		}
		h.sink.before, h.sink.after = nil, nil
		require.Equal(t, http.StatusOK, h.post(h.url, h.event(id, "lead", "updated", h.lead(0)), h.clock.Now()), name)
		require.Equal(t, "1", h.inbox("event_id = '"+id+"'"), name)
	}
}

func TestFault_B12_ReplayOfAnOldDelivery(t *testing.T) {
	for _, age := range []time.Duration{time.Hour, 70 * time.Hour} {
		t.Run(age.String(), func(t *testing.T) {
			h := hook(t, nil)
			lie := h.event("ev_old", "lead", "updated", h.lead(0), `"changed_fields":["name"]`,
				`"previous_data":{"name":"`+h.field(h.lead(0), "name")+`"}`, `"data":{"id":"`+h.lead(0)+`","name":"Forged by age"}`)
			h.Close.ResetRequests()
			require.Equal(t, http.StatusOK, h.post(h.url, lie, h.clock.Now().Add(-age)))
			require.Equal(t, "1", h.inbox("event_id = 'ev_old' AND stale"))
			h.Settle()
			require.NotEmpty(t, h.Close.Requests(), "the record is fetched")
			require.Equal(t, "0", h.Get("SELECT count(*) FROM crm.leads WHERE name = 'Forged by age'"), "the content is not applied")
			h.Equal()
		})
	}
}

func TestFault_B18_UnknownTypesAndActions(t *testing.T) {
	h := hook(t, nil)
	for _, body := range []string{
		h.event("ev_type", "activity.hologram", "created", "acti_1"),
		h.event("ev_action", "lead", "sublimated", h.lead(0)),
	} {
		require.Equal(t, http.StatusOK, h.post(h.url, body, h.clock.Now()))
	}
	require.Equal(t, "2", h.inbox("event_id IN ('ev_type', 'ev_action')"), "they are kept")
	h.Settle()
	h.Equal()
}

func TestFault_B20_EventsOfAnotherOrganizationAreParked(t *testing.T) {
	h := hook(t, nil)
	body := `{"subscription_id":"` + h.sub.ID + `","event":{"id":"ev_foreign","date_updated":"2026-05-02T09:14:07.390000","organization_id":"orga_other",
		"object_type":"lead","action":"deleted","object_id":"` + h.lead(0) + `","data":null}}`
	require.Equal(t, http.StatusOK, h.post(h.url, body, h.clock.Now()))
	require.Equal(t, "1", h.inbox("event_id = 'ev_foreign'"))
	require.Equal(t, "0", h.Get("SELECT count(*) FROM closesync.dirty"), "it marks nothing")
	for _, odd := range []string{
		h.event("ev_null", "lead", "updated", h.lead(0), `"data":null`),
		h.event("ev_fields", "lead", "updated", h.lead(1), `"data":{"id":"`+h.lead(1)+`"}`, `"previous_data":{}`),
	} {
		require.Equal(t, http.StatusOK, h.post(h.url, odd, h.clock.Now()))
	}
	h.Settle()
	h.Equal()
}

func TestFault_B19_RecordsOutOfScopeAreIgnored(t *testing.T) {
	h := hook(t, func(o *Options) {
		o.Objects = objects("lead", func(c *config) { c.Filter = []byte(filtered) })
	})
	rows := h.Get("SELECT count(*) FROM crm.leads")
	require.Equal(t, "0", rows, "no seeded lead is in the filter")
	for i := range 3 {
		h.renamed(i, "Outside still")
	}
	require.Equal(t, 3, h.deliver())
	require.Zero(t, h.Close.QueuedWebhooks(), "they were answered 2xx")
	h.Settle()
	require.Equal(t, "0", h.Get("SELECT count(*) FROM crm.leads"))
	require.Equal(t, "0", h.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
}
