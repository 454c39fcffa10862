package closeapi

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The end of the caller's context does not cut a write that is under way, since
// nobody would know then whether it happened; one not yet sent is not sent.
func TestFault_D5_WriteUnderWayIsNotCut(t *testing.T) {
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := b.on("lead/lead_1/", func(w http.ResponseWriter, r *http.Request) {
		cancel()
		select {
		case <-r.Context().Done():
			t.Error("the write was cut")
		case <-time.After(100 * time.Millisecond): // what a cut takes to arrive here
		}
		answer(200, `{"id":"lead_1"}`)(w, r)
	})
	_, err := b.UpdateRaw(ctx, "lead", "lead_1", []byte(`{}`))
	require.NoError(t, err)
	_, err = b.UpdateRaw(ctx, "lead", "lead_1", []byte(`{}`))
	require.ErrorIs(t, err, context.Canceled)
	var unknown *UnknownOutcomeError
	require.NotErrorAs(t, err, &unknown)
	require.Equal(t, 1, n())
}
