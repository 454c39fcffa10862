package main

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"closesync/sync/webhook"
)

// Every delivery is counted; the log tells of a flood of forged ones once a
// minute.
func TestFault_B17_RefusalsAreCountedAndToldOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var log bytes.Buffer
	r := newReceipts(slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	forged := webhook.Outcome{Connection: "default", Status: 401, Reason: "signature"}
	r.observe(webhook.Outcome{Connection: "default", Status: 200, Age: 2 * time.Second})
	require.Empty(t, log.String())
	for range 100 {
		r.observe(forged)
	}
	require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("refused")))
	now = now.Add(refusalEvery)
	r.observe(forged)
	require.Equal(t, 2, bytes.Count(log.Bytes(), []byte("refused")))

	reg := prometheus.NewRegistry()
	reg.MustRegister(r.requests, r.age)
	all, err := reg.Gather()
	require.NoError(t, err)
	counts := map[string]float64{}
	for _, family := range all {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "reason" {
					counts[l.GetValue()] = m.GetCounter().GetValue()
				}
			}
			if h := m.GetHistogram(); h != nil {
				counts["age"] = h.GetSampleSum()
			}
		}
	}
	require.Equal(t, map[string]float64{"": 1, "signature": 101, "age": 2}, counts)
}
