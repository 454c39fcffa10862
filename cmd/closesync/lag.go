package main

import (
	"slices"
	"sync"
	"time"
)

// lagMeter keeps the last times from notice to commit, for status.
type lagMeter struct {
	mu   sync.Mutex
	ring []time.Duration
	next int
}

const lagSamples = 1024

func newLagMeter() *lagMeter { return &lagMeter{} }

func (m *lagMeter) add(_ string, lag time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ring) < lagSamples {
		m.ring = append(m.ring, lag)
		return
	}
	m.ring[m.next] = lag
	m.next = (m.next + 1) % lagSamples
}

// quantiles gives the median and the 99th of 100, in seconds; zero without
// samples.
func (m *lagMeter) quantiles() (p50, p99 float64) {
	m.mu.Lock()
	sorted := slices.Clone(m.ring)
	m.mu.Unlock()
	if len(sorted) == 0 {
		return 0, 0
	}
	slices.Sort(sorted)
	return sorted[len(sorted)/2].Seconds(), sorted[len(sorted)*99/100].Seconds()
}
