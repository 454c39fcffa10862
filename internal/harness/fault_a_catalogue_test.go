package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// In the middle of a walk one field goes, one comes and one turns into another
// type: no value that was read under the old list is lost or emptied, and what
// came is here at the end.
func TestFault_A41_FieldsChangeDuringAWalk(t *testing.T) {
	heavy(t)
	for _, walk := range []string{"first load", "audit", "search"} {
		t.Run(walk, func(t *testing.T) {
			t.Parallel()
			w := New(t, Options{Close: closetest.Options{Seed: 141, Leads: 700}})
			leads := w.ids("lead")
			doomed, err := w.Close.AddCustomField("lead", map[string]any{"name": "Doomed", "type": "text"})
			require.NoError(t, err)
			turning, err := w.Close.AddCustomField("lead", map[string]any{"name": "Turning", "type": "number"})
			require.NoError(t, err)
			for _, id := range leads {
				w.edit(id, map[string]any{"custom." + doomed: "precious", "custom." + turning: 7})
			}
			if walk != "first load" {
				w.Load()
				for _, id := range leads {
					w.edit(id, map[string]any{"description": "makes the walk find it"})
				}
			}
			var fresh string
			e, p := w.leading(func(n int64) error {
				if n != 2 {
					return nil
				}
				fresh, err = w.Close.AddCustomField("lead", map[string]any{"name": "Fresh", "type": "text"})
				require.NoError(t, err)
				require.NoError(t, w.Close.DeleteCustomField(doomed))
				require.NoError(t, w.Close.UpdateCustomField(turning, map[string]any{"type": "text"}))
				for _, i := range []int{0, len(leads) / 2, len(leads) - 1} { // read already, and not yet
					w.edit(leads[i], map[string]any{"custom." + fresh: "new"})
				}
				return nil
			})
			require.NoError(t, e.Reference(t.Context()))
			switch walk {
			case "first load":
				require.NoError(t, e.Backfill(t.Context(), nil))
			case "audit":
				require.NoError(t, e.Audit(t.Context(), nil, nil))
			default:
				require.NoError(t, e.SearchChanged(t.Context(), "lead"))
			}
			require.Greater(t, p.read.Load(), int64(2), "the walk went on afterwards")
			w.Settle()
			w.Tail()
			w.Search()
			w.Audit()

			require.Equal(t, "3", w.Get("SELECT count(*) FROM crm.leads WHERE custom ->> $1 = 'new'", fresh))
			require.Equal(t, "700", w.Get("SELECT count(*) FROM crm.leads WHERE custom ->> $1 = '7'", turning))
			if walk != "first load" { // there the later pages do not show it any more
				require.Equal(t, "700", w.Get("SELECT count(*) FROM crm.leads WHERE custom ->> $1 = 'precious'", doomed))
			}
			require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state <> 'synced'"))
			require.Zero(t, w.writes(), "nothing of it is an edit of ours")
			for _, lead := range w.Close.List("lead") {
				for _, name := range []string{"custom." + fresh, "custom." + turning} {
					id, _ := lead["id"].(string)
					column := w.Get("SELECT custom ->> $2 FROM crm.leads WHERE close_id = $1", id, name[len("custom."):])
					require.Equal(t, w.field(id, name), column, "%s of %s", name, id)
				}
			}
		})
	}
}
