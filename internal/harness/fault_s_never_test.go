package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A row whose parent never goes to Close rests and says why; it goes once the
// parent has a Close id after all.
func TestFault_S15_ChildOfARowThatIsNeverSent(t *testing.T) {
	w := world(t, func(o *Options) {
		o.Objects = objects("lead", func(c *config) { c.Direction = "from_close" })
	})
	w.SQL("INSERT INTO crm.leads (id, name) VALUES (901, 'Stays here')")
	w.SQL("INSERT INTO crm.contacts (id, lead_id, name) VALUES (902, 901, 'Of it')")
	w.SQL("INSERT INTO crm.opportunities (id, lead_id, note) VALUES (903, 901, 'Of it too')")
	w.Settle()
	idle, err := w.Store.Idle(t.Context())
	require.NoError(t, err)
	require.True(t, idle, w.Get("SELECT string_agg(d::text, E'\\n') FROM closesync.dirty d"))
	for objectType, key := range map[string]string{"contact": "902", "opportunity": "903"} {
		require.Equal(t, "error/parent", w.Get("SELECT state || '/' || error_class FROM closesync.record_status WHERE object_type = $1 AND local_key = $2", objectType, key))
		require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE object_type = $1 AND local_key = $2", objectType, key), "not sent to Close (direction: from_close)")
	}
	require.Zero(t, w.writes())

	id, err := w.Close.Create("lead", map[string]any{"name": "Its counterpart"})
	require.NoError(t, err)
	w.SQL("UPDATE crm.leads SET close_id = $1 WHERE id = 901", id)
	w.all()
	require.Equal(t, "synced", w.Get("SELECT state FROM closesync.record_status WHERE object_type = 'contact' AND local_key = '902'"))
	require.Equal(t, id, w.field(w.Get("SELECT close_id FROM crm.contacts WHERE id = 902"), "lead_id"))
	w.rest()
}
