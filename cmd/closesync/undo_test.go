package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Do and undo leave both sides as they were.
func TestSecurity_52_UndoRestoresBothSides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	require.Zero(t, w.run("run", "--once").code)
	id := w.text(`SELECT close_id FROM crm.contacts ORDER BY id LIMIT 1`)
	home := w.text(`SELECT close_id FROM crm.leads WHERE id = (SELECT lead_id FROM crm.contacts WHERE close_id = $1)`, id)
	before := w.text(`SELECT (to_jsonb(c) - 'date_updated' - 'updated_by')::text FROM crm.contacts c WHERE close_id = $1`, id)
	there, _ := w.close.Get(id)

	w.exec(`UPDATE crm.contacts SET title = 'Other', emails = '[]', lead_id = (SELECT id FROM crm.leads WHERE close_id <> $2) WHERE close_id = $1`, id, home)
	require.Zero(t, w.run("run", "--once").code)
	now, _ := w.close.Get(id)
	require.Equal(t, "Other", now["title"])
	require.NotEqual(t, home, now["lead_id"])

	entry := w.text(`SELECT max(id)::text FROM closesync.journal WHERE close_id = $1 AND direction = 'to_close'`, id)
	got := w.run("undo", entry)
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.err, "3 fields")
	require.Zero(t, w.run("run", "--once").code)
	now, _ = w.close.Get(id)
	for _, field := range []string{"title", "emails", "lead_id"} {
		require.Equal(t, there[field], now[field], field)
	}
	require.Equal(t, before, w.text(`SELECT (to_jsonb(c) - 'date_updated' - 'updated_by')::text FROM crm.contacts c WHERE close_id = $1`, id))

	got = w.run("undo", entry)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "changed again since", "undone already")
	require.Equal(t, exitFailed, w.run("undo", "99999").code)
	require.Equal(t, exitUsage, w.run("undo", "cont_1").code)
}
