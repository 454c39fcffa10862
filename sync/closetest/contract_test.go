package closetest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The samples pin the shapes: keys, JSON types and forms of timestamps.
func TestContract_Shapes(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 2})
	lead := b.List("lead")[0]["id"].(string)
	b.ok("POST", "/task/", obj{"lead_id": lead, "text": "Call back", "date": "2026-11-25"})
	cont, oppo := b.List("contact")[0]["id"].(string), b.List("opportunity")[0]["id"].(string)
	won := b.cat.pipelines[0].statuses[2].id
	b.ok("PUT", "/opportunity/"+oppo+"/", obj{"status_id": won})
	other := b.newLead(obj{"name": "Brackwater Group", "description": "x", "url": "https://a.example"})
	newest := func(filter string) any { return b.events(filter)[0] }

	for name, have := range map[string]any{
		"lead":                      b.ok("GET", "/lead/"+lead+"/", nil),
		"lead-list":                 b.ok("GET", "/lead/?_limit=1&_skip=1", nil),
		"contact":                   b.ok("GET", "/contact/"+cont+"/", nil),
		"contact-list":              b.ok("GET", "/contact/?_limit=1", nil),
		"opportunity":               b.ok("GET", "/opportunity/"+oppo+"/", nil),
		"event-lead-created":        newest("object_type=lead&action=created"),
		"event-opportunity-updated": newest("object_type=opportunity&action=updated"),
		"event-list":                b.ok("GET", "/event/?_limit=1", nil),
		"me":                        b.ok("GET", "/me/", nil),
		"users":                     b.ok("GET", "/user/", nil),
		"pipelines":                 b.ok("GET", "/pipeline/", nil),
		"lead-statuses":             b.ok("GET", "/status/lead/", nil),
		"opportunity-statuses":      b.ok("GET", "/status/opportunity/", nil),
		"custom-fields-lead":        b.ok("GET", "/custom_field/lead/", nil),
		"custom-field-schema-lead":  b.ok("GET", "/custom_field_schema/lead/", nil),
		"integration-links":         b.ok("GET", "/integration_link/", nil),
	} {
		want := sample(t, name)
		if name == "me" { // our organization lists its members as well
			org := have.(obj)["organizations"].([]any)[0].(obj)
			delete(org, "memberships")
			delete(org, "inactive_memberships")
			p := org["pipelines"].([]any)[0].(obj)
			for _, k := range []string{"created_by", "updated_by", "date_created", "date_updated"} {
				delete(p, k)
			}
		}
		if name == "event-list" {
			want.(obj)["data"] = []any{}
		}
		t.Run(name, func(t *testing.T) { requireShape(t, want, have, "$") })
	}

	b.ok("PUT", "/lead/"+lead+"/", obj{"name": "Renamed"})
	requireShape(t, sample(t, "event-lead-updated"), newest("object_type=lead&action=updated"), "$")
	b.ok("PUT", "/contact/"+cont+"/", obj{"title": "COO"})
	requireShape(t, sample(t, "event-contact-updated"), newest("object_type=contact&action=updated"), "$")
	b.ok("POST", "/opportunity/", obj{"lead_id": lead, "value": 1})
	requireShape(t, sample(t, "event-opportunity-created-by-own-key"), newest("object_type=opportunity&action=created"), "$")
	_, err := b.BulkEdit(obj{"type": "id", "value": lead}, obj{"status_id": b.cat.leadStatuses[2].id})
	require.NoError(t, err)
	bulk := newest("object_type=lead&action=updated")
	requireShape(t, sample(t, "event-bulk-edit-lead-updated"), bulk, "$")
	require.Regexp(t, `^bulk_[0-9A-Za-z]{22}$`, bulk.(obj)["meta"].(obj)["bulk_action_id"])
	doomed := b.newLead(obj{"name": "Doomed", "contacts": []any{obj{"name": "Ines", "phones": []any{obj{"phone": "+14155550142"}},
		"emails": []any{obj{"email": "a@b.example"}}, "urls": []any{obj{"url": "c.example"}}}}})
	b.ok("DELETE", "/lead/"+doomed+"/", nil)
	requireShape(t, sample(t, "event-contact-deleted-by-lead-delete"), newest("object_type=contact&action=deleted"), "$")
	requireShape(t, sample(t, "event-lead-deleted"), newest("object_type=lead&action=deleted"), "$")

	b.ok("POST", "/lead/merge/", obj{"source": lead, "destination": other})
	requireShape(t, sample(t, "event-lead-merged"), newest("object_type=lead&action=merged"), "$")
	requireShape(t, sample(t, "event-contact-updated-by-merge"), newest("object_type=contact&action=updated"), "$")
	requireShape(t, sample(t, "event-lead-deleted-by-merge"), newest("object_type=lead&action=deleted"), "$")
}

// TestContract_Requests sends the sample requests, with ids that exist here.
func TestContract_Requests(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 2})
	lead := b.List("lead")[0]
	renamed := func(m any, custom string) obj {
		out := obj{}
		for k, v := range m.(obj) {
			if strings.HasPrefix(k, "custom.") {
				k = "custom." + custom
			}
			out[k] = v
		}
		return out
	}
	body := renamed(sample(t, "lead-create-request"), b.CustomField("lead", "External ID"))
	body["status_id"] = lead["status_id"]
	made := b.ok("POST", "/lead/", body)
	require.Len(t, made["contacts"], 1)
	require.Equal(t, body["name"], made["name"])
	body = renamed(sample(t, "opportunity-create-request"), b.CustomField("opportunity", "Deal key"))
	body["lead_id"], body["contact_id"] = made["id"], made["contacts"].([]any)[0].(obj)["id"]
	body["user_id"], body["status_id"] = b.cat.users[1].id, b.cat.pipelines[0].statuses[0].id
	require.EqualValues(t, 1250000, b.ok("POST", "/opportunity/", body)["value"])
	require.Len(t, rows(b.ok("POST", "/data/search/", sample(t, "search-request"))), 1, "the contact made just now")
	export := b.ok("POST", "/export/lead/", sample(t, "export-lead-request"))
	require.Equal(t, "done", export["status"])
	require.Empty(t, b.Violations())
}

func TestContract_IDs(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	lead := b.List("lead")[0]
	require.Regexp(t, `^lead_[0-9A-Za-z]{43}$`, lead["id"])
	require.Regexp(t, `^orga_[0-9A-Za-z]{43}$`, lead["organization_id"])
	require.Regexp(t, `^pipe_[0-9A-Za-z]{22}$`, b.cat.pipelines[0].id)
	require.Regexp(t, `^api_[0-9A-Za-z]{22}\.[0-9A-Za-z]+$`, b.Key())
	b.newLead(obj{"name": "A"})
	e := b.events("")[0]
	require.Regexp(t, `^ev_[0-9A-Za-z]{22}$`, e["id"])
	require.Regexp(t, `^req_[0-9A-Za-z]{22}$`, e["request_id"])
	require.Equal(t, b.Key()[:26], e["api_key_id"])
}

func TestContract_Errors(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	require.Equal(t, sample(t, "error-404"), any(b.bad(404, "GET", "/lead/lead_none/", nil)))
	require.Equal(t, sample(t, "error-400-max-limit"), any(b.bad(400, "GET", "/event/?_limit=51", nil)))
	require.Equal(t, sample(t, "error-400-max-skip"), any(b.bad(400, "GET", "/contact/?_skip=250001", nil)))
	require.Equal(t, sample(t, "error-400-field-errors"), any(b.bad(400, "POST", "/task/", obj{"text": "x"})))
	require.Equal(t, sample(t, "error-400-field-errors-nested"),
		any(b.bad(400, "POST", "/lead/", obj{"name": "A", "contacts": []any{obj{"custom.Region": "North"}}})))
	require.Empty(t, b.List("lead"), "a refused lead leaves nothing")
	b.key = "api_wrong.key"
	require.Equal(t, sample(t, "error-401"), any(b.bad(401, "GET", "/me/", nil)))
}

func TestContract_Search(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 3})
	q := obj{"query": obj{"type": "object_type", "object_type": "lead"}, "_limit": 1}
	got := b.ok("POST", "/data/search/", q)
	requireShape(t, sample(t, "search-response-ids-only"), got, "$")
	q = obj{"query": obj{"type": "object_type", "object_type": "contact"}, "_limit": 2, "include_counts": true,
		"_fields": obj{"contact": []any{"id", "lead_id", "name", "title", "emails", "phones", "urls", "date_created", "date_updated", "custom"}}}
	requireShape(t, sample(t, "search-response"), b.ok("POST", "/data/search/", q), "$")
}

// The sample signature is the one thing that must hold to the byte.
func TestContract_WebhookSignature(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/webhook-delivery.body.json")
	require.NoError(t, err)
	h := sample(t, "webhook-delivery.headers").(obj)
	sig, err := Sign(h["_signature_key_for_tests"].(string), h["close-sig-timestamp"].(string), body)
	require.NoError(t, err)
	require.Equal(t, h["close-sig-hash"], sig)
}

func TestContract_WebhookShapes(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	got := make(chan []byte, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		got <- body
	}))
	t.Cleanup(hook.Close)
	created := b.ok("POST", "/webhook/", obj{"url": hook.URL, "events": []any{obj{"object_type": "lead", "action": "created"}}})
	requireShape(t, sample(t, "webhook-subscription-created"), created, "$")
	want := sample(t, "webhook-subscription-list").(obj)
	want["data"].([]any)[0].(obj)["counters"] = obj{}
	requireShape(t, want, b.ok("GET", "/webhook/", nil), "$")
	b.newLead(obj{"name": "A"})
	require.Equal(t, 1, b.DeliverWebhooks(t.Context(), http.DefaultClient))
	sent, err := decodeObject(<-got)
	require.NoError(t, err)
	require.Equal(t, created["id"], sent["subscription_id"])
	require.Equal(t, "created", sent["event"].(obj)["action"])
	require.Len(t, sent, 2)
}

func TestContract_RateHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Limits: Limits{Key: 2, Window: 4 * time.Second}})
	_, _, h := b.do("GET", "/me/", nil)
	require.Equal(t, "limit=2, remaining=1, reset=4", h.Get("RateLimit"))
	b.clock.Advance(800 * time.Millisecond)
	b.ok("GET", "/me/", nil)
	code, _, h := b.do("GET", "/me/", nil)
	require.Equal(t, 429, code)
	require.Equal(t, "limit=2, remaining=0, reset=3.2", h.Get("RateLimit"))
	require.Equal(t, "4", h.Get("Retry-After"))
	require.Empty(t, b.Violations())
	b.ok("GET", "/user/", nil)
	b.bad(429, "GET", "/me/", nil)
	require.Len(t, b.Violations(), 1)
	b.clock.Advance(3200 * time.Millisecond)
	b.ok("GET", "/me/", nil)

	b.SetLimits(Limits{Key: 160, Window: 8 * time.Second})
	_, _, h = b.do("GET", "/user/", nil)
	require.Equal(t, sample(t, "ok.headers").(obj)["ratelimit"], h.Get("RateLimit"))
	for range 159 {
		b.ok("GET", "/user/", nil)
	}
	b.clock.Advance(4800 * time.Millisecond)
	_, _, h = b.do("GET", "/user/", nil)
	want := sample(t, "error-429.headers").(obj)
	require.Equal(t, want["ratelimit"], h.Get("RateLimit"))
	require.Equal(t, want["retry-after"], h.Get("Retry-After"))
}
