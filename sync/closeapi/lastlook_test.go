package closeapi

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// The look comes after the wait at a closed gate, before each attempt, and
// what it forbids was certainly not sent.
func TestLastLookIsAfterEveryWait(t *testing.T) {
	b := setup(t)
	sent := b.on("lead/lead_1/", answer(429, `{}`, "RateLimit", "limit=10, remaining=0, reset=3"), answer(200, lead1))
	stopped := errors.New("stopped")
	began := b.clock.Now()
	ctx := WithLastLook(t.Context(), func(context.Context) error {
		if b.clock.Now().After(began) {
			return stopped
		}
		return nil
	})
	_, err := b.UpdateRaw(ctx, "lead", "lead_1", []byte(`{"name":"x"}`))
	require.ErrorIs(t, err, stopped)
	var unknown *UnknownOutcomeError
	require.NotErrorAs(t, err, &unknown)
	require.Equal(t, 1, sent())
	_, err = b.UpdateRaw(t.Context(), "lead", "lead_1", []byte(`{"name":"x"}`))
	require.NoError(t, err)
	require.Equal(t, 2, sent())
}
