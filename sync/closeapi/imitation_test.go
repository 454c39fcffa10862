package closeapi_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
	"closesync/sync/closetest"
)

// ids are the records that the calls below work on.
type ids struct {
	org, lead, lead2, contact, opportunity, task, event, field, webhook, export string
}

// drained walks an iterator to its end.
func drained[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func failing[T any](_ T, err error) error { return err }

// everyCall is each method of the client once, in an order in which all
// succeed.
func everyCall(ctx context.Context, c *closeapi.Client, id ids) []struct {
	name string
	call func() error
} {
	month := time.Now().AddDate(0, -1, 0)
	value := int64(100)
	return []struct {
		name string
		call func() error
	}{
		{"Me", func() error { return failing(c.Me(ctx)) }},
		{"MeRaw", func() error { return failing(c.MeRaw(ctx)) }},
		{"Organization", func() error { return failing(c.Organization(ctx, id.org, "memberships")) }},
		{"Users", func() error { return failing(c.Users(ctx)) }},
		{"LeadStatuses", func() error { return failing(c.LeadStatuses(ctx)) }},
		{"OpportunityStatuses", func() error { return failing(c.OpportunityStatuses(ctx)) }},
		{"Pipelines", func() error { return failing(c.Pipelines(ctx)) }},
		{"CustomFields", func() error { return failing(c.CustomFields(ctx, "shared")) }},
		{"CustomFieldSchema", func() error { return failing(c.CustomFieldSchema(ctx, "opportunity")) }},
		{"CreateCustomField", func() error {
			return failing(c.CreateCustomField(ctx, "lead", closeapi.NewCustomField{Name: "N", Type: "text"}))
		}},
		{"UpdateCustomField", func() error {
			return failing(c.UpdateCustomField(ctx, "lead", id.field, closeapi.Changes{"name": "M"}))
		}},
		{"DeleteCustomField", func() error { return c.DeleteCustomField(ctx, "lead", id.field) }},
		{"ListLeads", func() error { return failing(c.ListLeads(ctx, closeapi.ListOptions{Limit: 1})) }},
		{"ListContacts", func() error { return failing(c.ListContacts(ctx, closeapi.ListOptions{LeadID: id.lead})) }},
		{"ListOpportunities", func() error {
			return failing(c.ListOpportunities(ctx, closeapi.OpportunityListOptions{StatusTypes: []string{"won"}}))
		}},
		{"Leads.Get", func() error { return failing(c.Leads().Get(ctx, id.lead, "name")) }},
		{"Leads.Create", func() error { return failing(c.Leads().Create(ctx, closeapi.NewLead{Name: "N"})) }},
		{"Leads.Update", func() error { return failing(c.Leads().Update(ctx, id.lead, closeapi.Changes{"name": "M"})) }},
		{"Leads.All", func() error { return drained(c.Leads().All(ctx)) }},
		{"Leads.Merge", func() error { return c.Leads().Merge(ctx, id.lead2, id.lead) }},
		{"Leads.Merges", func() error { return drained(c.Leads().Merges(ctx, month)) }},
		{"Contacts.Get", func() error { return failing(c.Contacts().Get(ctx, id.contact)) }},
		{"Contacts.Create", func() error { return failing(c.Contacts().Create(ctx, id.lead, closeapi.ContactFields{Name: "N"})) }},
		{"Contacts.Update", func() error {
			return failing(c.Contacts().Update(ctx, id.contact, closeapi.Changes{"title": "T"}))
		}},
		{"Contacts.OfLead", func() error { return drained(c.Contacts().OfLead(ctx, id.lead)) }},
		{"Contacts.All", func() error { return drained(c.Contacts().All(ctx, "name")) }},
		{"Opportunities.Get", func() error { return failing(c.Opportunities().Get(ctx, id.opportunity)) }},
		{"Opportunities.Create", func() error {
			return failing(c.Opportunities().Create(ctx, id.lead, closeapi.OpportunityFields{Value: &value}))
		}},
		{"Opportunities.Update", func() error {
			return failing(c.Opportunities().Update(ctx, id.opportunity, closeapi.Changes{"confidence": 9}))
		}},
		{"Opportunities.Since", func() error { return drained(c.Opportunities().Since(ctx, month)) }},
		{"OpportunityRecords", func() error {
			return drained(c.OpportunityRecords(ctx, closeapi.OpportunityWalk{Field: "date_created"}))
		}},
		{"Tasks.Get", func() error { return failing(c.Tasks().Get(ctx, id.task)) }},
		{"Tasks.Create", func() error { return failing(c.Tasks().Create(ctx, id.lead, closeapi.TaskFields{Text: "T"})) }},
		{"Tasks.Update", func() error {
			return failing(c.Tasks().Update(ctx, id.task, closeapi.Changes{"is_complete": true}))
		}},
		{"Tasks.All", func() error { return drained(c.Tasks().All(ctx, id.lead, "all")) }},
		{"Search", func() error {
			return failing(c.Search(ctx, closeapi.SearchRequest{Query: closeapi.ObjectType("contact"), Limit: 1}))
		}},
		{"SearchRecords", func() error {
			return drained(c.SearchRecords(ctx, closeapi.SearchWalk{ObjectType: "lead", From: month}))
		}},
		{"Events", func() error { return failing(c.Events(ctx, closeapi.EventOptions{LeadID: id.lead})) }},
		{"Event", func() error { return failing(c.Event(ctx, id.event)) }},
		{"EventLog", func() error { return drained(c.EventLog(ctx, closeapi.EventWalk{Watermark: month})) }},
		{"Webhooks.All", func() error { return drained(c.Webhooks().All(ctx)) }},
		{"Webhooks.Get", func() error { return failing(c.Webhooks().Get(ctx, id.webhook)) }},
		{"Webhooks.Create", func() error {
			return failing(c.Webhooks().Create(ctx, closeapi.NewWebhook{URL: "https://x.example",
				Events: []closeapi.WebhookEvent{{ObjectType: "lead", Action: "created"}}}))
		}},
		{"Webhooks.Update", func() error {
			return failing(c.Webhooks().Update(ctx, id.webhook, closeapi.Changes{"status": "paused"}))
		}},
		{"Webhooks.Delete", func() error { return c.Webhooks().Delete(ctx, id.webhook) }},
		{"ExportLeads", func() error {
			return failing(c.ExportLeads(ctx, closeapi.LeadExport{Format: "json", Type: "leads"}))
		}},
		{"ExportOpportunities", func() error { return failing(c.ExportOpportunities(ctx, "json", map[string]any{})) }},
		{"Export", func() error { return failing(c.Export(ctx, id.export)) }},
		{"Tasks.Delete", func() error { return c.Tasks().Delete(ctx, id.task) }},
		{"Opportunities.Delete", func() error { return c.Opportunities().Delete(ctx, id.opportunity) }},
		{"Contacts.Delete", func() error { return c.Contacts().Delete(ctx, id.contact) }},
		{"Leads.Delete", func() error { return c.Leads().Delete(ctx, id.lead) }},
	}
}

func TestEveryCallOnTheImitation(t *testing.T) {
	srv := closetest.New(closetest.Options{Seed: 1, Leads: 3})
	client := clientOf(t, srv, srv.Key())
	ctx := t.Context()
	task, err := client.Tasks().Create(ctx, srv.List("lead")[0]["id"].(string), closeapi.TaskFields{Text: "x"})
	require.NoError(t, err)
	hook, err := client.Webhooks().Create(ctx, closeapi.NewWebhook{URL: "https://y.example",
		Events: []closeapi.WebhookEvent{{ObjectType: "lead", Action: "merged"}}})
	require.NoError(t, err)
	require.NotEmpty(t, hook.SignatureKey.Reveal())
	export, err := client.ExportLeads(ctx, closeapi.LeadExport{Format: "json", Type: "leads"})
	require.NoError(t, err)
	events, err := client.Events(ctx, closeapi.EventOptions{})
	require.NoError(t, err)
	event, err := closeapi.DecodeEvent(events.Data[0])
	require.NoError(t, err)
	id := ids{
		org: srv.OrganizationID(), lead: srv.List("lead")[0]["id"].(string), lead2: srv.List("lead")[1]["id"].(string),
		contact: srv.List("contact")[0]["id"].(string), opportunity: srv.List("opportunity")[0]["id"].(string),
		task: task.ID, event: event.ID, field: srv.CustomField("lead", "Seats"), webhook: hook.ID, export: export.ID,
	}
	for _, c := range everyCall(ctx, client, id) {
		require.NoError(t, c.call(), c.name)
	}
	require.Empty(t, srv.Violations())
}

// Whatever Close refuses comes back as a typed error of the right kind.
func TestEveryCallRefused(t *testing.T) {
	client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":"not allowed"}`))
	}), "api_k.secretpart")
	id := ids{"orga_1", "lead_1", "lead_2", "cont_1", "oppo_1", "task_1", "ev_1", "cf_1", "whsub_1", "expo_1"}
	for _, c := range everyCall(t.Context(), client, id) {
		err := c.call()
		require.ErrorIs(t, err, closeapi.ErrForbidden, c.name)
		require.ErrorContains(t, err, "not allowed", c.name)
		require.NotContains(t, err.Error(), "secretpart", c.name)
	}
}

// An object of another shape than documented names the place, not the value.
func TestEveryAnswerOfAnotherShape(t *testing.T) {
	client := clientOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":{"private":"value"},"data":[{"id":{"private":"value"}}]}`))
	}), "api_k.s")
	for name, call := range map[string]func() error{
		"Leads.Get": func() error { return failing(client.Leads().Get(t.Context(), "lead_1")) },
		"Users":     func() error { return failing(client.Users(t.Context())) },
		"Leads.All": func() error { return drained(client.Leads().All(t.Context())) },
	} {
		err := call()
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "private", name)
	}
}

func clientOf(t *testing.T, h http.Handler, key string) *closeapi.Client {
	t.Helper()
	s := httptest.NewServer(h)
	c, err := closeapi.New(closeapi.Options{BaseURL: s.URL + "/api/v1/", Key: closeapi.Secret(key)})
	require.NoError(t, err)
	t.Cleanup(func() { c.CloseIdle(); s.Close() })
	return c
}
