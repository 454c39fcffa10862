package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"closesync/sync/engine"
)

// metrics registers what the worker counts. Labels hold names of connections
// and states only, never content of records.
func (a *app) metrics() prometheus.Gatherer {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reg.MustRegister(a.receipts.requests, a.receipts.age)
	for _, c := range a.conns {
		labels := prometheus.Labels{"connection": c.name}
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "closesync_close_requests_total",
			Help: "HTTP requests sent to Close.", ConstLabels: labels}, func() float64 { return float64(c.requests.Load()) }))
	}
	for direction, meter := range map[engine.Direction]*lagMeter{engine.FromClose: &a.lag.fromClose, engine.ToClose: &a.lag.toClose} {
		labels := prometheus.Labels{"direction": string(direction)}
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "closesync_lag_seconds_p50", ConstLabels: labels,
			Help: "Median of the last times from notice to arrival."}, func() float64 { p, _ := meter.quantiles(); return p }))
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "closesync_lag_seconds_p99", ConstLabels: labels,
			Help: "99th of 100 of the last times from notice to arrival."}, func() float64 { _, p := meter.quantiles(); return p }))
	}
	return reg
}
