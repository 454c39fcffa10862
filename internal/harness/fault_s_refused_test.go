package harness

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFault_S31_RefusedFieldIsParkedAndTheRestGoesOn(t *testing.T) {
	w := world(t, nil)
	id := w.ids("contact")[0]
	other := w.ids("contact")[1]
	w.SQL(`UPDATE crm.contacts SET emails = '[{"email":"not an address","type":"office"}]', title = 'goes on' WHERE close_id = $1`, id)
	w.SQL("UPDATE crm.contacts SET title = 'other' WHERE close_id = $1", other)
	w.Settle()
	w.Tail()
	require.Equal(t, "error", w.state("contact", id))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id), "Invalid email address")
	require.Equal(t, "goes on", w.field(id, "title"))
	require.Equal(t, "other", w.field(other, "title"))
	require.Contains(t, w.Get("SELECT emails::text FROM crm.contacts WHERE close_id = $1", id), "not an address", "the row is not put back")
	before := w.writes()
	w.Audit()
	w.Tail()
	require.Equal(t, before, w.writes(), "what Close refused is not sent again")
	// News of Close still arrive, and the next edit here is tried.
	w.edit(id, map[string]any{"title": "from Close"})
	w.Tail()
	require.Equal(t, "from Close", w.Get("SELECT title FROM crm.contacts WHERE close_id = $1", id))
	require.Equal(t, "error", w.state("contact", id))
	w.SQL(`UPDATE crm.contacts SET emails = '[{"email":"good@x.example","type":"office"}]' WHERE close_id = $1`, id)
	w.all()
	require.Equal(t, "synced", w.state("contact", id))
	require.Empty(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id))
	w.rest()
}

func TestFault_S32_HardStrings(t *testing.T) {
	w := world(t, nil)
	ids := w.ids("lead")
	for _, text := range []string{"👩‍👩‍👧‍👦 emoji", "שלום \u200fRTL", "zero\u200bwidth", "a\"b\\c\n\td", "a\u2028line", "<b>&amp;</b>", "é = e\u0301"} {
		w.SQL("UPDATE crm.leads SET name = $2, description = $2 WHERE close_id = $1", ids[0], text)
		w.edit(ids[1], map[string]any{"name": text, "description": text})
		w.all()
		require.Equal(t, text, w.field(ids[0], "name"))
		require.Equal(t, text, w.Get("SELECT name FROM crm.leads WHERE close_id = $1", ids[1]))
	}
	w.SQL("UPDATE crm.leads SET description = $2 WHERE close_id = $1", ids[2], strings.Repeat("x", 1<<16))
	w.all()
	w.SQL("UPDATE crm.leads SET name = $2, description = 'goes on' WHERE close_id = $1", ids[3], strings.Repeat("y", 2000))
	w.Settle()
	require.Equal(t, "error", w.state("lead", ids[3]))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", ids[3]), "1024")
	require.Equal(t, "goes on", w.field(ids[3], "description"))
}

func TestFault_S24_UnknownChoiceIsParked(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Size", "type": "choices", "choices": []any{"small", "big"}})
	require.NoError(t, err)
	w.edit(id, map[string]any{"custom." + field: "small"})
	w.all()
	require.NoError(t, w.Close.UpdateCustomField(field, map[string]any{"choices": []any{"big", "huge"}}))
	w.all()
	require.Equal(t, "small", w.Get("SELECT custom ->> $2 FROM crm.leads WHERE close_id = $1", id, field), "a value outlives its choice")
	w.SQL("UPDATE crm.leads SET custom = custom || jsonb_build_object($2::text, 'tiny'), name = 'goes on' WHERE close_id = $1", id, field)
	w.Settle()
	require.Equal(t, "error", w.state("lead", id))
	require.Equal(t, "goes on", w.field(id, "name"))
	w.SQL("UPDATE crm.leads SET custom = custom || jsonb_build_object($2::text, 'huge') WHERE close_id = $1", id, field)
	w.all()
	require.Equal(t, "synced", w.state("lead", id))
	w.rest()
}

func TestFault_S26_UnknownStatusIsParked(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.SQL("UPDATE crm.leads SET status_id = 'stat_gone', name = 'goes on' WHERE close_id = $1", id)
	w.Settle()
	require.Equal(t, "error", w.state("lead", id))
	require.NotEmpty(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", id))
	require.Equal(t, "goes on", w.field(id, "name"))
}

func TestFault_S30_HiddenLeadAndBack(t *testing.T) {
	w := world(t, func(o *Options) { o.HideAll = true })
	id := w.ids("lead")[0]
	require.NoError(t, w.Close.Hide(id, true))
	w.SQL("UPDATE closesync.records SET last_synced_at = last_synced_at - interval '1 minute'")
	w.Audit()
	require.Equal(t, "hidden", w.state("lead", id))
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads"))
	require.Equal(t, "8", w.Get("SELECT count(*) FROM crm.contacts"))
	before := w.writes()
	w.SQL("UPDATE crm.leads SET name = 'Edited while hidden' WHERE close_id = $1", id)
	w.Settle()
	w.Audit()
	require.Equal(t, before, w.writes())
	require.NoError(t, w.Close.Hide(id, false))
	w.Audit()
	w.all()
	require.Equal(t, "synced", w.state("lead", id))
	require.Equal(t, "Edited while hidden", w.field(id, "name"))
	w.rest()
}

// A page of a search meets a record that is parked: why it is stays known.
func TestFault_S31_ParkedReasonSurvivesAPage(t *testing.T) {
	w := rested(t, 84, 3)
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Notes", "type": "text"})
	require.NoError(t, err)
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Update(id, map[string]any{"custom." + field: "text"}))
	w.Tail()
	w.SQL("UPDATE crm.leads SET status_id = 'stat_bogus' WHERE id = 1")
	w.Settle()
	why := w.Get("SELECT state || error_class || last_error FROM closesync.record_status WHERE close_id = $1", id)
	require.Contains(t, why, "errorinvalid")
	require.NoError(t, w.Close.Update(id, map[string]any{"custom." + field: nil}))
	w.Search()
	require.Equal(t, why, w.Get("SELECT state || error_class || last_error FROM closesync.record_status WHERE close_id = $1", id))
	require.Empty(t, w.Get("SELECT custom ->> $1 FROM crm.leads WHERE id = 1", field), "the rest goes on")
}

// A refusal ends with its cause: the table is filled again, or Close comes to
// hold what it had refused.
func TestFault_S31_ARefusalEndsWithItsCause(t *testing.T) {
	w := world(t, nil)
	ids := w.ids("contact")
	for _, id := range ids[:2] {
		w.SQL(`UPDATE crm.contacts SET emails = '[{"email":"not an address","type":"office"}]' WHERE close_id = $1`, id)
	}
	w.Settle()
	require.Equal(t, "2", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
	w.edit(ids[0], map[string]any{"title": "only another field"})
	w.Tail()
	w.Settle()
	require.Equal(t, "error", w.state("contact", ids[0]), "it still differs")
	w.SQL("TRUNCATE crm.contacts CASCADE")
	w.Settle()
	w.all()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.records WHERE parked IS NOT NULL OR last_error IS NOT NULL OR error_class IS NOT NULL"))
	w.rest()

	lead := w.ids("lead")[0]
	w.SQL("UPDATE crm.leads SET status_id = 'stat_later' WHERE close_id = $1", lead)
	w.Settle()
	require.Equal(t, "error", w.state("lead", lead))
	w.SQL("UPDATE closesync.records SET parked = parked || '{\"description\": \"of its time\"}' WHERE close_id = $1", lead)
	w.edit(lead, map[string]any{"name": "news"})
	w.Tail()
	w.Settle()
	require.Equal(t, "{status_id}", w.Get("SELECT array_agg(k) FROM closesync.records, jsonb_object_keys(parked::jsonb) AS k WHERE close_id = $1", lead), "one that is equal is no refusal any more")
	require.Equal(t, "error", w.state("lead", lead))
}
