package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Leads in a table of the user's, with a key of another type, and contacts in
// ours: the foreign keys of ours follow.
func TestRun_OurTablesReferToTheUsersParents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.exec(`CREATE SCHEMA app; CREATE TABLE app.acc (k uuid PRIMARY KEY DEFAULT gen_random_uuid(), cid text UNIQUE, label text)`)
	w.configure("objects: {lead: {table: app.acc, key: k, close_id: cid, fields: [{close: name, column: label}]}}")

	looked := w.run("check")
	require.Equal(t, 1, looked.code)
	require.Contains(t, looked.out, "column lead_id has a foreign key to crm.leads, not to app.acc")
	require.Contains(t, looked.out, "column lead_id is bigint, the key of app.acc is uuid")

	first := w.run("run", "--once")
	require.Zero(t, first.code, first.err)
	require.Equal(t, "3", w.value("SELECT count(*)::text FROM app.acc WHERE cid IS NOT NULL"))
	require.NotEqual(t, "0", w.value("SELECT count(*)::text FROM crm.contacts c JOIN app.acc a ON a.k = c.lead_id"))
	require.NotEqual(t, "0", w.value("SELECT count(*)::text FROM crm.opportunities o JOIN app.acc a ON a.k = o.lead_id JOIN crm.contacts c ON c.id = o.contact_id"))
	require.Equal(t, "0", w.value("SELECT count(*)::text FROM closesync.record_status WHERE state <> 'synced'"))
	require.Equal(t, "2", w.value("SELECT count(*)::text FROM pg_constraint WHERE confrelid = 'app.acc'::regclass AND confdeltype = 'c'"))
	require.Equal(t, "1", w.value("SELECT count(*)::text FROM pg_constraint WHERE confrelid = 'crm.contacts'::regclass AND confdeltype = 'n'"))
	require.Zero(t, w.run("check").code)

	w.exec(`WITH a AS (INSERT INTO app.acc (label) VALUES ('Made here') RETURNING k)
		INSERT INTO crm.contacts (lead_id, name) SELECT k, 'Child' FROM a`)
	w.exec("DELETE FROM app.acc WHERE k = (SELECT lead_id FROM crm.contacts WHERE close_id IS NOT NULL ORDER BY id LIMIT 1)")
	again := w.run("run", "--once")
	require.Zero(t, again.code, again.err)
	require.Equal(t, "1", w.value("SELECT count(*)::text FROM crm.contacts c JOIN app.acc a ON a.k = c.lead_id WHERE a.cid IS NOT NULL AND c.close_id IS NOT NULL AND name = 'Child'"))
	require.Equal(t, 3, w.close.Count("lead"), "one went, one came")
}

// What the mapping asks of the tables in vain stops the start with its place.
func TestRun_RefusesAMappingThatTheTablesNeverFitted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"objects:\n  lead:\n    table: nope.nope\n":                                                                                    ":3: objects.lead.table: there is no table nope.nope",
		"objects:\n  lead:\n    key: nope\n":                                                                                           `:3: objects.lead.key: crm.leads has no key column "nope"`,
		"objects:\n  lead:\n\n    close_id: nope\n":                                                                                    `:4: objects.lead.close_id: crm.leads has no column "nope"`,
		"objects:\n  lead:\n    on_close_delete: flag:nope\n":                                                                          ":3: objects.lead.on_close_delete: crm.leads: has no column nope",
		"objects:\n  lead:\n    on_close_delete: flag:custom_text\n":                                                                   ":3: objects.lead.on_close_delete: crm.leads: column custom_text is text",
		"objects:\n  lead:\n    fields:\n      - {close: url, column: url}\n      - {close: name, column: nope}\n":                     ":5: objects.lead.fields[1].column: crm.leads: has no column nope",
		"objects:\n  opportunity:\n    fields:\n      - {close: lead_id, column: lead_id}\n      - {close: value, column: date_won}\n": ":5: objects.opportunity.fields[1].column: crm.opportunities: column date_won is date",
	} {
		w := newWorld(t, 1)
		w.exec("ALTER TABLE crm.leads ADD custom_text text")
		w.configure(text)
		for _, command := range [][]string{{"run", "--once"}, {"plan"}, {"resync"}} {
			got := w.run(command...)
			require.Equal(t, 2, got.code, "%s %s", text, got.err)
			require.Contains(t, got.err, want)
		}
		require.Equal(t, 1, w.run("check").code, text)
		require.Equal(t, "0", w.value("SELECT count(*)::text FROM crm.leads"))
	}
}

// A column that fitted and was dropped stops its field alone, after a restart too.
func TestFault_C14_ADroppedColumnStopsNoStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.exec("ALTER TABLE crm.leads ADD label text")
	w.configure("objects: {lead: {fields: [{close: name, column: name}, {close: description, column: label}]}}")
	require.Zero(t, w.run("run", "--once").code)
	w.exec("ALTER TABLE crm.leads DROP label")
	w.exec("UPDATE crm.leads SET name = 'edited'")
	got := w.run("run", "--once")
	require.Zero(t, got.code, got.err)
	require.Equal(t, "edited", w.close.List("lead")[0]["name"])
}
