package harness

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// narrow has columns that cannot hold all that Close does.
func narrow() Options {
	off := false
	return Options{
		Close: closetest.Options{Seed: 1502, Leads: 4},
		Setup: `CREATE SCHEMA own;
			CREATE TABLE own.leads (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, close_id text UNIQUE, name varchar(20), note text);
			CREATE TABLE own.deals (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, close_id text UNIQUE,
				account bigint NOT NULL REFERENCES own.leads ON DELETE CASCADE, note text, worth int, chance smallint)`,
		Objects: []mapping.ObjectConfig{
			{Type: "lead", Table: "own.leads", Fields: []mapping.FieldConfig{{Close: "name", Column: "name"}, {Close: "description", Column: "note"}}},
			{Type: "contact", Enabled: &off},
			{Type: "opportunity", Table: "own.deals", Fields: []mapping.FieldConfig{{Close: "lead_id", Column: "account"}, {Close: "note", Column: "note"},
				{Close: "value", Column: "worth"}, {Close: "confidence", Column: "chance"}}},
		},
	}
}

// What does not fit is not cut to fit, and the cut value never goes back.
func TestFault_A15_AColumnThatIsTooNarrow(t *testing.T) {
	t.Parallel()
	w := New(t, narrow())
	long := strings.TrimSpace(strings.Repeat("long ", 8)) // as Close keeps it
	for _, lead := range w.Close.List("lead") {
		require.NoError(t, w.Close.Update(lead["id"].(string), map[string]any{"name": "short"}))
	}
	w.Load()
	lead := w.Close.List("lead")[0]["id"].(string)
	require.NoError(t, w.Close.Update(lead, map[string]any{"name": long, "description": "goes on"}))
	w.Tail()
	w.Audit()
	row := func(column string) string {
		return w.Get("SELECT "+column+" FROM own.leads WHERE close_id = $1", lead)
	}
	require.Equal(t, "short", row("name"))
	require.Equal(t, "goes on", row("note"), "the other fields go on")
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", lead), "name: its column holds 20 characters, the value has 39")

	w.SQL("UPDATE own.leads SET note = 'an edit of another column' WHERE close_id = $1", lead)
	w.Settle()
	got, _ := w.Close.Get(lead)
	require.Equal(t, long, got["name"])
	require.Equal(t, "an edit of another column", got["description"])
	w.SQL("UPDATE own.leads SET name = 'edited here' WHERE close_id = $1", lead)
	w.Settle()
	got, _ = w.Close.Get(lead)
	require.Equal(t, long, got["name"], "nobody here has seen what it would overwrite")
	before := w.Get("SELECT xmin FROM own.leads WHERE close_id = $1", lead)
	w.Audit()
	require.Equal(t, before, row("xmin"), "nothing is written at rest")

	require.NoError(t, w.Close.Update(lead, map[string]any{"name": "fits again"}))
	w.Tail()
	w.Settle()
	require.Empty(t, w.Get("SELECT coalesce(last_error, '') FROM closesync.record_status WHERE close_id = $1", lead))
	got, _ = w.Close.Get(lead)
	require.Equal(t, got["name"], row("name"))
}

func TestFault_A17_ANumberThatItsColumnCannotHold(t *testing.T) {
	t.Parallel()
	w := New(t, narrow())
	lead := w.Close.List("lead")[0]["id"].(string)
	deal, err := w.Close.Create("opportunity", map[string]any{"lead_id": lead, "note": "big", "value": 5_000_000_000, "confidence": 40})
	require.NoError(t, err)
	for _, l := range w.Close.List("lead") {
		require.NoError(t, w.Close.Update(l["id"].(string), map[string]any{"name": "short"}))
	}
	w.Load()
	require.Equal(t, "big 40", w.Get("SELECT note || ' ' || chance || coalesce(worth::text, '') FROM own.deals WHERE close_id = $1", deal))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", deal), "value: its column holds integers of 32 bits")
	w.SQL("UPDATE own.deals SET note = 'edited' WHERE close_id = $1", deal)
	w.Settle()
	got, _ := w.Close.Get(deal)
	require.Equal(t, "edited", got["note"])
	require.Equal(t, "5000000000", fmt.Sprint(got["value"]))
	require.NoError(t, w.Close.Update(deal, map[string]any{"value": 7}))
	w.Tail()
	require.Equal(t, "7", w.Get("SELECT worth FROM own.deals WHERE close_id = $1", deal))
	require.Empty(t, w.Get("SELECT coalesce(last_error, '') FROM closesync.record_status WHERE close_id = $1", deal))
}

// A custom field's column decides what its values are; both sides must agree.
func TestFault_A16_ACustomTimeInAColumnOfItsOwn(t *testing.T) {
	t.Parallel()
	off := false
	o := Options{Close: closetest.Options{Seed: 1503, Leads: 2}, Setup: `CREATE SCHEMA own;
		CREATE TABLE own.leads (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, close_id text UNIQUE, name text, seen timestamptz, size numeric(6, 2))`}
	define := func(srv *closetest.Server) (seen, size string) { // the same ids each time: the seed decides
		seen, err := srv.AddCustomField("lead", map[string]any{"name": "Seen", "type": "datetime"})
		require.NoError(t, err)
		size, err = srv.AddCustomField("lead", map[string]any{"name": "Size", "type": "number"})
		require.NoError(t, err)
		return seen, size
	}
	seen, size := define(closetest.New(o.Close))
	o.Objects = []mapping.ObjectConfig{
		{Type: "lead", Table: "own.leads", Fields: []mapping.FieldConfig{{Close: "name", Column: "name"},
			{Close: "custom." + seen, Column: "seen"}, {Close: "custom." + size, Column: "size"}}},
		{Type: "contact", Enabled: &off}, {Type: "opportunity", Enabled: &off},
	}
	w := New(t, o)
	define(w.Close)
	lead := w.Close.List("lead")[0]["id"].(string)
	require.NoError(t, w.Close.Update(lead, map[string]any{"custom." + seen: "2026-03-01T10:00:00Z", "custom." + size: 12.5}))
	w.Load()
	w.SQL("UPDATE own.leads SET name = 'edited' WHERE close_id = $1", lead)
	w.Settle()
	require.Equal(t, "12.50 true", w.Get("SELECT size || ' ' || (seen = '2026-03-01 10:00Z') FROM own.leads WHERE close_id = $1", lead))
	got, _ := w.Close.Get(lead)
	require.Equal(t, "edited", got["name"])
	require.NotContains(t, w.Get("SELECT string_agg(sent::text, ' ') FROM closesync.intents"), seen, "two forms of one moment are no edit")
	require.NoError(t, w.Close.Update(lead, map[string]any{"custom." + size: 12.345}))
	w.Tail()
	w.SQL("UPDATE own.leads SET name = 'edited again' WHERE close_id = $1", lead)
	w.Settle()
	got, _ = w.Close.Get(lead)
	require.Equal(t, "12.345", fmt.Sprint(got["custom."+size]))
}
