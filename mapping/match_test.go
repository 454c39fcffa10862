package mapping

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMatchKeys: records meet exactly when they share a key.
func TestMatchKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, object string
		match        []string
		a, b         Record
		meet         bool
	}{
		{"same name", "lead", []string{"name"}, Record{"name": `"Acme"`}, Record{"name": `" Acme "`, "url": `"x"`}, true},
		{"other case and spaces", "lead", []string{"name"}, Record{"name": `"Acme  Ltd"`}, Record{"name": `"ACME Ltd"`}, true},
		{"other words", "lead", []string{"name"}, Record{"name": `"Acme Ltd"`}, Record{"name": `"AcmeLtd"`}, false},
		{"one number, written differently", "contact", []string{"phones"}, Record{"phones": `[{"phone":"+1 (650) 555-1234","type":"office"}]`},
			Record{"phones": `[{"phone":"+16505551234","type":"home"}]`}, true},
		{"no number at all", "contact", []string{"phones"}, Record{"phones": `[{"phone":"none","type":"office"}]`}, Record{"phones": `[{"phone":"none","type":"office"}]`}, false},
		{"empty names", "lead", []string{"name"}, Record{"name": Null}, Record{}, false},
		{"blank names", "lead", []string{"name"}, Record{"name": `" "`}, Record{"name": `" "`}, false},
		{"no rule", "lead", nil, Record{"name": `"Acme"`}, Record{"name": `"Acme"`}, false},
		{"all fields count", "lead", []string{"name", "url"}, Record{"name": `"A"`, "url": `"u"`}, Record{"name": `"A"`, "url": `"v"`}, false},
		{"all fields alike", "lead", []string{"name", "url"}, Record{"name": `"A"`, "url": `"u"`}, Record{"name": `"A"`, "url": `"u"`}, true},
		{"fields do not run together", "lead", []string{"name", "url"}, Record{"name": `"A"`, "url": `"Bu"`}, Record{"name": `"AB"`, "url": `"u"`}, false},
		{"one address of several", "contact", []string{"emails"}, Record{"emails": `[{"email":"a@x.example","type":"office"},{"email":"B@x.example","type":"home"}]`},
			Record{"emails": `[{"email":"b@X.example","is_unsubscribed":true,"type":"direct"}]`}, true},
		{"no address shared", "contact", []string{"emails"}, Record{"emails": `[{"email":"a@x.example","type":"office"}]`}, Record{"emails": `[{"email":"c@x.example","type":"office"}]`}, false},
		{"number and its text", "lead", []string{"custom.cf_k"}, Record{"custom.cf_k": `7`}, Record{"custom.cf_k": `"7"`}, true},
		{"one of several values", "lead", []string{"custom.cf_k"}, Record{"custom.cf_k": `["a","b"]`}, Record{"custom.cf_k": `["b"]`}, true},
		{"within a lead", "contact", []string{"lead_id", "name"}, Record{"lead_id": `"lead_1"`, "name": `"A"`}, Record{"lead_id": `"lead_1"`, "name": `"A"`}, true},
		{"lead not known yet", "contact", []string{"lead_id", "name"}, Record{"lead_id": LocalRef("1"), "name": `"A"`}, Record{"lead_id": LocalRef("1"), "name": `"A"`}, false},
	} {
		o := Default(c.object)
		o.Match = c.match
		keys := o.MatchKeys(c.b)
		meet := slices.ContainsFunc(o.MatchKeys(c.a), func(k string) bool { return slices.Contains(keys, k) })
		require.Equal(t, c.meet, meet, c.name)
	}
}
