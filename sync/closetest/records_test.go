package closetest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLead_Defaults(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	lead := b.ok("POST", "/lead/", obj{})
	require.Nil(t, lead["name"])
	require.Equal(t, "Untitled", lead["display_name"])
	require.Equal(t, b.cat.leadStatuses[0].id, lead["status_id"])
	require.Equal(t, "Potential", lead["status_label"])
	lead = b.ok("POST", "/lead/", obj{"contacts": []any{obj{"name": "Ines"}}})
	require.Equal(t, "Ines", lead["display_name"])
	require.Len(t, lead["contacts"], 1)
	require.NotContains(t, lead, "contact_ids")
	asked := b.ok("GET", "/lead/"+lead["id"].(string)+"/?_fields=id,contact_ids", nil)
	require.Len(t, asked, 2)
	require.Len(t, asked["contact_ids"], 1)
	require.Len(t, b.events("object_type=lead&action=created")[0]["data"].(obj)["contact_ids"], 1)
}

func TestPut_IsPatch(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	id := b.newLead(obj{"name": "A", "description": "d", "url": "a.example", "contacts": []any{obj{"name": "Ines"}}})
	b.clock.Advance(time.Second)
	lead := b.ok("PUT", "/lead/"+id+"/", obj{"description": nil, "addresses": []any{obj{"city": " Oakland "}}, "contacts": []any{}})
	require.Equal(t, "A", lead["name"])
	require.Nil(t, lead["description"])
	require.Equal(t, "http://a.example", lead["url"])
	require.Equal(t, "Oakland", lead["addresses"].([]any)[0].(obj)["city"])
	require.Len(t, lead["contacts"], 1, "contacts of a PUT are not applied")
	require.Len(t, b.Violations(), 1)
}

func TestPut_NoopIsSilent(t *testing.T) {
	t.Parallel()
	for _, touches := range []bool{false, true} {
		b := setup(t, Options{NoopTouches: touches})
		lead := b.ok("POST", "/lead/", obj{"name": "A"})
		b.clock.Advance(time.Minute)
		again := b.ok("PUT", "/lead/"+lead["id"].(string)+"/", obj{"name": " A "})
		require.Equal(t, touches, lead["date_updated"] != again["date_updated"])
		require.Equal(t, touches, len(b.events("")) == 2)
	}
}

func TestNormalisers(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	lead := b.newLead(obj{"name": "A"})
	body := obj{"lead_id": lead, "name": " Ines  ", "title": "",
		"emails": []any{obj{"email": " Ines@Brackwater.Example "}},
		"phones": []any{obj{"phone": "(415) 555-0142", "type": "mobile"}, obj{"phone": "+49 30 1234567"}},
		"urls":   []any{obj{"url": "social.example/ines"}}}
	c := b.ok("POST", "/contact/", body)
	require.Equal(t, "Ines", c["name"])
	require.Nil(t, c["title"])
	require.Equal(t, []any{obj{"email": "ines@brackwater.example", "type": "office", "is_unsubscribed": false}}, c["emails"])
	require.Equal(t, []any{
		obj{"phone": "+14155550142", "phone_formatted": "+1 415-555-0142", "type": "mobile", "country": "US"},
		obj{"phone": "+49301234567", "phone_formatted": "+49 301234567", "type": "office", "country": "DE"}}, c["phones"])
	require.Equal(t, "http://social.example/ines", c["urls"].([]any)[0].(obj)["url"])
	again := b.ok("PUT", "/contact/"+c["id"].(string)+"/", obj{"emails": c["emails"], "phones": c["phones"], "urls": c["urls"], "name": c["name"]})
	require.Equal(t, c, again, "sending back what was read changes nothing")

	bad := b.bad(400, "PUT", "/contact/"+c["id"].(string)+"/", obj{"emails": []any{obj{"email": "nobody"}}})
	require.Contains(t, bad["field-errors"], "emails")
	b.bad(400, "PUT", "/contact/"+c["id"].(string)+"/", obj{"name": strings.Repeat("x", 2000)})
	b.ok("PUT", "/contact/"+c["id"].(string)+"/", obj{"emails": []any{}})
}

func TestOpportunity_StatusSideEffects(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	lead, p := b.newLead(obj{"name": "A"}), b.cat.pipelines
	o := b.ok("POST", "/opportunity/", obj{"lead_id": lead, "value": 1250000, "value_period": "monthly", "confidence": 60, "note": "a & b"})
	path := "/opportunity/" + o["id"].(string) + "/"
	require.Equal(t, b.admin.userID, o["user_id"])
	require.Equal(t, p[0].statuses[0].id, o["status_id"])
	require.Equal(t, "€12,500 monthly", o["value_formatted"])
	require.EqualValues(t, 15000000, o["annualized_value"])
	require.EqualValues(t, 750000, o["expected_value"])
	require.Equal(t, "<body><p>a &amp; b</p></body>", o["note_html"])

	won := b.ok("PUT", path, obj{"status_id": p[0].statuses[2].id}, "x-tz-offset", "-9")
	require.Equal(t, "won", won["status_type"])
	require.EqualValues(t, 100, won["confidence"])
	require.Equal(t, "2026-11-19", won["date_won"], "today in the caller's zone")
	open := b.ok("PUT", path, obj{"status_id": p[1].statuses[0].id, "confidence": 20})
	require.Equal(t, "2026-11-19", open["date_won"], "not cleared on reopening")
	require.Equal(t, "Renewals", open["pipeline_name"])
	require.EqualValues(t, 20, open["confidence"])

	rich := b.ok("PUT", path, obj{"note_html": "<body><p>x <b>y</b></p></body>", "note": "loses"})
	require.Equal(t, "x y", rich["note"])
	require.Nil(t, b.ok("PUT", path, obj{"note_html": nil})["note"])
	require.Nil(t, b.ok("PUT", path, obj{"value": nil})["value_formatted"])
	b.bad(400, "PUT", path, obj{"value": "12"})
	b.bad(400, "PUT", path, obj{"status_id": "stat_none"})
	b.bad(400, "POST", "/opportunity/", obj{"lead_id": lead, "pipeline_id": p[1].id, "status_id": p[0].statuses[0].id})
	got := b.ok("POST", "/opportunity/", obj{"lead_id": lead, "pipeline_id": p[1].id})
	require.Equal(t, p[1].statuses[0].id, got["status_id"])
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	id, err := b.Create("opportunity", obj{"lead_id": b.newLead(obj{}), "value": json.Number("9007199254740993")})
	require.NoError(t, err)
	m, _ := b.Get(id)
	require.Equal(t, json.Number("9007199254740993"), m["value"])
}

func TestLeadDelete_Cascades(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	lead := b.List("lead")[0]["id"].(string)
	require.Empty(t, b.ok("DELETE", "/lead/"+lead+"/", nil))
	require.Empty(t, b.List("contact"))
	require.Empty(t, b.List("opportunity"))
	es := b.events("lead_id=" + lead)
	require.Len(t, es, 4)
	for _, e := range es {
		require.Equal(t, "deleted", e["action"])
		require.Nil(t, e["data"])
		require.Equal(t, es[0]["request_id"], e["request_id"])
		require.Equal(t, e["object_id"], e["previous_data"].(obj)["id"])
	}
	require.Len(t, es[3]["previous_data"].(obj)["contact_ids"], 2)
	b.bad(404, "DELETE", "/lead/"+lead+"/", nil)
}

func TestContactDelete_EmptiesOpportunity(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	o := b.List("opportunity")[0]
	b.ok("DELETE", "/contact/"+o["contact_id"].(string)+"/", nil)
	m, _ := b.Get(o["id"].(string))
	require.Nil(t, m["contact_id"])
	require.Nil(t, m["contact_name"])
	require.Equal(t, o["contact_id"], b.events("object_type=opportunity&action=updated")[0]["previous_data"].(obj)["contact_id"])
	require.Equal(t, []any{"contact_ids", "date_updated"}, b.events("object_type=lead&action=updated")[0]["changed_fields"])
}

func TestContact_Moves(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		b := setup(t, Options{Leads: 2, RefuseContactMove: refuse})
		c := b.List("contact")[0]
		to := b.List("lead")[1]["id"].(string)
		code, out, _ := b.do("PUT", "/contact/"+c["id"].(string)+"/", obj{"lead_id": to})
		if refuse {
			require.Equal(t, 400, code)
			continue
		}
		require.Equal(t, to, out["lead_id"])
		require.Len(t, b.List("lead")[1]["contacts"], 3)
		require.Len(t, b.List("lead")[0]["contacts"], 1)
		e := b.events("object_type=contact&action=updated")[0]
		require.Equal(t, c["lead_id"], e["previous_data"].(obj)["lead_id"])
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 2, MergeDelay: time.Minute})
	src, dst := b.List("lead")[0], b.List("lead")[1]
	require.Empty(t, b.ok("POST", "/lead/merge/", obj{"source": src["id"], "destination": dst["id"]}))
	b.ok("GET", "/lead/"+src["id"].(string)+"/", nil)
	list := rows(b.ok("GET", "/activity/lead_merge/?date_created__gte=2026-11-20", nil))
	require.Equal(t, "in_progress", list[0]["merge_status"])
	require.Len(t, b.events("object_type=lead_merge&action=created"), 1)
	b.clock.Advance(time.Minute)
	b.bad(404, "GET", "/lead/"+src["id"].(string)+"/", nil)
	require.Equal(t, "done", rows(b.ok("GET", "/activity/lead_merge/", nil))[0]["merge_status"])
	after, _ := b.Get(dst["id"].(string))
	require.Len(t, after["contacts"], 4)
	require.Len(t, after["opportunities"], 2)
	require.Equal(t, src["opportunities"].([]any)[0].(obj)["id"], after["opportunities"].([]any)[1].(obj)["id"])
	require.Equal(t, dst["name"], after["opportunities"].([]any)[1].(obj)["lead_name"])
	for _, e := range b.events("") {
		require.Equal(t, src["id"], e["meta"].(obj)["merge_source_lead_id"])
		require.Equal(t, dst["id"], e["meta"].(obj)["merge_destination_lead_id"])
	}
	require.Len(t, b.events("object_type=lead&action=merged"), 1)
	b.bad(400, "POST", "/lead/merge/", obj{"source": src["id"], "destination": dst["id"]})
}

func TestJunkLead_IsAViolation(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	c := b.ok("POST", "/contact/", obj{"name": "Ines"})
	lead, ok := b.Get(c["lead_id"].(string))
	require.True(t, ok)
	require.Equal(t, "Ines", lead["name"])
	require.Len(t, b.Violations(), 1)
	b.bad(400, "POST", "/contact/", obj{"name": "Ines", "lead_id": "lead_gone"})
}

func TestLeadDateUpdated_MovesForContactsAndTasksOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	lead := func() any { return b.List("lead")[0]["date_updated"] }
	was := lead()
	b.ok("PUT", "/opportunity/"+b.List("opportunity")[0]["id"].(string)+"/", obj{"confidence": 1})
	require.Equal(t, was, lead())
	b.ok("PUT", "/contact/"+b.List("contact")[0]["id"].(string)+"/", obj{"title": "x"})
	require.NotEqual(t, was, lead())
	require.Empty(t, b.events("object_type=lead&action=updated"))
	was = lead()
	b.clock.Advance(time.Second)
	b.ok("POST", "/task/", obj{"lead_id": b.List("lead")[0]["id"], "text": "x"})
	require.NotEqual(t, was, lead())
}

func TestLeadRename_ReachesOpportunities(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1})
	was := b.List("opportunity")[0]
	require.NoError(t, b.Update(b.List("lead")[0]["id"].(string), obj{"name": "New"}))
	is := b.List("opportunity")[0]
	require.Equal(t, "New", is["lead_name"])
	require.Equal(t, was["date_updated"], is["date_updated"])
}

func TestTasks_OnlyIncompleteNest(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	lead := b.newLead(obj{})
	task := b.ok("POST", "/task/", obj{"lead_id": lead, "text": "x", "date": "2026-11-25"})
	require.Equal(t, "2026-11-25", task["due_date"])
	b.ok("PUT", "/task/"+task["id"].(string)+"/", obj{"is_complete": true})
	m, _ := b.Get(lead)
	require.Empty(t, m["tasks"])
	require.Len(t, rows(b.ok("GET", "/task/?is_complete=true", nil)), 1)
	require.Equal(t, "task.lead", b.events("lead_id=" + lead)[0]["object_type"])
	require.Equal(t, "completed", b.events("lead_id=" + lead)[0]["action"])
	require.Empty(t, rows(b.ok("GET", "/task/?due_date__gte=2026-11-26", nil)))
	require.Len(t, rows(b.ok("GET", "/task/?due_date__lt=2026-11-26", nil)), 1)
	require.Empty(t, b.Violations())
}

func TestVisibility(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 4})
	admin := b.key
	b.key = b.AddKey(RoleRestricted)
	require.Empty(t, rows(b.ok("GET", "/lead/", nil)))
	mine := b.newLead(obj{"name": "Mine"})
	require.Equal(t, []string{mine}, ids(b.ok("GET", "/lead/", nil)))
	other := b.List("lead")[0]["id"].(string)
	b.bad(404, "GET", "/lead/"+other+"/", nil)
	b.bad(403, "DELETE", "/lead/"+mine+"/", nil)

	b.key = admin
	require.NoError(t, b.Hide(other, true))
	b.bad(404, "GET", "/lead/"+other+"/", nil)
	b.bad(404, "PUT", "/lead/"+other+"/", obj{"name": "x"})
	require.Len(t, rows(b.ok("GET", "/lead/", nil)), 4)
	require.Len(t, rows(b.ok("GET", "/contact/", nil)), 6)
	require.Len(t, rows(b.ok("POST", "/data/search/", obj{"query": obj{"type": "object_type", "object_type": "lead"}})), 4)
	require.NoError(t, b.Hide(other, false))
	b.ok("GET", "/lead/"+other+"/", nil)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.RevokeKey(b.key[:26], true)
	b.bad(401, "GET", "/me/", nil)
	b.RevokeKey(b.key[:26], false)
	b.ok("GET", "/me/", nil)
	b.key = b.AddKey(RoleUser)
	m := b.ok("GET", "/me/", nil)["memberships"].([]any)[0].(obj)
	require.Equal(t, RoleUser, m["role_id"])
	require.NotContains(t, m["permissions_granted"], "export")
}

func TestTransport_RefusedBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	send := func(body, mime string, chunked bool) int {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/lead/", strings.NewReader(body))
		r.SetBasicAuth(b.key, "")
		r.Header.Set("Content-Type", mime)
		if chunked {
			r.TransferEncoding = []string{"chunked"}
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, 200, send(`{}`, "application/json", false))
	require.Equal(t, 400, send(`{}`, "application/json", true))
	require.Equal(t, 400, send(`[]`, "application/json", false))
	require.Equal(t, 400, send(`{"name":NaN}`, "application/json", false))
	require.Equal(t, 415, send(`{}`, "text/plain", false))
	require.Len(t, b.Violations(), 1)
	b.bad(405, "PATCH", "/lead/"+b.List("lead")[0]["id"].(string)+"/", obj{})
}

func TestHistory(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.newLead(obj{"name": "A"})
	got := b.Requests()
	require.Len(t, got, 1)
	require.Equal(t, "POST lead", got[0].Group)
	require.Equal(t, `{"name":"A"}`, got[0].Body)
	require.Equal(t, b.key[:26], got[0].KeyID)
	require.Equal(t, 200, got[0].Status)
	b.ok("GET", "/contact/?date_updated__gt=2026-01-01", nil)
	require.Len(t, b.Violations(), 1, "an unknown filter is dropped silently but remembered")
	b.ResetRequests()
	require.Empty(t, b.Requests())
}
