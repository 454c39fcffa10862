package harness

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFault_S39_FlappingFieldIsSlowedDownAndStillEndsEqual(t *testing.T) {
	w := world(t, nil)
	id := w.ids("lead")[0]
	before := w.writes()
	for i := range 30 {
		w.SQL("UPDATE crm.leads SET name = $2 WHERE close_id = $1", id, "toggle "+strconv.Itoa(i))
		w.Settle()
		if i%7 == 0 {
			w.anew()
		}
	}
	require.LessOrEqual(t, w.writes(), before+10)
	require.Equal(t, "pending", w.state("lead", id))
	// Others are not slowed down.
	other := w.ids("lead")[1]
	w.SQL("UPDATE crm.leads SET name = 'Other' WHERE close_id = $1", other)
	w.Settle()
	require.Equal(t, "Other", w.field(other, "name"))
	w.age("2 minutes")
	w.due()
	w.all()
	require.Equal(t, "toggle 29", w.field(id, "name"))
	require.Equal(t, "synced", w.state("lead", id), "one program alone is no loop")
	w.rest()
}
