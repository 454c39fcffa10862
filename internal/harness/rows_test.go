package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// A row that holds what the mapping cannot understand is parked with the
// reason and left as it is; the rest goes on, and the mending edit goes out.
func TestPush_UnreadableRowHoldsUpNobody(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 5, Leads: 5}})
	w.Load()
	w.SQL(`UPDATE crm.leads SET addresses = '{"a": 1}' WHERE id = 1`)
	w.SQL(`UPDATE crm.leads SET custom = '[]' WHERE id = 2`)
	w.SQL(`INSERT INTO crm.leads (name, addresses) VALUES ('Bad', '[1, 2]')`)
	w.SQL(`UPDATE crm.leads SET name = 'Good' WHERE id = 3`)
	w.Settle()
	require.Equal(t, "3", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error' AND last_error <> ''"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'pending'"))
	require.Equal(t, `{"a": 1}`, w.Get("SELECT addresses FROM crm.leads WHERE id = 1"), "left as the user wrote it")
	w.Audit()
	w.SQL(`UPDATE crm.leads SET addresses = '[]', name = 'Mended' WHERE id = 1`)
	w.SQL(`UPDATE crm.leads SET custom = '{}' WHERE id = 2`)
	w.SQL(`UPDATE crm.leads SET addresses = '[]' WHERE name = 'Bad'`)
	w.Settle()
	w.Equal()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state = 'error'"))
}

func TestPush_ChangedCloseIDIsPutBack(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 6, Leads: 3}})
	w.Load()
	w.SQL(`UPDATE crm.leads SET close_id = NULL WHERE id = 1`)
	w.SQL(`UPDATE crm.leads SET close_id = 'lead_bogus' WHERE id = 2`)
	w.Settle()
	w.Equal()
}
