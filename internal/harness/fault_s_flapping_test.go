package harness

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/engine"
)

func TestFault_S39_FlappingFieldIsSlowedDownAndStillEndsEqual(t *testing.T) {
	var ahead time.Duration
	w := world(t, func(o *Options) {
		o.Engine = func(e *engine.Options) { e.Now = func() time.Time { return time.Now().Add(ahead) } }
	})
	id := w.ids("lead")[0]
	before := w.writes()
	for i := range 30 {
		w.SQL("UPDATE crm.leads SET name = $2 WHERE close_id = $1", id, "toggle "+strconv.Itoa(i))
		w.Settle()
	}
	require.LessOrEqual(t, w.writes(), before+10)
	require.Equal(t, "pending", w.state("lead", id))
	// Others are not slowed down.
	other := w.ids("lead")[1]
	w.SQL("UPDATE crm.leads SET name = 'Other' WHERE close_id = $1", other)
	w.Settle()
	require.Equal(t, "Other", w.field(other, "name"))
	ahead = 2 * time.Minute
	w.due()
	w.all()
	require.Equal(t, "toggle 29", w.field(id, "name"))
	w.rest()
}
