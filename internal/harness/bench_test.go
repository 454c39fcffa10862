package harness

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// BenchmarkBackfill loads leads with two contacts and an opportunity each.
func BenchmarkBackfill(b *testing.B) {
	const leads = 5000
	for b.Loop() {
		b.StopTimer()
		w := New(b, Options{Close: closetest.Options{Seed: 1, Leads: leads, PadBytes: 1500, NoHistory: true}})
		b.StartTimer()
		require.NoError(b, w.Engine.Backfill(context.Background(), nil))
	}
	b.ReportMetric(float64(leads)*float64(b.N)/b.Elapsed().Seconds(), "leads/s")
}
