package main

import (
	"slices"
	"sync"
	"time"

	"closesync/sync/engine"
	"closesync/sync/store"
)

// lags keeps the last times from notice to arrival, each direction by itself:
// of Close's changes to the commit of the row, of rows' to Close's answer.
type lags struct{ fromClose, toClose lagMeter }

func (l *lags) add(direction engine.Direction, lag time.Duration) {
	if direction == engine.ToClose {
		l.toClose.add(lag)
	} else {
		l.fromClose.add(lag)
	}
}

func (l *lags) status() (s store.Lag) {
	s.FromCloseP50, s.FromCloseP99 = l.fromClose.quantiles()
	s.ToCloseP50, s.ToCloseP99 = l.toClose.quantiles()
	return s
}

type lagMeter struct {
	mu   sync.Mutex
	ring []time.Duration
	next int
}

const lagSamples = 1024

func (m *lagMeter) add(lag time.Duration) {
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
