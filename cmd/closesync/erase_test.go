package main

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const canary = "Zyxwv Canary"

// A person who left traces in every table is in none of them afterwards, nor
// after the events of the deletion have come in.
func TestSecurity_27_EraseLeavesNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	require.Zero(t, w.run("run", "--once").code)
	lead := w.close.List("lead")[0]["id"].(string)
	w.exec(`INSERT INTO crm.contacts (lead_id, name, emails) SELECT id, $2, $3 FROM crm.leads WHERE close_id = $1`, lead, canary,
		`[{"email":"canary@example.com","type":"office"}]`)
	require.Zero(t, w.run("run", "--once").code)
	// A conflict, a change from Close, and hints that are not absorbed yet.
	contact := w.text(`SELECT close_id FROM crm.contacts WHERE name = $1`, canary)
	require.NoError(t, w.close.Update(contact, map[string]any{"title": canary + " there"}))
	w.exec(`UPDATE crm.contacts SET title = $1 WHERE close_id = $2`, canary+" here", contact)
	require.Zero(t, w.run("run", "--once").code)
	w.exec(`UPDATE crm.contacts SET title = $1 WHERE close_id = $2`, canary+" again", contact)
	for _, table := range []string{"crm.contacts", "closesync.inbox", "closesync.journal_log", "closesync.conflict_log", "closesync.records"} {
		require.Contains(t, w.tablesWith("canary"), table, "the test leaves a trace where it means to")
	}

	got := w.run("erase", contact)
	require.Equal(t, exitFailed, got.code, "no answer is no")
	require.NotEmpty(t, w.tablesWith("canary"))
	got = w.run("erase", "--yes", contact)
	require.Zero(t, got.code, got.err)
	require.Empty(t, w.tablesWith("canary"))
	for _, c := range w.close.List("contact") {
		require.NotEqual(t, contact, c["id"])
	}
	require.Zero(t, w.run("run", "--once").code)
	require.Empty(t, w.tablesWith("canary"), "the event of the deletion tells everything once more")
	require.Equal(t, "1", w.text(`SELECT count(*)::text FROM closesync.inbox WHERE object_id = $1 AND action = 'deleted'`, contact))
}

// A lead takes its children along, also those whose rows Close made.
func TestSecurity_27_EraseTakesChildrenAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	require.Zero(t, w.run("run", "--once").code)
	require.NotEqual(t, "0", w.text(`SELECT count(*)::text FROM crm.contacts`))
	require.Zero(t, w.run("erase", "--yes", "lead/"+w.text(`SELECT id::text FROM crm.leads`)).code)
	for _, table := range []string{"leads", "contacts", "opportunities"} {
		require.Equal(t, "0", w.text(`SELECT count(*)::text FROM crm.`+table), table)
	}
	require.Equal(t, "0", w.text(`SELECT count(*)::text FROM closesync.records WHERE base IS NOT NULL OR state <> 'deleted'`))
	require.Empty(t, w.close.List("lead"))
	require.Equal(t, exitFailed, w.run("erase", "--yes", "lead_unknown").code)
}

func (w *world) text(sql string, args ...any) string {
	w.t.Helper()
	var v string
	require.NoError(w.t, w.pool.QueryRow(w.t.Context(), sql, args...).Scan(&v))
	return v
}

// tablesWith lists the tables of which some row, written out, holds a word.
func (w *world) tablesWith(word string) []string {
	w.t.Helper()
	rows, err := w.pool.Query(w.t.Context(), `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')`)
	require.NoError(w.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(w.t, err)
	var found []string
	for _, table := range tables {
		text := "t::text"
		if table == "closesync.inbox" {
			text = "encode(t.body, 'escape')"
		}
		if w.text(fmt.Sprintf(`SELECT count(*)::text FROM %s t WHERE %s ILIKE '%%' || $1 || '%%'`, table, text), word) != "0" {
			found = append(found, table)
		}
	}
	return found
}
