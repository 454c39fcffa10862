package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What a search found names its run in the journal.
func TestSearch_TheJournalNamesItsRun(t *testing.T) {
	w := rested(t, 24, 2)
	id := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	require.NoError(t, w.Close.Update(id, map[string]any{"name": "found by a search"}))
	w.Search()
	require.Equal(t, "found by a search", w.Get("SELECT name FROM crm.leads WHERE id = 1"))
	require.Equal(t, "search lead done", w.Get(`SELECT DISTINCT r.kind || ' ' || r.object_type || ' ' || r.state FROM closesync.journal_log j
		LEFT JOIN closesync.run_log r ON r.id = j.run_id WHERE j.close_id = $1 AND j.cause ->> 'source' = 'search'`, id))
}
