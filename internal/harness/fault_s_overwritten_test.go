package harness

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// overwrite has the row's statement pushed while somebody edits the record in
// Close between the worker's reading and its write.
func (w *World) overwrite(id string, meanwhile map[string]any, sql string, args ...any) {
	w.T.Helper()
	real := w.Engine.Remote
	w.Engine.Remote = &racing{real, func() { w.edit(id, meanwhile) }}
	w.SQL(sql, args...)
	w.Settle()
	w.Engine.Remote = real
}

func TestFault_S21_ItemsOfAListAreMergedBack(t *testing.T) {
	w := world(t, nil)
	id := w.ids("contact")[0]
	w.edit(id, map[string]any{"emails": []any{map[string]any{"email": "old@side.example", "type": "office"}, map[string]any{"email": "going@side.example", "type": "office"}}})
	w.all()
	// Meanwhile Close loses one item and gets another; the row gets a third.
	w.overwrite(id, map[string]any{"emails": []any{map[string]any{"email": "old@side.example", "type": "office"}, map[string]any{"email": "meanwhile@side.example", "type": "office"}}},
		`UPDATE crm.contacts SET emails = emails || '[{"email": "ours@side.example", "type": "office"}]' WHERE close_id = $1`, id)
	w.all()
	there, _ := w.Close.Get(id)
	text := fmt.Sprint(there["emails"])
	for _, in := range []string{"old@side.example", "meanwhile@side.example", "ours@side.example"} {
		require.Contains(t, text, in)
	}
	require.NotContains(t, text, "going@side.example")
	w.rest()
}

func TestFault_S21_AScalarGoesByPolicyAndTheLoserIsTold(t *testing.T) {
	for policy, wins := range map[mapping.Policy]string{mapping.PolicyClose: "meanwhile", mapping.PolicyNewest: "meanwhile", mapping.PolicyLocal: "ours"} {
		for _, field := range []string{"description", "custom"} {
			t.Run(string(policy)+" "+field, func(t *testing.T) {
				w := world(t, func(o *Options) { o.Objects = objects("lead", func(c *config) { c.Conflict = string(policy) }) })
				name, set := "description", "description = 'ours'"
				if field == "custom" {
					name = "custom." + w.Close.CustomField("lead", "Region note")
					set = fmt.Sprintf(`custom = custom || '{"%s": "ours"}'`, name[len("custom."):])
				}
				id := w.ids("lead")[0]
				w.overwrite(id, map[string]any{name: "meanwhile"}, "UPDATE crm.leads SET "+set+" WHERE close_id = $1", id)
				w.all()
				require.Equal(t, wins, w.field(id, name))
				require.Equal(t, name+" meanwhile ours resolved", w.conflict(id, "field || ' ' || (close_value #>> '{}') || ' ' || (local_value #>> '{}') || ' ' || status"))
				w.rest()
			})
		}
	}
}

// An answer that was lost hides our write as well; the reading after it ends it.
func TestFault_S21_OverwrittenByAWriteWithoutAnAnswer(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	w.Close.Fault(closetest.Fault{Method: "PUT", Path: "/lead/", Kind: closetest.FaultCutAfter, Times: 1})
	w.overwrite(id, map[string]any{"description": "meanwhile"}, "UPDATE crm.leads SET description = 'ours' WHERE close_id = $1", id)
	w.all()
	require.Equal(t, "meanwhile", w.field(id, "description"))
	require.Equal(t, "description ours", w.conflict(id, "field || ' ' || (local_value #>> '{}')"))
	w.rest()
}

// Close folds quick edits into one event, which tells nothing of what lay
// between them; but who reads the log in between has seen the first of them.
func TestFault_S21_FoldedIntoOurOwnEvent(t *testing.T) {
	w := world(t, func(o *Options) { o.Close.Consolidation = time.Hour })
	id := w.ids("lead")[0]
	real := w.Engine.Remote
	w.Engine.Remote = &racing{real, func() {
		w.edit(id, map[string]any{"description": "meanwhile"})
		_, _, err := w.Engine.Tail(context.Background())
		require.NoError(t, err)
	}}
	w.SQL("UPDATE crm.leads SET description = 'ours' WHERE close_id = $1", id)
	w.Settle()
	w.Engine.Remote = real
	w.all()
	require.Equal(t, "meanwhile", w.field(id, "description"))
	require.Equal(t, "ours", w.conflict(id, "local_value #>> '{}'"))
	w.rest()
}

// Two writes of ours that fold into one event overwrite nothing of anybody's,
// though the event tells of neither what the second of them had read.
func TestFault_S21_OurOwnFoldedWritesAreNoEdits(t *testing.T) {
	w := world(t, func(o *Options) { o.Close.Consolidation = time.Hour })
	id := w.ids("lead")[0]
	for _, v := range []string{"one", "two", "three"} {
		w.SQL("UPDATE crm.leads SET description = $2 WHERE close_id = $1", id, v)
		w.Settle()
	}
	w.all()
	require.Equal(t, "three", w.field(id, "description"))
	require.Empty(t, w.conflict(id, "field"))
	w.rest()
}
