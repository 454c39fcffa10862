package closeapi

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
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
		`{"type":"moment_range","on_or_after":{"type":"fixed_utc","value":"2026-11-03T10:05:59.120000+00:00"},"before":{"type":"now"}}`: InMoments(At(at), AtNow()),
		`{"type":"moment_range","before":{"type":"fixed_local_date","value":"2026-11-03","which":"end"}}`:                               InMoments(nil, OnDate("2026-11-03", EndOfDay)),
		`{"x":1}`: RawCondition(`{"x":1}`),
	} {
		out, err := json.Marshal(c)
		require.NoError(t, err)
		require.JSONEq(t, want, string(out))
	}
}
