package closetest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatus_IsReadWithoutHarm(t *testing.T) {
	b := setup(t, Options{})
	first := rows(b.ok("GET", "/status/lead/", nil))[0]
	id := first["id"].(string)
	require.Equal(t, first["label"], b.ok("GET", "/status/lead/"+id+"/", nil)["label"])
	b.bad(404, "GET", "/status/opportunity/"+id+"/", nil)
	b.bad(400, "PUT", "/status/lead/"+id+"/", obj{})
	b.bad(405, "POST", "/status/lead/"+id+"/", obj{"label": "x"})
	require.Equal(t, first["label"], rows(b.ok("GET", "/status/lead/", nil))[0]["label"])
}

// What cannot do without one keeps its last one.
func TestStatus_TheLastOneStays(t *testing.T) {
	b := setup(t, Options{})
	all := rows(b.ok("GET", "/status/lead/", nil))
	for _, st := range all[1:] {
		b.ok("DELETE", "/status/lead/"+st["id"].(string)+"/", nil)
	}
	b.bad(400, "DELETE", "/status/lead/"+all[0]["id"].(string)+"/", nil)
	require.NotEmpty(t, b.newLead(obj{"name": "A"}))
}

// A delivery sent twice is not two in the queue: after hours of failures there
// would be thousands of it.
func TestWebhook_ADuplicateIsNeverQueued(t *testing.T) {
	b := setup(t, Options{Webhooks: WebhookOptions{Duplicate: 1, Drop: 1}})
	b.ok("POST", "/webhook/", obj{"url": "https://sink.example/", "events": []obj{{"object_type": "lead", "action": "created"}}})
	b.newLead(obj{"name": "A"})
	for range 20 {
		b.DeliverWebhooks(t.Context(), http.DefaultClient)
		require.Equal(t, 1, b.QueuedWebhooks())
		b.clock.Advance(30 * time.Minute)
	}
	require.True(t, b.SendWebhook(t.Context(), http.DefaultClient, 0, true))
	require.Equal(t, 1, b.QueuedWebhooks(), "one that is kept is kept once")
}

// All events of a merge name both leads, also those that were folded into an
// edit just before.
func TestEvents_AMergeIsToldOfInAFoldedEvent(t *testing.T) {
	b := setup(t, Options{Consolidation: time.Minute})
	from, to := b.newLead(obj{"name": "A"}), b.newLead(obj{"name": "B"})
	contact := b.ok("POST", "/contact/", obj{"lead_id": from, "name": "C"})["id"].(string)
	b.clock.Advance(2 * time.Minute)
	b.ok("PUT", "/contact/"+contact+"/", obj{"title": "Chief"})
	b.clock.Advance(time.Second)
	b.ok("POST", "/lead/merge/", obj{"source": from, "destination": to})
	folded := b.events("object_id=" + contact + "&object_type=contact")[0]
	require.Contains(t, folded["changed_fields"], "title")
	require.Contains(t, folded["changed_fields"], "lead_id")
	meta := folded["meta"].(obj)
	require.Equal(t, from, meta["merge_source_lead_id"])
	require.Equal(t, to, meta["merge_destination_lead_id"])
	require.Equal(t, "/api/v1/lead/merge/", meta["request_path"])
}

// cursor_previous of an event that was rewritten since leads past no other.
func TestEvents_NewerThanARewrittenEvent(t *testing.T) {
	b := setup(t, Options{Consolidation: time.Hour})
	var leads []string
	for _, name := range []string{"A", "B", "C"} {
		leads = append(leads, b.newLead(obj{"name": name}))
		b.clock.Advance(2 * time.Hour)
	}
	for _, id := range leads {
		b.ok("PUT", "/lead/"+id+"/", obj{"description": "x"})
		b.clock.Advance(time.Second)
	}
	page := b.ok("GET", "/event/?_limit=3", nil)
	older := b.ok("GET", "/event/?_limit=1&_cursor="+page["cursor_next"].(string), nil)
	require.Equal(t, leads[2], rows(older)[0]["object_id"])
	third := b.ok("GET", "/event/?_limit=1&_cursor="+b.ok("GET", "/event/?_limit=2", nil)["cursor_next"].(string), nil)
	require.Equal(t, leads[0], rows(third)[0]["object_id"])
	b.ok("PUT", "/lead/"+leads[0]+"/", obj{"description": "y"}) // its event leaves its place
	newer := b.ok("GET", "/event/?_limit=1&_cursor="+third["cursor_previous"].(string), nil)
	require.Equal(t, leads[1], rows(newer)[0]["object_id"])
}

// A shared field taken off one object type vanishes there, and there alone.
func TestCustomFields_Disassociated(t *testing.T) {
	b := setup(t, Options{})
	id := b.CustomField("lead", "Industry")
	key := customPrefix + id
	lead := b.newLead(obj{"name": "A", key: "Retail"})
	contact := b.ok("POST", "/contact/", obj{"lead_id": lead, "name": "C", key: "Retail"})["id"].(string)
	b.ok("DELETE", "/custom_field/shared/"+id+"/association/lead/", nil)
	require.NotContains(t, b.ok("GET", "/lead/"+lead+"/", nil), key)
	require.Equal(t, "Retail", b.ok("GET", "/contact/"+contact+"/", nil)[key])
	b.bad(400, "PUT", "/lead/"+lead+"/", obj{key: "Retail"})
	b.bad(404, "DELETE", "/custom_field/shared/"+id+"/association/lead/", nil)
	require.Equal(t, "updated", b.events("object_type=custom_fields.shared&action=updated")[0]["action"])
}

// The index may know a contact before the new lead it was moved below.
func TestSearch_ByALeadThatIsNotIndexedYet(t *testing.T) {
	b := setup(t, Options{})
	contact := b.ok("POST", "/contact/", obj{"lead_id": b.newLead(obj{"name": "A"}), "name": "C"})["id"].(string)
	require.NoError(t, b.setTiming([]byte(`{"index_lag":"1m"}`)))
	b.ok("PUT", "/contact/"+contact+"/", obj{"lead_id": b.newLead(obj{"name": "B"})})
	found := b.ok("POST", "/data/search/", obj{"query": obj{"type": "and", "queries": []obj{{"type": "object_type", "object_type": "contact"},
		{"type": "has_related", "this_object_type": "contact", "related_object_type": "lead", "related_query": obj{"type": "match_all"}}}}})
	require.Empty(t, rows(found))
}

func TestRequest_HoldsOneValue(t *testing.T) {
	b := setup(t, Options{})
	for _, body := range []string{`{"name":"A"}{}`, `{"name":"A"}}`, `{"name":"A"} x`} {
		require.Equal(t, 400, b.send("/lead/", body), body)
	}
	require.Empty(t, b.List("lead"))
}

// Only what the new type can hold is there from the start of a conversion.
func TestFault_S23_WhatDoesNotFitTheNewTypeGoes(t *testing.T) {
	b := setup(t, Options{ConvertDelay: time.Minute})
	id, err := b.AddCustomField("lead", obj{"name": "Size", "type": "text"})
	require.NoError(t, err)
	key := customPrefix + id
	fits, not := b.newLead(obj{"name": "A", key: "12.5"}), b.newLead(obj{"name": "B", key: "a dozen"})
	b.ok("PUT", "/custom_field/lead/"+id+"/", obj{"type": "number"})
	require.Equal(t, "12.5", b.ok("GET", "/lead/"+fits+"/", nil)[key])
	require.NotContains(t, b.ok("GET", "/lead/"+not+"/", nil), key)
	b.clock.Advance(time.Minute)
	require.EqualValues(t, 12.5, b.ok("GET", "/lead/"+fits+"/", nil)[key])
	b.ok("PUT", "/lead/"+not+"/", obj{key: 12})
}

// Leads are seeded whatever became of the fields they have values of.
func TestSeedMore_AfterChangesOfFields(t *testing.T) {
	b := setup(t, Options{Leads: 1})
	require.NoError(t, b.UpdateCustomField(b.CustomField("lead", "Segment"), obj{"choices": []any{}}))
	require.NoError(t, b.UpdateCustomField(b.CustomField("lead", "Tags"), obj{"type": "text"}))
	require.NoError(t, b.UpdateCustomField(b.CustomField("lead", "Seats"), obj{"type": "choices"}))
	require.Equal(t, 4, b.SeedMore(3))
	require.Len(t, b.List("lead"), 4)
	require.Equal(t, 4, b.Count("lead"))
}

// A merge ends when it is due, whenever somebody looks next.
func TestMerge_IsDatedByItsEnd(t *testing.T) {
	b := setup(t, Options{MergeDelay: 5 * time.Minute})
	from, to := b.newLead(obj{"name": "A"}), b.newLead(obj{"name": "B"})
	b.ok("POST", "/lead/merge/", obj{"source": from, "destination": to})
	b.clock.Advance(time.Hour)
	merged := b.events("object_type=lead&action=merged")[0]
	require.Equal(t, zoneless(micros(start.Add(5*time.Minute))), merged["date_updated"])
	require.Equal(t, zoned(micros(start.Add(5*time.Minute))), b.ok("GET", "/lead/"+to+"/", nil)["date_updated"])
}
