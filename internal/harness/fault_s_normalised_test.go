package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// The answer to a write is lost, Close keeps the number in a form of its own,
// and the row is set back meanwhile: what arrived is no news of Close.
func TestFault_S19_LostAnswerToANumberThatCloseCompletes(t *testing.T) {
	w := world(t, nil)
	id := w.ids("contact")[0]
	w.edit(id, map[string]any{"phones": []any{}})
	w.all()
	w.Close.Fault(closetest.Fault{Method: "PUT", Path: "/contact/", Kind: closetest.FaultTruncate, Times: 2})
	w.SQL(`UPDATE crm.contacts SET phones = '[{"phone": "+14155550018", "type": "office"}]' WHERE close_id = $1`, id)
	_, err := w.Engine.Cycle(context.Background())
	require.NoError(t, err)
	_, err = w.Engine.Run(context.Background())
	require.NoError(t, err)
	w.Close.ClearFaults()
	w.SQL("UPDATE crm.contacts SET phones = '[]' WHERE close_id = $1", id)
	w.due()
	w.all()
	require.Equal(t, "[]", w.field(id, "phones"))
	w.rest()
}
