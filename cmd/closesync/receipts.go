package main

import (
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"closesync/sync/webhook"
)

// refusalEvery is how often the log tells of refused deliveries: anybody can
// send them, as fast as they like.
const refusalEvery = time.Minute

// receipts counts what became of deliveries. A wrong signature key, or a clock
// that is wrong, shows here and nowhere else.
type receipts struct {
	requests *prometheus.CounterVec
	age      prometheus.Histogram
	log      *slog.Logger
	now      func() time.Time
	told     atomic.Int64 // when the log told of a refusal last, in Unix seconds
}

func newReceipts(log *slog.Logger, now func() time.Time) *receipts {
	return &receipts{log: log, now: now,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "closesync_webhook_requests_total",
			Help: "Requests to the webhook receiver by what became of them."}, []string{"connection", "status", "reason"}),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "closesync_webhook_signature_age_seconds",
			Help:    "Time from signing to receiving; far from zero in the middle, a clock is wrong.",
			Buckets: []float64{-3600, -60, -5, 0, 1, 5, 60, 900, 3600, 86400}}),
	}
}

// observe fits webhook.Options.Observe.
func (r *receipts) observe(o webhook.Outcome) {
	r.requests.WithLabelValues(o.Connection, strconv.Itoa(o.Status), o.Reason).Inc()
	if o.Status == http.StatusOK {
		r.age.Observe(o.Age.Seconds())
	}
	if o.Status != http.StatusUnauthorized {
		return
	}
	now, told := r.now().Unix(), r.told.Load()
	if now-told >= int64(refusalEvery.Seconds()) && r.told.CompareAndSwap(told, now) {
		r.log.Warn("a delivery was refused: it is forged, or the signature key is not the subscription's", "connection", o.Connection, "reason", o.Reason)
	}
}
