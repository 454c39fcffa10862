package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"closesync/sync/webhook"
)

// senders is how many deliveries may be under way at once.
const senders = 256

// delivered is what became of a stream of deliveries.
type delivered struct {
	answers []time.Duration // from when a delivery was due to its 200
	at      []time.Time     // of the 200, by position; zero: refused
	refused int
	took    time.Duration
}

func (d *delivered) rate() float64 { return perSecond(len(d.answers), d.took) }

// atOnce is a rate at which all are due at once.
const atOnce = 1_000_000_000

// deliver posts the bodies at a fixed rate, signed as Close does.
func deliver(ctx context.Context, url string, rate int, changes []change) *delivered {
	stamp, sums := signAll(changes)
	return send(ctx, url, rate, changes, stamp, sums)
}

// send posts the bodies with the signatures given. Times count from when a delivery
// was due, not from when a sender was free: a slow receiver may not slow the
// clock that measures it.
func send(ctx context.Context, url string, rate int, changes []change, stamp string, sums []string) *delivered {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	d := &delivered{at: make([]time.Time, len(changes))}
	var next atomic.Int64
	var mu sync.Mutex
	var all sync.WaitGroup
	started := time.Now()
	for range senders {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(changes) {
					return
				}
				due := started.Add(time.Duration(i) * time.Second / time.Duration(rate))
				if pause(ctx, time.Until(due)) != nil {
					return
				}
				ok := post(ctx, client, url, changes[i].body, stamp, sums[i])
				now := time.Now()
				mu.Lock()
				if ok {
					d.at[i] = now
					d.answers = append(d.answers, now.Sub(due))
				} else {
					d.refused++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	d.took = time.Since(started)
	return d
}

// signAll signs beforehand: that is Close's work.
func signAll(changes []change) (stamp string, sums []string) {
	now := time.Now()
	sums = make([]string, len(changes))
	for i, c := range changes {
		stamp, sums[i] = webhook.Sign(hookKey, c.body, now)
	}
	return stamp, sums
}

func post(ctx context.Context, client *http.Client, url string, body []byte, stamp, sum string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Close-Sig-Timestamp", stamp)
	req.Header.Set("Close-Sig-Hash", sum)
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}
