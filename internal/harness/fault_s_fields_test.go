package harness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

func TestFault_S22_RemovedCustomFieldKeepsLocalValues(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Doomed", "type": "text"})
	require.NoError(t, err)
	w.edit(id, map[string]any{"custom." + field: "precious"})
	w.all()
	value := func() string { return w.Get("SELECT custom ->> $2 FROM crm.leads WHERE close_id = $1", id, field) }
	require.Equal(t, "precious", value())
	require.NoError(t, w.Close.DeleteCustomField(field))
	w.edit(id, map[string]any{"name": "Still synced"})
	w.Tail()
	w.Search()
	w.Audit()
	require.Equal(t, "precious", value(), "no nulls spread")
	w.SQL("UPDATE crm.leads SET description = 'ours', custom = custom || jsonb_build_object($2::text, 'edited here') WHERE close_id = $1", id, field)
	w.Settle()
	w.Tail()
	w.Audit()
	require.Equal(t, "edited here", value(), "the answer to a write spreads no null either")
	require.Equal(t, "ours", w.field(id, "description"))
	require.Equal(t, "Still synced", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", id))
	require.Equal(t, "synced", w.state("lead", id))
	before := w.writes()
	w.Audit()
	w.Tail()
	require.Equal(t, before, w.writes())
}

func TestFault_S22_EmptiedCustomFieldIsEmptied(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Notes", "type": "text"})
	require.NoError(t, err)
	w.edit(id, map[string]any{"custom." + field: "text"})
	w.all()
	w.edit(id, map[string]any{"custom." + field: nil})
	w.all()
	require.Empty(t, w.Get("SELECT custom ->> $2 FROM crm.leads WHERE close_id = $1", id, field))
	w.edit(id, map[string]any{"custom." + field: "again"})
	w.all()
	w.SQL("UPDATE crm.leads SET custom = custom - $2 WHERE close_id = $1", id, field)
	w.all()
	require.Empty(t, w.field(id, "custom."+field))
	w.rest()
}

func TestFault_S23_FieldInConversionRests(t *testing.T) {
	w := world(t, func(o *Options) { o.Close.ConvertDelay = 300 * time.Millisecond })
	id := w.ids("lead")[0]
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Turning", "type": "number"})
	require.NoError(t, err)
	w.edit(id, map[string]any{"custom." + field: 7})
	w.all()
	require.NoError(t, w.Close.UpdateCustomField(field, map[string]any{"type": "text"}))
	require.NoError(t, w.Engine.Reference(context.Background()))
	before := w.writes()
	w.SQL("UPDATE crm.leads SET custom = custom || jsonb_build_object($2::text, 'eight') WHERE close_id = $1", id, field)
	w.Settle()
	require.Equal(t, before, w.writes(), "nothing is sent during the conversion")
	require.Equal(t, "eight", w.Get("SELECT custom ->> $2 FROM crm.leads WHERE close_id = $1", id, field))
	w.SQL("SELECT pg_sleep(0.35)")
	require.NoError(t, w.Engine.Reference(context.Background()))
	w.Tail()
	w.Audit()
	require.NotEmpty(t, w.Get("SELECT custom ->> $2 FROM crm.leads WHERE close_id = $1", id, field))
}

// Close's list of custom fields fails. The record with an emptied one waits for
// it; nobody else does.
func TestFault_S22_AFailingListHoldsUpNobodyElse(t *testing.T) {
	w := rested(t, 61, 4)
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Notes", "type": "text"})
	require.NoError(t, err)
	emptied := w.Get("SELECT close_id FROM crm.leads WHERE id = 1")
	innocent := w.Get("SELECT close_id FROM crm.leads WHERE id = 2")
	require.NoError(t, w.Close.Update(emptied, map[string]any{"custom." + field: "text"}))
	w.Tail()
	w.Close.Fault(closetest.Fault{Path: "/custom_field/", Kind: closetest.FaultStatus, Status: 500})
	require.NoError(t, w.Close.Update(emptied, map[string]any{"custom." + field: nil}))
	w.SQL("UPDATE crm.leads SET description = 'innocent' WHERE id = 2")
	ctx := context.Background()
	_, _, err = w.Engine.Tail(ctx)
	require.NoError(t, err)
	for range 3 {
		_, err = w.Engine.Run(ctx)
		require.NoError(t, err)
	}
	got, _ := w.Close.Get(innocent)
	require.Equal(t, "innocent", got["description"])
	filled := "SELECT count(*) FROM crm.leads WHERE close_id = $1 AND custom::text LIKE '%text%'"
	require.Equal(t, "1", w.Get(filled, emptied), "empty or removed: not known yet")
	w.Close.ClearFaults()
	require.Eventually(t, func() bool {
		_, err := w.Engine.Run(ctx)
		return err == nil && w.Get(filled, emptied) == "0"
	}, waitLong, waitStep)
}
