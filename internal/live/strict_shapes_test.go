package live

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/internal/strictfake"
)

// shapes are what Close's documents leave open, several at a time.
var shapes = map[string]strictfake.Options{
	"as recorded":            {},
	"small pages, no totals": {SearchLimit: 100, NoCounts: true, NoHasMore: true, PlainText: true, Created: 201, RateForm: ";", PerSecond: 12},
	"cut pages, bare leads":  {SearchLimit: 3, Clip: true, NoNested: true, NoEventData: true, NoFraction: true, RateForm: ",", PerSecond: 12},
	"everything, late":       {AllFields: true, NoZone: true, Consolidate: 5 * time.Second, Lag: 2 * time.Second, PerSecond: 20},
	"no catalogue": {NoOrder: true, SearchLimit: 5, Clip: true,
		Missing: []string{"user/", "organization/", "status/", "pipeline/", "custom_field", "webhook/"}},
}

// single are the same one by one, for who looks for the cause.
var single = map[string]strictfake.Options{
	"pages of 100":            {SearchLimit: 100},
	"pages cut to 3":          {SearchLimit: 3, Clip: true},
	"leads without children":  {NoNested: true},
	"all fields always":       {AllFields: true},
	"events without data":     {NoEventData: true},
	"plain text":              {PlainText: true},
	"created":                 {Created: 201},
	"limits with commas":      {RateForm: ",", PerSecond: 12},
	"limits with semicolons":  {RateForm: ";", PerSecond: 12},
	"limits without a header": {PerSecond: 12},
	"no has_more":             {NoHasMore: true},
	"no order":                {NoOrder: true, SearchLimit: 3, Clip: true},
	"no totals":               {NoCounts: true},
	"whole seconds":           {NoFraction: true},
	"no zones":                {NoZone: true},
	"a lagging index":         {Lag: 3 * time.Second},
	"consolidated events":     {Consolidate: 5 * time.Second},
	"no catalogue":            {Missing: []string{"user/", "organization/", "status/", "pipeline/", "custom_field", "webhook/"}},
	"catalogue forbidden":     {Refused: []string{"user/", "organization/", "status/", "pipeline/", "custom_field", "webhook/"}},
}

// An imitation of Close that leaves out or varies what nobody may rely on: with
// each, both sides become equal in both directions. CLOSESYNC_SHAPES=single
// runs each variation by itself.
func TestStrict_Shapes(t *testing.T) {
	t.Parallel()
	list := shapes
	if os.Getenv("CLOSESYNC_SHAPES") == "single" {
		list = single
	}
	for name, o := range list {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, o)
		})
	}
}

func bothWays(t *testing.T, o strictfake.Options) {
	s := newStranger(t, o)
	tier := s.close.Define("lead", "Tier", "choices", false, "gold", "silver")
	tags := s.close.Define("contact", "Tags", "choices", true, "a", "b", "c")
	seats := s.close.Define("opportunity", "Seats", "number", false)
	var leads, contacts, opportunities []string
	for i := range 8 {
		lead := s.close.Add("lead", map[string]any{"name": fmt.Sprintf("Lead %d", i), "description": "", tier: "gold",
			"addresses": []any{map[string]any{"label": "business", "city": "Oakland", "country": "US"}}})
		contact := s.close.Add("contact", map[string]any{"lead_id": lead, "name": fmt.Sprintf("Contact %d", i), tags: []any{"a", "b"},
			"emails": []any{map[string]any{"email": fmt.Sprintf("c%d@strict.example", i), "type": "office"}},
			"phones": []any{map[string]any{"phone": "+1 415-555-0142", "type": "mobile"}}})
		leads, contacts = append(leads, lead), append(contacts, contact)
		opportunities = append(opportunities, s.close.Add("opportunity", map[string]any{"lead_id": lead, "contact_id": contact,
			"value": 9007199254740993, "note": "first", seats: 40}))
	}
	s.close.Today()
	if o.Lag > 0 {
		<-time.After(o.Lag)
	}
	s.once()
	require.Empty(t, s.difference(), "after the first load")
	require.Empty(t, s.close.Writes(), "a first load writes nothing to Close")

	s.close.Edit(leads[0], map[string]any{"name": "Renamed", tier: nil})
	s.close.Edit(contacts[1], map[string]any{"title": "Chief", tags: []any{"c"}})
	s.close.Edit(opportunities[2], map[string]any{"status_id": strictfake.Won})
	s.close.Remove(opportunities[3])
	s.close.Remove(leads[4])
	s.close.Merge(leads[5], leads[6])
	s.close.Add("contact", map[string]any{"lead_id": leads[0], "name": "New in Close"})
	s.exec(`UPDATE crm.leads SET description = 'written here', custom = custom || jsonb_build_object($2::text, 'silver') WHERE close_id = $1`,
		leads[1], tier[len("custom."):])
	s.exec(`UPDATE crm.contacts SET emails = emails || '[{"email":"more@strict.example","type":"home"}]' WHERE close_id = $1`, contacts[0])
	s.exec(`UPDATE crm.opportunities SET note = 'changed', value = 12, date_won = '2026-02-03' WHERE close_id = $1`, opportunities[0])
	s.exec(`DELETE FROM crm.contacts WHERE close_id = $1`, contacts[7])
	s.exec(`WITH l AS (INSERT INTO crm.leads (name, status_id) VALUES ('Made here', $1) RETURNING id),
		c AS (INSERT INTO crm.contacts (lead_id, name, phones) SELECT id, 'Child', '[{"phone":"+1 (415) 555 0100","type":"office"}]' FROM l RETURNING id, lead_id)
		INSERT INTO crm.opportunities (lead_id, contact_id, value, note) SELECT lead_id, id, 5000, 'made here' FROM c`, strictfake.Qualified)
	s.once()
	require.Empty(t, s.difference(), "after edits on both sides")
	require.NotNil(t, s.close.Find("opportunity", "note", "made here"))
	require.Len(t, s.close.Writes(), 8, "one call for each change")

	s.close.Forget()
	s.once()
	require.Empty(t, s.close.Writes(), "nothing is written at rest")
}
