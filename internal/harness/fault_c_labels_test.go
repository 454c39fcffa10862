package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFault_C20_TwoRowsExchangeTheirCloseIDs: the ids are ours and are put back,
// whether the rows are looked at together or one after the other.
func TestFault_C20_TwoRowsExchangeTheirCloseIDs(t *testing.T) {
	w := world(t, nil)
	labels := "SELECT string_agg(id || ' ' || close_id, ',' ORDER BY id) FROM crm.leads"
	before := w.Get(labels)
	exchange := func() {
		w.SQL(`UPDATE crm.leads SET close_id = 'aside' || id WHERE id IN (1, 2)`)
		w.SQL(`UPDATE crm.leads l SET close_id = o.close_id FROM closesync.records o
			WHERE o.object_type = 'lead' AND l.id IN (1, 2) AND o.local_key = (3 - l.id)::text`)
	}
	exchange()
	require.NotEqual(t, before, w.Get(labels))
	w.due()
	require.Equal(t, before, w.Get(labels))

	exchange()
	_, _, err := w.Store.Absorb(t.Context(), 100)
	require.NoError(t, err)
	for _, key := range []string{"1", "2", "1"} {
		w.SQL(`UPDATE closesync.dirty SET not_before = CASE WHEN record_id = (SELECT id FROM closesync.records
			WHERE object_type = 'lead' AND local_key = $1) THEN '-infinity' ELSE now() + interval '1 hour' END`, key)
		w.Settle()
	}
	w.due()
	require.Equal(t, before, w.Get(labels))
	require.Empty(t, w.errorOf("state = 'error'"))
	require.Zero(t, w.writes())
	w.Equal()
}
