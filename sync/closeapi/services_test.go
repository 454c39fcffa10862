package closeapi

import (
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

func roundTrip[T any](t *testing.T, file string) {
	t.Helper()
	in := sample(t, file)
	v, err := decodeInto[T](RawMessage(in))
	require.NoError(t, err, file)
	out, err := json.Marshal(v)
	require.NoError(t, err, file)
	require.JSONEq(t, in, string(out), file)
}

func TestUnknownFieldsSurviveARoundTrip(t *testing.T) {
	roundTrip[Lead](t, "lead.json")
	roundTrip[Contact](t, "contact.json")
	roundTrip[Opportunity](t, "opportunity.json")
	roundTrip[CustomFieldSchema](t, "custom-field-schema-lead.json")
	roundTrip[struct {
		Data    []Webhook `json:"data"`
		HasMore bool      `json:"has_more"`
	}](t, "webhook-subscription-list.json")
	roundTrip[Me](t, "me.json")
	roundTrip[struct {
		Data           []Event `json:"data"`
		CursorNext     *string `json:"cursor_next"`
		CursorPrevious *string `json:"cursor_previous"`
	}](t, "event-list.json")
}

func TestReferenceData(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	for path, file := range map[string]string{
		"me/": "me.json", "user/": "users.json", "pipeline/": "pipelines.json", "status/lead/": "lead-statuses.json",
		"status/opportunity/": "opportunity-statuses.json", "custom_field/lead/": "custom-fields-lead.json",
		"custom_field_schema/lead/": "custom-field-schema-lead.json",
	} {
		b.on(path, answer(200, sample(t, file)))
	}
	me, err := b.Me(ctx)
	require.NoError(t, err)
	require.True(t, me.Memberships[0].May("view_all_leads"))
	users, err := b.Users(ctx)
	require.NoError(t, err)
	require.Equal(t, "Tomas", users[0].FirstName)
	pipes, err := b.Pipelines(ctx)
	require.NoError(t, err)
	require.Equal(t, "won", pipes[0].Statuses[2].Kind())
	require.Equal(t, time.UTC, pipes[0].DateCreated.Location())
	leads, err := b.LeadStatuses(ctx)
	require.NoError(t, err)
	require.Len(t, leads, 3)
	opps, err := b.OpportunityStatuses(ctx)
	require.NoError(t, err)
	require.Equal(t, "lost", opps[2].Kind())
	fields, err := b.CustomFields(ctx, "lead")
	require.NoError(t, err)
	require.Equal(t, "hidden", fields[0].Type)
	schema, err := b.CustomFieldSchema(ctx, "lead")
	require.NoError(t, err)
	require.True(t, schema.Fields[1].IsShared)
}

func TestServicesSendAndDecode(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	var got []string
	b.mux.HandleFunc("/api/v1/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path[len("/api/v1"):]+" "+string(body))
		answer(200, `{"id":"x_1","signature_key":"abcd"}`)(w, r)
	})
	value := int64(599700)
	steps := []struct {
		call func() error
		want string
	}{
		{func() error { _, err := b.Leads().Create(ctx, NewLead{Name: "A"}); return err }, `POST /lead/ {"name":"A"}`},
		{func() error { return b.Leads().Merge(ctx, "lead_a", "lead_b") }, `POST /lead/merge/ {"destination":"lead_b","source":"lead_a"}`},
		{func() error { _, err := b.Contacts().Create(ctx, "lead_a", ContactFields{Name: "B"}); return err }, `POST /contact/ {"lead_id":"lead_a","name":"B"}`},
		{func() error {
			_, err := b.Opportunities().Create(ctx, "lead_a", OpportunityFields{Value: &value})
			return err
		}, `POST /opportunity/ {"lead_id":"lead_a","value":599700}`},
		{func() error { _, err := b.Tasks().Create(ctx, "lead_a", TaskFields{Text: "T"}); return err }, `POST /task/ {"_type":"lead","lead_id":"lead_a","text":"T"}`},
		{func() error {
			_, err := b.Leads().Update(ctx, "lead_a", Changes{"custom.cf_x.add": "v"})
			return err
		}, `PUT /lead/lead_a/ {"custom.cf_x.add":"v"}`},
		{func() error { return b.Contacts().Delete(ctx, "cont_a") }, `DELETE /contact/cont_a/ `},
		{func() error {
			_, err := b.Webhooks().Update(ctx, "whsub_a", Changes{"status": "active"})
			return err
		}, `PUT /webhook/whsub_a/ {"status":"active"}`},
		{func() error {
			_, err := b.Webhooks().Create(ctx, NewWebhook{URL: "https://x.example", Events: []WebhookEvent{{ObjectType: "lead", Action: "merged"}}})
			return err
		}, `POST /webhook/ {"url":"https://x.example","events":[{"object_type":"lead","action":"merged"}]}`},
		{func() error { _, err := b.UpdateCustomField(ctx, "lead", "cf_a", Changes{"name": "N"}); return err }, `PUT /custom_field/lead/cf_a/ {"name":"N"}`},
		{func() error { return b.DeleteCustomField(ctx, "lead", "cf_a") }, `DELETE /custom_field/lead/cf_a/ `},
		{func() error { _, err := b.ExportLeads(ctx, LeadExport{Format: "json", Type: "leads"}); return err }, `POST /export/lead/ {"format":"json","type":"leads","send_done_email":false}`},
	}
	for i, s := range steps {
		require.NoError(t, s.call(), s.want)
		require.Equal(t, s.want, got[i])
	}
	hook, err := b.Webhooks().Get(ctx, "whsub_a")
	require.NoError(t, err)
	require.Equal(t, "abcd", hook.SignatureKey.Reveal())
}

// asSent is a request's body without what Close's own samples spell out and
// its documents call the default.
func asSent(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return string(out)
}

func sampleRequest(t *testing.T, file string) string {
	t.Helper()
	return regexp.MustCompile(`"negate": false,\s*`).ReplaceAllString(sample(t, file), "")
}

func TestRequestsAreWhatCloseDocuments(t *testing.T) {
	at := time.Date(2026, 11, 3, 10, 5, 59, 120e6, time.UTC)
	updated := RegularField("contact", "date_updated")
	query := And(ObjectType("contact"), Where(updated, Since(at)))
	search, err := SearchRequest{
		Query: query, Sort: []Sort{{Ascending, updated}}, Limit: 100, IncludeCounts: true,
		Fields: map[string][]string{"contact": {"id", "lead_id", "name", "title", "emails", "phones", "urls", "date_created", "date_updated", "custom"}},
	}.body()
	require.NoError(t, err)
	require.JSONEq(t, sampleRequest(t, "search-request.json"), asSent(t, search))
	raw, err := SearchRequest{RawQuery: RawMessage(`{"type":"match_all","x":9007199254740993}`)}.body()
	require.NoError(t, err)
	require.JSONEq(t, `{"query":{"type":"match_all","x":9007199254740993}}`, asSent(t, raw))
	require.JSONEq(t, sampleRequest(t, "export-lead-request.json"), asSent(t, LeadExport{Format: "json", Type: "leads", Query: query}))

	text := func(s string) *string { return &s }
	require.JSONEq(t, sample(t, "lead-create-request.json"), asSent(t, NewLead{
		Name: "Brackwater Logistics", URL: "https://brackwater.example", Description: "Regional haulage firm",
		StatusID: "stat_bFFHiCv1JtcdMoCkcXSUyQBiAXqozAZdyhWYNfZwRJh",
		Addresses: []Address{{Label: text("business"), Address1: text("12 Quay Road"), City: text("Oakland"),
			State: text("CA"), Zipcode: text("94607"), Country: text("US")}},
		Contacts: []ContactFields{{Name: "Ines Okafor", Title: "Head of Operations",
			Emails: []ContactEmail{{Email: "ines@brackwater.example", Type: "office"}},
			Phones: []ContactPhone{{Phone: "+14155550142", Type: "mobile"}}}},
		Extra: Extra{"custom.cf_Iba9IOQD1630CUrCRAUaFnYVKwQzpLUCadT2rIhEhvL": jsontext.Value(`"acct-4471"`)},
	}))
	require.JSONEq(t, sample(t, "lead-update-request.json"), asSent(t, Changes{
		"status_id": "stat_yj5PzSJxkKIv6IK652wFQsVFOs3CfYlcdgDs25sPddT",
		"custom.cf_lb5O7nbncTIsHVcQXPQjWJQh3qb38JzfqfB8mEfQSe8":     nil,
		"custom.cf_tfSgAvA2sGTSYqDfrCs6SiQdPwVhC6Zz8oXkS0ap5sB.add": "trial",
	}))
	value, confidence := int64(1250000), 60
	var created any = struct {
		LeadID string `json:"lead_id"`
		OpportunityFields
	}{"lead_kTSOsq63Hvzl8IBtPnRNbzoc51FeogdvbzDp8mFmQp5", OpportunityFields{
		ContactID: "cont_MGKAuWfpTbmRsHdRXfr8nBNXYK7Gh5Qhy50B7P6nLsb", UserID: "user_oraZB3DO7GWIQtUlmOS6ECJSRO5k0A8Uci0qRhSBHpv",
		StatusID: "stat_1MQh4NmWI1YxNOkWft1K6iG3tTwZk7bcctMFyW8DgKa", Value: &value, ValuePeriod: "annual", Confidence: &confidence,
		Note: "Renewal of the fleet contract", Extra: Extra{"custom.cf_6tHqlqMfjB0tkgqXoa72GgcX5kSDzFVqmgIfOhu0VEt": jsontext.Value(`"deal-00917"`)},
	}}
	require.JSONEq(t, sample(t, "opportunity-create-request.json"), asSent(t, created))
}

func TestSearchBuilder(t *testing.T) {
	ten := 10.0
	at := time.Date(2026, 11, 3, 10, 5, 59, 120e6, time.UTC)
	for want, n := range map[string]Node{
		`{"type":"and","queries":[]}`:                        And(),
		`{"type":"or","queries":[{"type":"match_all"}]}`:     Or(MatchAll()),
		`{"type":"id","value":"lead_1","negate":true}`:       Not(ByID("lead_1")),
		`{"type":"id","value":"lead_1","negate":false}`:      Not(Not(ByID("lead_1"))),
		`{"type":"text","value":"a","mode":"full_words"}`:    Text("a", FullWords),
		`{"type":"saved_search","saved_search_id":"save_1"}`: SavedSearch("save_1"),
		`{"type":"zzz"}`: RawNode(`{"type":"zzz"}`),
		`{"type":"has_related","this_object_type":"contact","related_object_type":"contact_email","related_query":{"type":"match_all"}}`: HasRelated("contact", "contact_email", MatchAll()),
		`{"type":"field_condition","field":{"type":"custom_field","custom_field_id":"cf_1"},"condition":{"type":"exists"}}`:              Where(CustomField("cf_1"), Exists()),
	} {
		out, err := json.Marshal(n)
		require.NoError(t, err)
		require.JSONEq(t, want, string(out))
	}
	for want, c := range map[string]Condition{
		`{"type":"boolean","value":true}`:                                        IsBool(true),
		`{"type":"current_user"}`:                                                IsCurrentUser(),
		`{"type":"text","value":"a","mode":"phrase"}`:                            HasText("a", Phrase),
		`{"type":"term","values":["won"]}`:                                       IsTerm("won"),
		`{"type":"reference","reference_type":"status.lead","object_ids":["s"]}`: Refers("status.lead", "s"),
		`{"type":"number_range","gte":10}`:                                       InRange(Bounds{Gte: &ten}),
		`{"type":"moment_range","on_or_after":{"type":"fixed_utc","value":"2026-11-03T10:05:59.120000+00:00"},"before":{"type":"now"}}`:                                                                                                         InMoments(At(at), AtNow()),
		`{"type":"moment_range","before":{"type":"fixed_local_date","value":"2026-11-03","which":"end"}}`:                                                                                                                                       InMoments(nil, OnDate("2026-11-03", EndOfDay)),
		`{"type":"number_range","gt":10,"lt":10,"lte":10}`:                                                                                                                                                                                      InRange(Bounds{Gt: &ten, Lt: &ten, Lte: &ten}),
		`{"type":"moment_range","on_or_after":{"type":"offset","direction":"past","moment":{"type":"now"},"offset":{"years":0,"months":0,"weeks":0,"days":1,"hours":0,"minutes":0,"seconds":0},"which_day_end":"start"}}`:                       InMoments(Past(AtNow(), Offset{Days: 1}, StartOfDay), nil),
		`{"type":"moment_range","before":{"type":"offset","direction":"future","moment":{"type":"fixed_utc","value":"2026-11-03T10:05:59.120000+00:00"},"offset":{"years":0,"months":2,"weeks":0,"days":0,"hours":0,"minutes":0,"seconds":0}}}`: InMoments(nil, Future(At(at), Offset{Months: 2}, "")),
		`{"type":"term","values":[]}`: IsTerm(),
		`{"x":1}`:                     RawCondition(`{"x":1}`),
	} {
		out, err := json.Marshal(c)
		require.NoError(t, err)
		require.JSONEq(t, want, string(out))
	}
}

// Close has written what it answered to, whatever that looks like.
func TestWrites_AnAnswerThatCannotBeDecodedIsAnUnknownOutcome(t *testing.T) {
	b := setup(t)
	b.on("lead/", answer(200, `{"id":7}`))
	b.on("lead/lead_1/", answer(200, `{"id":"lead_1","addresses":"none"}`))
	var unknown *UnknownOutcomeError
	_, err := b.Leads().Create(t.Context(), NewLead{Name: "A"})
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "POST lead/", unknown.Method+" "+unknown.Path)
	_, err = b.Leads().Update(t.Context(), "lead_1", Changes{"name": "B"})
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "PUT lead/lead_1/", unknown.Method+" "+unknown.Path)
	_, err = b.Leads().Get(t.Context(), "lead_1")
	require.Error(t, err)
	require.NotErrorAs(t, err, &unknown, "a read changes nothing")
}
