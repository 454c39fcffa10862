package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// The key of a row changes after its last hint was absorbed and before a cycle
// decides on it: nothing under the old key is no delete.
func TestFault_C29_KeyChangesBetweenAbsorbAndDecide(t *testing.T) {
	for name, change := range map[string]string{
		"update":            "UPDATE crm.opportunities SET id = 9001 WHERE id = 1",
		"chain":             "UPDATE crm.opportunities SET id = 9000 WHERE id = 1; UPDATE crm.opportunities SET id = 9001 WHERE id = 9000",
		"without Close id":  "UPDATE crm.opportunities SET id = 9001, close_id = NULL WHERE id = 1",
		"delete and insert": "CREATE TEMP TABLE kept AS SELECT * FROM crm.opportunities WHERE id = 1; DELETE FROM crm.opportunities WHERE id = 1; UPDATE kept SET id = 9001; INSERT INTO crm.opportunities SELECT * FROM kept; DROP TABLE kept",
	} {
		t.Run(name, func(t *testing.T) {
			w := rested(t, 29, 6)
			ctx := context.Background()
			id := w.Get("SELECT close_id FROM crm.opportunities WHERE id = 1")
			w.SQL("UPDATE crm.opportunities SET note = 'x' WHERE id = 1")
			_, _, err := w.Store.Absorb(ctx, 100)
			require.NoError(t, err)
			w.SQL(change)
			_, err = w.Engine.Cycle(ctx)
			require.NoError(t, err)
			require.NotContains(t, w.changing(), "DELETE /api/v1/opportunity/"+id+"/")
			w.Settle()
			_, there := w.Close.Get(id)
			require.True(t, there, "deleted in Close")
			require.Equal(t, "9001", w.Get("SELECT local_key FROM closesync.records WHERE close_id = $1", id))
			require.Equal(t, id, w.Get("SELECT close_id FROM crm.opportunities WHERE id = 9001"))
			require.Len(t, w.Close.List("opportunity"), 6)
			w.Equal()
		})
	}
}
