package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A custom field gets a column of its own, as the README proposes, loses it
// again, and an ordinary field changes its column: the column is filled from
// Close, and nothing is emptied there.
func TestFault_D15_AFieldInAnotherColumnIsNoEdit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	tier, err := w.close.AddCustomField("lead", map[string]any{"name": "Tier", "type": "text"})
	require.NoError(t, err)
	leads := w.close.List("lead")
	for i, l := range leads {
		require.NoError(t, w.close.Update(l["id"].(string), map[string]any{"custom." + tier: fmt.Sprint("gold ", i), "description": fmt.Sprint("about ", i)}))
	}
	require.Zero(t, w.run("run", "--once").code)
	w.exec(`ALTER TABLE crm.leads ADD COLUMN tier text, ADD COLUMN about text`)
	w.exec(`UPDATE crm.leads SET about = 'was here' WHERE close_id = $1`, leads[0]["id"])

	const others = "{close: name, column: name}, {close: status_id, column: status_id}"
	for _, fields := range []string{
		"{close: description, column: description}, {close: custom." + tier + ", column: tier}",
		"{close: description, column: about}",
		"{close: description, column: about}, {close: custom." + tier + ", column: tier}",
		"",
	} {
		text := "objects: {lead: {fields: [" + others + ", " + fields + "]}}\n"
		if fields == "" {
			text = "{}\n"
		}
		w.configure(text)
		shown := w.run("plan", "lead")
		require.Zero(t, shown.code, shown.err)
		require.NotContains(t, shown.out, "│ close ", "%s", fields)
		got := w.run("run", "--once", "--resync", "lead")
		require.Zero(t, got.code, got.err)
		for i, l := range leads {
			now, _ := w.close.Get(l["id"].(string))
			require.Equal(t, fmt.Sprint("gold ", i), now["custom."+tier], "%s", fields)
			require.Equal(t, fmt.Sprint("about ", i), now["description"], "%s", fields)
		}
	}
	require.Equal(t, "0", w.value(`SELECT count(*)::text FROM closesync.journal WHERE direction = 'to_close'`))
	require.Equal(t, "4", w.value(`SELECT count(*)::text FROM crm.leads WHERE tier LIKE 'gold %' AND tier = custom ->> $1 AND about LIKE 'about %' AND about = description`, tier))
	require.Equal(t, `"was here"`, w.value(`SELECT local_value::text FROM closesync.conflicts WHERE field = 'description'`), "what lost is kept")
	// From here on both are edited as ever.
	w.exec(`UPDATE crm.leads SET custom = '{}' WHERE close_id = $1`, leads[1]["id"])
	require.Zero(t, w.run("run", "--once").code)
	now, _ := w.close.Get(leads[1]["id"].(string))
	require.Nil(t, now["custom."+tier])
}

// The rows of another table, or under another key, are not those that are
// linked: nothing is done before somebody says what is meant.
func TestFault_D15_AnotherTableIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	require.Zero(t, w.run("run", "--once").code)
	w.exec(`CREATE TABLE crm.accounts (LIKE crm.leads INCLUDING ALL)`)
	w.exec(`INSERT INTO crm.accounts (name) VALUES ('A stranger')`)
	w.exec(`ALTER TABLE crm.leads ADD COLUMN number bigint UNIQUE`)
	w.close.ResetRequests()
	for _, lead := range []string{"table: crm.accounts", "key: number"} {
		w.configure("objects: {lead: {" + lead + "}}\n")
		for _, args := range [][]string{{"run"}, {"run", "--once"}, {"resync"}, {"plan"}} {
			got := w.run(args...)
			require.Equal(t, 2, got.code, "%v: %s", args, got.err)
			require.Contains(t, got.err, "mapped elsewhere than before", "%v", args)
		}
		got := w.run("check")
		require.Equal(t, 1, got.code)
		require.Contains(t, got.out, "FAIL mapping: mapped elsewhere than before")
	}
	for _, r := range w.close.Requests() {
		require.Equal(t, "GET", r.Method)
	}
	require.Equal(t, "3", w.value(`SELECT count(*)::text FROM crm.leads`))

	// What is only renamed is the same.
	w.exec(`ALTER TABLE crm.leads RENAME TO firms`)
	w.exec(`ALTER TABLE crm.firms RENAME COLUMN id TO number2`)
	w.configure("objects: {lead: {table: crm.firms, key: number2}}\n")
	got := w.run("run", "--once", "--resync", "all")
	require.Zero(t, got.code, got.err)
	require.Equal(t, "3", w.value(`SELECT count(*)::text FROM crm.firms`))
	require.Len(t, w.close.List("lead"), 3)
}
