package mapping

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBindDefaults(t *testing.T) {
	t.Parallel()
	objects, problems := Bind(nil)
	require.Empty(t, problems)
	require.Len(t, objects, len(Types()))
	require.Equal(t, Default("lead"), objects["lead"])
}

func TestBindOwnTable(t *testing.T) {
	t.Parallel()
	off := false
	objects, problems := Bind([]ObjectConfig{
		{Type: "lead", Table: "app.companies", Key: "uid", CloseID: "close", Direction: "to_close", Conflict: "newest",
			OnCloseDelete: "flag:gone", OnLocalDelete: "ignore", Filter: []byte(`{"type":"match_all"}`), Match: []string{"name"},
			ExternalIDField: "cf_X1",
			Fields: []FieldConfig{{Close: "name", Column: "company_name"}, {Close: "custom.cf_Hk2", Column: "tier", Conflict: "local"},
				{Close: "created_by_name", Column: "author"}}},
		{Type: "contact", Enabled: &off},
	})
	require.Empty(t, problems)
	o := objects["lead"]
	require.Equal(t, Table{"app", "companies"}, o.Table)
	require.True(t, o.OwnTable)
	require.Empty(t, o.Custom, "only the given fields are mapped")
	require.Equal(t, []Field{{Close: "name", Column: "company_name"},
		{Close: "custom.cf_Hk2", Column: "tier", Kind: Any, Policy: PolicyLocal},
		{Close: "created_by_name", Column: "author", ReadOnly: true}}, o.Fields)
	require.Equal(t, DeleteRule{"flag", "gone"}, o.OnClose)
	require.Nil(t, objects["contact"])
	_, ok := objects["opportunity"].Field("contact_id")
	require.False(t, ok, "a reference to a type that is off has no rows to point at")
}

func TestFault_D15_ConfigRefused(t *testing.T) {
	t.Parallel()
	off := false
	lead := func(fs ...FieldConfig) ObjectConfig {
		return ObjectConfig{Type: "lead", Line: 10, File: "c.yaml", Fields: fs}
	}
	for _, c := range []struct {
		name string
		cfg  ObjectConfig
		want string
	}{
		{"unknown object", ObjectConfig{Type: "task", Line: 10, File: "c.yaml"}, "c.yaml:10: objects.task: unknown object"},
		{"unknown field", lead(FieldConfig{"nmae", "n", "", 12}), `c.yaml:12: objects.lead.fields[0].close: lead has no field "nmae"`},
		{"two fields, one column", lead(FieldConfig{"name", "n", "", 12}, FieldConfig{"url", "n", "", 13}), `c.yaml:13: objects.lead.fields[1].column: column "n" already holds name`},
		{"one field twice", lead(FieldConfig{"name", "n", "", 12}, FieldConfig{"name", "m", "", 13}), "c.yaml:13: objects.lead.fields[1].close: name is mapped twice"},
		{"key mapped", lead(FieldConfig{"name", "id", "", 12}), `column "id" already holds the key`},
		{"close_id mapped", lead(FieldConfig{"name", "close_id", "", 12}), "already holds close_id"},
		{"policy of field", lead(FieldConfig{"name", "n", "mine", 12}), `c.yaml:12: objects.lead.fields[0].conflict: "mine" is none of`},
		{"empty column", lead(FieldConfig{"name", " ", "", 12}), "the name is empty"},
		{"NUL in column", lead(FieldConfig{"name", "a\x00", "", 12}), "NUL"},
		{"policy", ObjectConfig{Type: "lead", Conflict: "x"}, `objects.lead.conflict: "x" is none of`},
		{"direction", ObjectConfig{Type: "lead", Direction: "up"}, `objects.lead.direction: "up" is none of`},
		{"on_local_delete", ObjectConfig{Type: "lead", OnLocalDelete: "keep"}, "objects.lead.on_local_delete"},
		{"on_close_delete", ObjectConfig{Type: "lead", OnCloseDelete: "keep"}, "objects.lead.on_close_delete"},
		{"flag without column", ObjectConfig{Type: "lead", OnCloseDelete: "flag:"}, "flag needs a boolean column"},
		{"flag on mapped column", ObjectConfig{Type: "lead", OnCloseDelete: "flag:name"}, "already holds the flag"},
		{"table", ObjectConfig{Type: "lead", Table: "leads"}, `"leads" is not schema.table`},
		{"shared table", ObjectConfig{Type: "contact", Table: "crm.leads"}, "crm.leads is the table of lead already"},
		{"filter", ObjectConfig{Type: "lead", Filter: []byte(`[1]`)}, "objects.lead.filter: not a JSON object"},
		{"match", ObjectConfig{Type: "lead", Match: []string{"email"}}, `objects.lead.match[0]: "email" is not a mapped field`},
		{"external id", ObjectConfig{Type: "lead", ExternalIDField: "mine", File: "c.yaml", Line: 10, Lines: map[string]int{"external_id_field": 14}},
			`c.yaml:14: objects.lead.external_id_field: "mine" is not the id of a custom field`},
		{"external id mapped", ObjectConfig{Type: "lead", ExternalIDField: "cf_m", File: "c.yaml", Fields: []FieldConfig{{"custom.cf_m", "key", "", 16}}},
			"c.yaml:16: objects.lead.fields[0].close: custom.cf_m is external_id_field, which has no column"},
		{"match by external id", ObjectConfig{Type: "lead", ExternalIDField: "cf_m", Match: []string{"custom.cf_m"}}, `objects.lead.match[0]: "custom.cf_m" is not a mapped field`},
		{"no lead_id", ObjectConfig{Type: "contact", Fields: []FieldConfig{{"name", "n", "", 3}}}, "lead_id must be mapped"},
		{"parent off", ObjectConfig{Type: "lead", Enabled: &off}, "contact needs lead, which is switched off"},
	} {
		_, problems := Bind([]ObjectConfig{c.cfg})
		require.NotEmpty(t, problems, c.name)
		found := ""
		for _, p := range problems {
			found += p.String() + "\n"
		}
		require.Contains(t, found, c.want, c.name)
	}
	_, problems := Bind([]ObjectConfig{{Type: "lead"}, {Type: "lead"}})
	require.Len(t, problems, 1)
}

// TestFault_S35_AChildWhoseParentIsOff is refused before anything starts.
func TestFault_S35_AChildWhoseParentIsOff(t *testing.T) {
	t.Parallel()
	off := false
	_, problems := Bind([]ObjectConfig{{Type: "lead", Enabled: &off}, {Type: "opportunity"}})
	require.NotEmpty(t, problems)
	told := map[string]bool{}
	for _, p := range problems {
		told[p.Reason] = true
	}
	require.True(t, told["contact needs lead, which is switched off"], "%v", problems)
	require.True(t, told["opportunity needs lead, which is switched off"], "%v", problems)
}
