package harness

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

const filtered = `{"type":"field_condition","field":{"type":"regular_field","object_type":"lead","field_name":"name"},"condition":{"type":"text","mode":"full_words","value":"Scoped"}}`

func TestFault_S36_EnteringAndLeavingTheFilter(t *testing.T) {
	w := New(t, Options{Objects: objects("lead", func(c *config) { c.Filter = []byte(filtered) })})
	lead := func(name string) (string, string) {
		id, err := w.Close.Create("lead", map[string]any{"name": name})
		require.NoError(t, err)
		kid, err := w.Close.Create("contact", map[string]any{"lead_id": id, "name": "Kid of " + name})
		require.NoError(t, err)
		return id, kid
	}
	in, inKid := lead("Scoped one")
	out, _ := lead("Other one")
	w.Load()
	look := func() { w.Settle(); w.Tail(); w.Search(); w.Audit(); w.Search() }
	rows := func() string {
		return fmt.Sprint(w.Get("SELECT count(*) FROM crm.leads"), " ", w.Get("SELECT count(*) FROM crm.contacts"))
	}
	look()
	require.Equal(t, "1 1", rows())
	// Leaving: the rows stay, and nothing goes either way.
	w.edit(in, map[string]any{"name": "Left"})
	look()
	require.Equal(t, "1 1", rows())
	require.Equal(t, "detached", w.state("lead", in))
	before := w.writes()
	w.SQL("UPDATE crm.leads SET description = 'edited outside' WHERE close_id = $1", in)
	w.SQL("DELETE FROM crm.contacts WHERE close_id = $1", inKid)
	look()
	require.Equal(t, before, w.writes())
	require.Equal(t, "Scoped one", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", in))
	// Entering: created here, or joined again.
	w.edit(out, map[string]any{"name": "Scoped two"})
	w.edit(in, map[string]any{"name": "Scoped again"})
	look()
	require.Equal(t, "2 2", rows())
	require.Equal(t, "synced", w.state("lead", in))
	require.Equal(t, "edited outside", w.field(in, "description"))
	w.rest()
}
