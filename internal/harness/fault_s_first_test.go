package harness

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// holds lists the open holds as "kind type count".
func (w *World) holds() string {
	return w.Get(`SELECT string_agg(h.kind || ' ' || h.object_type || ' ' || (SELECT count(*) FROM closesync.hold_items i WHERE i.hold_id = h.id), ', ' ORDER BY h.object_type)
		FROM closesync.holds h WHERE h.status = 'open'`)
}

// decideHolds approves or rejects the open holds of a type.
func (w *World) decideHolds(objectType string, approve bool) {
	w.T.Helper()
	id, err := strconv.ParseInt(w.Get("SELECT id FROM closesync.holds WHERE status = 'open' AND object_type = $1", objectType), 10, 64)
	require.NoError(w.T, err)
	require.NoError(w.T, w.Store.DecideHold(context.Background(), id, approve))
	w.due()
}

const threeRows = `INSERT INTO crm.leads (id, name) SELECT n, 'Old ' || n FROM generate_series(101, 103) n;
	INSERT INTO crm.contacts (id, lead_id, name) VALUES (201, 101, 'Kid of 101'), (202, 102, 'Kid of 102')`

// TestFault_S37_RowsThatWereThereAreHeld: nothing of them is created until an
// operator says so, however often everything is compared; new rows go as usual.
func TestFault_S37_RowsThatWereThereAreHeld(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 37, Leads: 4}, Setup: threeRows})
	w.Load()
	w.Tail()
	w.Search()
	w.Audit()
	require.Zero(t, w.writes())
	require.Equal(t, "first_start contact 2, first_start lead 3", w.holds())
	require.Equal(t, "held", w.Get("SELECT DISTINCT state FROM closesync.record_status WHERE close_id IS NULL"))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE object_type = 'contact' AND local_key = '201'"), "its lead is not in Close either")
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"), "what waits for a person does not spin")

	// An edit of one, and a new row, also below one of them.
	w.SQL("UPDATE crm.leads SET description = 'edited' WHERE id = 101")
	w.SQL("INSERT INTO crm.leads (name) VALUES ('New')")
	w.SQL("INSERT INTO crm.contacts (lead_id, name) VALUES (103, 'New kid')")
	w.due()
	require.Len(t, w.ids("lead"), 5)
	require.Equal(t, "first_start contact 2, first_start lead 3", w.holds())
	require.Equal(t, "held", w.Get("SELECT state FROM closesync.record_status s JOIN crm.contacts c ON c.id::text = s.local_key WHERE s.object_type = 'contact' AND c.name = 'New kid'"))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status s JOIN crm.contacts c ON c.id::text = s.local_key WHERE s.object_type = 'contact' AND c.name = 'New kid'"), "a lead that is held")
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"))

	w.decideHolds("contact", true)
	require.Len(t, w.ids("contact"), 8, "they wait for their leads")
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"))
	w.decideHolds("lead", true)
	require.Len(t, w.ids("lead"), 8)
	require.Len(t, w.ids("contact"), 11)
	w.rest()
	w.Equal()
}

// TestFault_S37_RejectedRowsStayHere: they are never sent, until one is edited
// and asks again.
func TestFault_S37_RejectedRowsStayHere(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 37, Leads: 4}, Setup: threeRows})
	w.Load()
	w.decideHolds("lead", false)
	w.Audit()
	require.Zero(t, w.writes())
	w.SQL("UPDATE crm.leads SET name = 'Edited' WHERE id = 101")
	w.due()
	require.Zero(t, w.writes())
	require.Equal(t, "first_start contact 2, first_start lead 1", w.holds())
	w.decideHolds("lead", true)
	require.Len(t, w.ids("lead"), 5)
	require.Equal(t, "Edited", w.field(w.Get("SELECT close_id FROM crm.leads WHERE id = 101"), "name"))
}

// TestFault_S37_ACloseIDInTheRowLinksIt: a user filled it in. Both sides are
// merged field by field, and what loses is kept.
func TestFault_S37_ACloseIDInTheRowLinksIt(t *testing.T) {
	t.Parallel()
	o := closetest.Options{Seed: 37, Leads: 4}
	probe := closetest.New(o).List("lead")
	id := func(i int) string { return probe[i]["id"].(string) }
	w := New(t, Options{Close: o, Setup: strings.NewReplacer("$0", id(0), "$1", id(1)).Replace(`
		INSERT INTO crm.leads (id, close_id, name, url) VALUES (101, '$0', 'Mine', 'http://only.here');
		INSERT INTO crm.leads (id, close_id) VALUES (102, 'lead_nonsense');
		INSERT INTO crm.contacts (lead_id, name) VALUES (101, 'New kid')`)})
	require.NoError(t, w.Close.Update(id(0), map[string]any{"url": nil, "description": "only there"}))
	w.Load()
	require.Equal(t, "101", w.Get("SELECT id FROM crm.leads WHERE close_id = $1", id(0)))
	require.Equal(t, probe[0]["name"], w.Get("SELECT name FROM crm.leads WHERE id = 101"))
	require.Equal(t, "only there", w.Get("SELECT description FROM crm.leads WHERE id = 101"))
	require.Equal(t, "http://only.here", w.field(id(0), "url"))
	require.Equal(t, `name "Mine" close`, w.Get("SELECT string_agg(field || ' ' || local_value || ' ' || winner, ', ') FROM closesync.conflicts"))
	require.Equal(t, "first_start contact 1", w.holds())

	require.Equal(t, "error missing", w.Get("SELECT state || ' ' || error_class FROM closesync.record_status WHERE local_key = '102'"))
	w.SQL("UPDATE crm.leads SET close_id = $1 WHERE id = 102", "lead_otherwise")
	w.due()
	require.Equal(t, "error", w.state("lead", "lead_otherwise"))
	w.SQL("UPDATE crm.leads SET close_id = NULL, name = 'Born here' WHERE id = 102")
	w.due()
	require.Len(t, w.ids("lead"), 5)
	w.decideHolds("contact", true)
	w.rest()
}

// TestFault_S37_TwoRowsWithOneCloseID: none is linked, both are told.
func TestFault_S37_TwoRowsWithOneCloseID(t *testing.T) {
	t.Parallel()
	o := closetest.Options{Seed: 37, Leads: 2}
	id := closetest.New(o).List("lead")[0]["id"].(string)
	w := New(t, Options{Close: o, Setup: `ALTER TABLE crm.leads DROP CONSTRAINT leads_close_id_key;
		INSERT INTO crm.leads (id, close_id, name) VALUES (101, '` + id + `', 'A'), (102, '` + id + `', 'B')`})
	w.Load()
	require.Zero(t, w.writes())
	require.Equal(t, "error ambiguous 2", w.Get("SELECT state || ' ' || error_class || ' ' || count(*) FROM closesync.record_status WHERE local_key IN ('101', '102') GROUP BY state, error_class"))
	require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE local_key = '101'"), id)
}

// TestFault_S37_NothingIsSentBeforeTheLoad: what a program writes while the
// first load runs goes out when it ends.
func TestFault_S37_NothingIsSentBeforeTheLoad(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 37, Leads: 4}})
	w.SQL("INSERT INTO crm.leads (name) VALUES ('Early')")
	for range 3 {
		_, err := w.Engine.Run(context.Background())
		require.NoError(t, err)
		w.SQL("UPDATE closesync.dirty SET not_before = '-infinity'")
	}
	require.Zero(t, w.writes())
	w.Load()
	require.Len(t, w.ids("lead"), 5)
	require.Empty(t, w.holds())
	w.rest()
}

// TestFault_S37_TypesThatComeLater are loaded by themselves, and their rows are
// held like those of a first start.
func TestFault_S37_TypesThatComeLater(t *testing.T) {
	t.Parallel()
	off := false
	w := New(t, Options{Close: closetest.Options{Seed: 37, Leads: 4}, Objects: []config{{Type: "opportunity", Enabled: &off}}})
	w.Load()
	w.SQL("INSERT INTO crm.opportunities (lead_id, note) SELECT id, 'was there' FROM crm.leads LIMIT 2")
	w.remap(nil)
	w.SQL("INSERT INTO crm.opportunities (lead_id, note) SELECT id, 'came later' FROM crm.leads LIMIT 1")
	w.Settle()
	require.Zero(t, w.writes())
	w.Load()
	require.Equal(t, "first_start opportunity 2", w.holds())
	require.Equal(t, 1, w.writes())
	w.decideHolds("opportunity", true)
	w.rest()
	require.Len(t, w.ids("opportunity"), 7)
}

// remap starts the worker again with another mapping.
func (w *World) remap(cfg []config) {
	w.T.Helper()
	var problems []mapping.Problem
	w.Objects, problems = mapping.Bind(cfg)
	require.Empty(w.T, problems)
	w.Restart()
}
