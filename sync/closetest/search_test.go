package closetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func is(kind string) obj { return obj{"type": "object_type", "object_type": kind} }

func and(nodes ...any) obj { return obj{"type": "and", "queries": nodes} }

func onField(kind, name string, condition obj) obj {
	return obj{"type": "field_condition", "field": obj{"type": "regular_field", "object_type": kind, "field_name": name}, "condition": condition}
}

func onCustom(id string, condition obj) obj {
	return obj{"type": "field_condition", "field": obj{"type": "custom_field", "custom_field_id": id}, "condition": condition}
}

func since(us int64) obj {
	return obj{"type": "moment_range", "on_or_after": obj{"type": "fixed_utc", "value": zoned(us)}}
}

func sortBy(kind, name, direction string) []any {
	return []any{obj{"direction": direction, "field": obj{"type": "regular_field", "object_type": kind, "field_name": name}}}
}

func negated(q obj) obj {
	q["negate"] = true
	return q
}

func TestSearch_Nodes(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	tags, seats := b.CustomField("lead", "Tags"), b.CustomField("lead", "Seats")
	a := b.newLead(obj{"name": "Alpha Works", "url": "alpha.example", "custom." + tags: []any{"eu", "trial"}, "custom." + seats: 40,
		"contacts": []any{obj{"name": "Ines", "emails": []any{obj{"email": "ines@a.example"}}}}})
	c := b.newLead(obj{"name": "Beta", "status_id": b.cat.leadStatuses[1].id, "addresses": []any{obj{"city": "Oakland"}}})
	b.ok("POST", "/opportunity/", obj{"lead_id": c, "value": 5})
	both := []string{a, c}
	saved := b.SaveSearch(obj{"type": "id", "value": a})
	text := func(v, mode string) obj { return obj{"type": "text", "value": v, "mode": mode} }
	for _, tt := range []struct {
		name string
		q    obj
		want []string
	}{
		{"all", is("lead"), both},
		{"match_all", and(is("lead"), obj{"type": "match_all"}), both},
		{"id", and(is("lead"), obj{"type": "id", "value": a}), []string{a}},
		{"negated id", and(is("lead"), negated(obj{"type": "id", "value": a})), []string{c}},
		{"or", and(is("lead"), obj{"type": "or", "queries": []any{obj{"type": "id", "value": a}, obj{"type": "id", "value": c}}}), both},
		{"text node", and(is("lead"), obj{"type": "text", "value": "alpha", "mode": "full_words"}), []string{a}},
		{"text words", and(is("lead"), onField("lead", "display_name", text("works alpha", "full_words"))), []string{a}},
		{"text part of word", and(is("lead"), onField("lead", "display_name", text("alp", "full_words"))), []string{}},
		{"text beginning", and(is("lead"), onField("lead", "display_name", text("alp", "beginning_of_words"))), []string{a}},
		{"text phrase", and(is("lead"), onField("lead", "display_name", text("alpha works", "phrase"))), []string{a}},
		{"exists", and(is("lead"), onField("lead", "url", obj{"type": "exists"})), []string{a}},
		{"reference", and(is("lead"), onField("lead", "status_id", obj{"type": "reference", "reference_type": "status.lead", "object_ids": []any{b.cat.leadStatuses[1].id}})), []string{c}},
		{"current user", and(is("lead"), onField("lead", "created_by", obj{"type": "current_user"})), both},
		{"term in multi-value", and(is("lead"), onCustom(tags, obj{"type": "term", "values": []any{"eu"}})), []string{a}},
		{"number_range", and(is("lead"), onCustom(seats, obj{"type": "number_range", "gte": 40, "lt": 41})), []string{a}},
		{"number_range none", and(is("lead"), onCustom(seats, obj{"type": "number_range", "gt": 40})), []string{}},
		{"count field", and(is("lead"), onField("lead", "addresses_count", obj{"type": "number_range", "gte": 1})), []string{c}},
		{"related contact", and(is("lead"), obj{"type": "has_related", "this_object_type": "lead", "related_object_type": "contact",
			"related_query": onField("contact", "display_name", text("ines", "full_words"))}), []string{a}},
		{"related e-mail below contact", and(is("lead"), obj{"type": "has_related", "this_object_type": "lead", "related_object_type": "contact",
			"related_query": obj{"type": "has_related", "this_object_type": "contact", "related_object_type": "contact_email",
				"related_query": onField("contact_email", "email", text("ines@a.example", "phrase"))}}), []string{a}},
		{"related address", and(is("lead"), obj{"type": "has_related", "this_object_type": "lead", "related_object_type": "address",
			"related_query": onField("address", "city", text("oakland", "full_words"))}), []string{c}},
		{"related opportunity", and(is("lead"), obj{"type": "has_related", "this_object_type": "lead", "related_object_type": "opportunity",
			"related_query": onField("opportunity", "status_type", obj{"type": "term", "values": []any{"active"}})}), []string{c}},
		{"saved search", and(is("lead"), obj{"type": "saved_search", "saved_search_id": saved}), []string{a}},
		{"all urls", and(is("lead"), onField("lead", "all_urls_count", obj{"type": "number_range", "gte": 1})), []string{a}},
		{"since the start of this day", and(is("lead"), onField("lead", "date_created", obj{"type": "moment_range",
			"on_or_after": obj{"type": "offset", "direction": "past", "moment": obj{"type": "now"}, "offset": obj{}, "which_day_end": "start"}})), both},
		{"since the end of this day", and(is("lead"), onField("lead", "date_created", obj{"type": "moment_range",
			"on_or_after": obj{"type": "offset", "direction": "past", "moment": obj{"type": "now"}, "offset": obj{}, "which_day_end": "end"}})), []string{}},
		{"past day", and(is("lead"), onField("lead", "date_created", obj{"type": "moment_range",
			"on_or_after": obj{"type": "offset", "direction": "past", "moment": obj{"type": "now"}, "offset": obj{"days": 1}}, "before": nil})), both},
		{"before yesterday", and(is("lead"), onField("lead", "date_created", obj{"type": "moment_range",
			"before": obj{"type": "fixed_local_date", "value": "2026-11-19", "which": "end"}})), []string{}},
	} {
		got := b.ok("POST", "/data/search/", obj{"query": tt.q})
		require.ElementsMatch(t, tt.want, ids(got), tt.name)
	}
	b.bad(400, "POST", "/data/search/", obj{"query": obj{"type": "guess"}})
	b.bad(400, "POST", "/data/search/", obj{"query": obj{"type": "saved_search", "saved_search_id": "save_none"}})
	b.bad(400, "POST", "/data/search/", obj{"query": is("lead"), "_limit": 201})
	b.bad(400, "POST", "/data/search/", obj{"query": is("lead"), "sort": sortBy("lead", "status_id", "asc")})
}

func TestSearch_KeysetWalkSeesAll(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 450})
	seen := map[string]bool{}
	at := int64(0)
	for pages := 0; pages < 10; pages++ {
		got := b.ok("POST", "/data/search/", obj{"_limit": 200, "include_counts": true, "sort": sortBy("lead", "date_created", "asc"),
			"query": and(is("lead"), onField("lead", "date_created", since(at))), "_fields": obj{"lead": []any{"date_created", "contacts", "opportunities"}}})
		hits := rows(got)
		last := hits[len(hits)-1]
		require.Len(t, last["contacts"], 2)
		require.Len(t, last["opportunities"], 1)
		for _, h := range hits {
			seen[h["id"].(string)] = true
		}
		if got["cursor"] == nil {
			break
		}
		at, _ = parseInstant(last["date_created"].(string))
	}
	require.Len(t, seen, 450)
}

func TestSearch_SortAndCounts(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 30})
	all := b.ok("POST", "/data/search/", obj{"query": is("lead"), "sort": sortBy("lead", "date_updated", "desc"), "include_counts": true, "results_limit": 20})
	require.Len(t, rows(all), 20)
	require.Nil(t, all["cursor"])
	require.Equal(t, obj{"limited": 20.0, "total": 30.0}, all["count"])
	require.Equal(t, b.List("lead")[29]["id"], ids(all)[0])
	none := b.ok("POST", "/data/search/", obj{"query": is("lead"), "include_counts": true, "results_limit": 0})
	require.Empty(t, rows(none))
	require.EqualValues(t, 30, none["count"].(obj)["total"])
	byName := b.ok("POST", "/data/search/", obj{"query": is("lead"), "sort": sortBy("lead", "display_name", "asc"), "_fields": obj{"lead": []any{"display_name"}}})
	require.Equal(t, "Brackwater 10", rows(byName)[1]["display_name"])
}

func TestFault_A22_CursorDiesAfter30Seconds(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 5})
	body := obj{"query": is("lead"), "_limit": 2}
	c := b.ok("POST", "/data/search/", body)["cursor"]
	require.NotNil(t, c)
	body["cursor"] = c
	b.clock.Advance(30 * time.Second)
	b.ok("POST", "/data/search/", body)
	b.clock.Advance(time.Second)
	bad := b.bad(400, "POST", "/data/search/", body)
	require.Contains(t, bad["error"], "cursor has expired")
}

func TestFault_A23_TenThousandCap(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 10_050, ContactsPerLead: -1, OpportunitiesPerLead: -1})
	body, n := obj{"query": is("lead"), "_limit": 200}, 0
	for {
		got := b.ok("POST", "/data/search/", body)
		n += len(rows(got))
		if got["cursor"] == nil {
			break
		}
		body["cursor"] = got["cursor"]
	}
	require.Equal(t, 10_000, n)
}

func TestFault_A27_IndexLags(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{IndexLag: time.Minute})
	id := b.newLead(obj{"name": "A"})
	find := func() []obj {
		return rows(b.ok("POST", "/data/search/", obj{"query": is("lead"), "_fields": obj{"lead": []any{"name"}}}))
	}
	require.Empty(t, find())
	b.ok("GET", "/lead/"+id+"/", nil)
	b.clock.Advance(time.Minute)
	require.Len(t, find(), 1)
	b.ok("PUT", "/lead/"+id+"/", obj{"name": "B"})
	require.Equal(t, "A", find()[0]["name"])
	b.clock.Advance(time.Minute)
	require.Equal(t, "B", find()[0]["name"])
	require.NoError(t, b.Delete(id))
	require.Len(t, find(), 1, "search still shows what is deleted")
	b.clock.Advance(time.Minute)
	require.Empty(t, find())
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 30})
	oldest := b.List("lead")[0]["id"].(string)
	b.clock.Advance(time.Second)
	b.ok("PUT", "/lead/"+oldest+"/", obj{"name": "Moved"})
	page := b.ok("GET", "/lead/?_limit=10&_fields=id,custom", nil)
	require.Equal(t, oldest, ids(page)[0], "newest date_updated first")
	require.Equal(t, true, page["has_more"])
	require.EqualValues(t, 30, page["total_results"])
	require.NotContains(t, rows(page)[1], "name")
	require.Greater(t, len(rows(page)[1]), 3)
	last := b.ok("GET", "/lead/?_limit=10&_skip=25", nil)
	require.Len(t, rows(last), 5)
	require.Equal(t, false, last["has_more"])
	require.Empty(t, rows(b.ok("GET", "/lead/?_skip=500", nil)))
	require.Len(t, rows(b.ok("GET", "/contact/?lead_id="+oldest, nil)), 2)
	require.NotContains(t, b.ok("GET", "/contact/", nil), "total_results")
	require.Equal(t, []string{oldest}, ids(b.ok("GET", "/lead/?query=moved", nil)))
	b.bad(400, "GET", "/lead/?_limit=201", nil)
	over := b.ok("POST", "/lead/", obj{"_params": obj{"_limit": 3}}, "x-http-method-override", "GET")
	require.Len(t, rows(over), 3)
}

func TestOpportunityList(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 30})
	o := b.List("opportunity")[3]["id"].(string)
	before := zoned(b.nowMicros())[:19] + "Z"
	b.clock.Advance(time.Second)
	b.ok("PUT", "/opportunity/"+o+"/", obj{"status_id": b.cat.pipelines[0].statuses[2].id, "value": 77})
	require.Equal(t, []string{o}, ids(b.ok("GET", "/opportunity/?date_updated__gte="+before+"&_order_by=date_updated", nil)))
	require.Equal(t, []string{o}, ids(b.ok("GET", "/opportunity/?status_type=won", nil)))
	require.Len(t, rows(b.ok("GET", "/opportunity/?status_type__in=won,active", nil)), 30)
	require.Equal(t, []string{o}, ids(b.ok("GET", "/opportunity/?date_won__gte=2026-11-20", nil)))
	require.Equal(t, o, ids(b.ok("GET", "/opportunity/?_order_by=value", nil))[0])
	byUpdate := ids(b.ok("GET", "/opportunity/?_order_by=-date_updated&_limit=250", nil))
	require.Equal(t, o, byUpdate[0])
	require.Equal(t, b.List("opportunity")[29]["id"], ids(b.ok("GET", "/opportunity/?_order_by=guess", nil))[0], "newest first")
	sum := b.ok("GET", "/opportunity/?lead_id="+b.List("lead")[0]["id"].(string), nil)
	requireShape(t, sample(t, "opportunity-list"), sum, "$")
	require.EqualValues(t, 101000, sum["total_value_annual"])
	lead := b.List("lead")[4]
	saved := b.SaveSearch(obj{"type": "id", "value": lead["id"]})
	for query, want := range map[string]int{
		"organization_id=" + b.OrganizationID(): 30, "organization_id=orga_x": 0, "lead_saved_search_id=" + saved: 1,
		"lead_saved_search_id=save_none": 0, "query=brackwater+5": 1, "status_label__in=Won,Lost": 1, "status=Won": 1, "value_period__in=annual": 30,
	} {
		require.Len(t, rows(b.ok("GET", "/opportunity/?"+query, nil)), want, query)
	}
	require.Empty(t, b.Violations())
}
