package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A mark as an event makes it, due since ever and never claimed, is due now.
func TestNextDue_OfANewMark(t *testing.T) {
	w := rested(t, 85, 1)
	w.SQL("INSERT INTO closesync.dirty (record_id, connection) SELECT id, connection FROM closesync.records LIMIT 1")
	wait, due, err := w.Store.NextDue(context.Background())
	require.NoError(t, err)
	require.True(t, due)
	require.Zero(t, wait)
}
