package closetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCustomValues_ByType(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	contact := b.ok("POST", "/custom_field/lead/", obj{"name": "Main contact", "type": "contact"})["id"].(string)
	lead := b.ok("POST", "/lead/", obj{"contacts": []any{obj{"name": "Ines"}}})
	own := lead["contacts"].([]any)[0].(obj)["id"]
	path := "/lead/" + lead["id"].(string) + "/"
	for _, tt := range []struct {
		field    string
		in, want any // want nil: refused
	}{
		{"Region note", " x ", "x"}, {"Region note", 5, nil},
		{"External ID", " as is ", " as is "},
		{"Seats", 4.5, 4.5}, {"Seats", "4", nil},
		{"Renewal", "2027-03-31", "2027-03-31"}, {"Renewal", "soon", nil},
		{"Last review", "2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000000+00:00"},
		{"Segment", "Retail", "Retail"}, {"Segment", "Space", nil},
		{"Tags", []any{"eu", "eu", "trial"}, []any{"eu", "trial"}}, {"Tags", []any{"x"}, nil}, {"Tags", "eu", []any{"eu"}},
		{"Account owner", "Tomas Reyes", b.cat.users[1].id}, {"Account owner", b.cat.users[1].id, b.cat.users[1].id}, {"Account owner", "Nobody", nil},
		{"Main contact", own, own}, {"Main contact", "cont_other", nil},
	} {
		key := "custom." + b.CustomField("lead", tt.field)
		if tt.want == nil {
			require.Contains(t, b.bad(400, "PUT", path, obj{key: tt.in})["field-errors"], key, tt.field)
			continue
		}
		require.Equal(t, tt.want, b.ok("PUT", path, obj{key: tt.in})[key], tt.field)
	}
	full := b.ok("GET", path, nil)
	require.Equal(t, "Retail", full["custom"].(obj)["Segment"], "the old dictionary by name")
	key := "custom." + contact
	require.NotContains(t, b.ok("PUT", path, obj{key: nil}), key)
	require.Contains(t, b.bad(400, "PUT", path, obj{"custom.Nope": 1})["field-errors"].(obj)["custom.Nope"], "does not exist")
}

func TestFault_S28_AddAndRemove(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	key := "custom." + b.CustomField("lead", "Tags")
	path := "/lead/" + b.newLead(obj{}) + "/"
	require.Equal(t, []any{"eu"}, b.ok("PUT", path, obj{key + ".add": "eu"})[key])
	require.Equal(t, []any{"eu", "trial"}, b.ok("PUT", path, obj{key + ".add": "trial"})[key])
	require.Equal(t, []any{"trial"}, b.ok("PUT", path, obj{key + ".remove": "eu"})[key])
	require.NotContains(t, b.ok("PUT", path, obj{key + ".remove": "trial"}), key)
	b.bad(400, "PUT", path, obj{"custom." + b.CustomField("lead", "Segment") + ".add": "Retail"})
}

func TestFault_A35_RoleRestrictedField(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	id := b.CustomField("lead", "Seats")
	require.NoError(t, b.UpdateCustomField(id, obj{"editable_with_roles": []any{"admin"}}))
	lead := b.newLead(obj{"custom." + id: 1})
	b.key = b.AddKey(RoleUser)
	require.Contains(t, b.bad(400, "PUT", "/lead/"+lead+"/", obj{"custom." + id: 2})["field-errors"].(obj)["custom."+id], "permission")
	b.ok("PUT", "/lead/"+lead+"/", obj{"name": "x"})
}

func TestFault_S22_DeletedFieldTakesValuesAlong(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 3})
	id := b.CustomField("lead", "Segment")
	was := b.List("lead")[0]
	require.Contains(t, was, "custom."+id)
	b.ok("DELETE", "/custom_field/lead/"+id+"/", nil)
	is := b.List("lead")[0]
	require.NotContains(t, is, "custom."+id)
	require.Equal(t, was["date_updated"], is["date_updated"])
	require.Equal(t, "custom_fields.lead", b.events("")[0]["object_type"])
	require.NotContains(t, ids(b.ok("GET", "/custom_field/lead/", nil)), id)
	b.bad(400, "PUT", "/lead/"+is["id"].(string)+"/", obj{"custom." + id: "Retail"})
}

func TestFault_S23_Conversion(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 1, ConvertDelay: time.Minute})
	id := b.CustomField("lead", "Seats")
	path := "/custom_field/lead/" + id + "/"
	require.Equal(t, "text", b.ok("PUT", path, obj{"type": "text"})["converting_to_type"])
	lead := b.List("lead")[0]["id"].(string)
	b.bad(400, "PUT", "/lead/"+lead+"/", obj{"custom." + id: 3})
	b.clock.Advance(time.Minute)
	def := b.ok("GET", path, nil)
	require.Equal(t, "text", def["type"])
	require.NotContains(t, def, "converting_to_type")
	m, _ := b.Get(lead)
	require.Equal(t, "1", m["custom."+id])
}

func TestFault_S24_RemovedChoiceKeepsValues(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 3})
	id := b.CustomField("lead", "Segment")
	lead := b.List("lead")[0]
	require.NoError(t, b.UpdateCustomField(id, obj{"choices": []any{"Other"}}))
	m, _ := b.Get(lead["id"].(string))
	require.Equal(t, lead["custom."+id], m["custom."+id])
	b.bad(400, "PUT", "/lead/"+lead["id"].(string)+"/", obj{"custom." + id: "Retail"})
}

func TestSharedField(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	id := b.ok("POST", "/custom_field/shared/", obj{"name": "Zone", "type": "text"})["id"].(string)
	lead := b.newLead(obj{})
	b.bad(400, "PUT", "/lead/"+lead+"/", obj{"custom." + id: "x"})
	b.ok("POST", "/custom_field/shared/"+id+"/association/", obj{"object_type": "lead"})
	b.ok("PUT", "/lead/"+lead+"/", obj{"custom." + id: "x"})
	require.Contains(t, fieldIDs(b.ok("GET", "/custom_field_schema/lead/", nil)), id)
	require.NotContains(t, ids(b.ok("GET", "/custom_field/lead/", nil)), id)
}

func fieldIDs(schema obj) []string {
	schema["data"] = schema["fields"]
	return ids(schema)
}

func TestFault_S25_StatusRenamed(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 3})
	was := b.List("lead")[0]
	require.NoError(t, b.RenameStatus(was["status_id"].(string), "Fresh"))
	is := b.List("lead")[0]
	require.Equal(t, "Fresh", is["status_label"])
	require.Equal(t, was["date_updated"], is["date_updated"])
}

func TestFault_S26_StatusDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 3})
	was := b.List("lead")[0]
	require.NoError(t, b.DeleteStatus(was["status_id"].(string)))
	b.bad(400, "POST", "/lead/", obj{"status_id": was["status_id"]})
	is, _ := b.Get(was["id"].(string))
	require.Equal(t, was["status_id"], is["status_id"])
}
