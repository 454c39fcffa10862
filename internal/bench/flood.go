package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	forgedHooks  = 10_000 // forged webhooks/s
	genuineHooks = 100    // genuine ones/s beside them
)

// measureFlood delivers genuine webhooks while somebody without the key sends a
// hundred times as many.
func measureFlood(ctx context.Context, b *bench) error {
	return b.withHooks(ctx, func(h *hooks, contacts []string) error {
		changes, err := h.makeChanges(ctx, contacts, genuineHooks*b.seconds)
		if err != nil {
			return err
		}
		h.lookups.Store(0)
		var forged, genuine *delivered
		var both sync.WaitGroup
		both.Go(func() { forged = h.forge(ctx, changes) })
		both.Go(func() { genuine = deliver(ctx, h.url, genuineHooks, changes) })
		both.Wait()
		lookups := h.lookups.Load()
		if err := h.settle(ctx, drainLimit); err != nil {
			return err
		}
		arrived, err := h.arrivals(ctx, changes, genuine)
		if err != nil {
			return err
		}
		var stored int64
		if err := h.pool.QueryRow(ctx, "SELECT count(*) FROM closesync.inbox WHERE source = 'webhook'").Scan(&stored); err != nil {
			return err
		}
		t := &b.table
		what := fmt.Sprintf("%d forged webhooks/s for %d s", forgedHooks, b.seconds)
		t.slower(what+": refused", "/s", perSecond(forged.refused, forged.took), forgedHooks, 0.95*forgedHooks)
		t.exact("  accepted", int64(len(forged.answers)), 0)
		t.exact("  stored beside the genuine", stored-int64(len(changes)), 0)
		t.atMost("  look-ups of the key each second", float64(lookups)/forged.took.Seconds(), 0, 1)
		t.way(fmt.Sprintf("  %d genuine/s beside them: answer", genuineHooks), genuine.answers, nil, 0, time.Second)
		t.exact("  lost", int64(arrived.lost+genuine.refused), 0)
		return nil
	})
}

// forge delivers genuine contents with a signature that nobody made.
func (h *hooks) forge(ctx context.Context, changes []change) *delivered {
	list := make([]change, forgedHooks*h.b.seconds)
	sums := make([]string, len(list))
	for i := range list {
		list[i], sums[i] = changes[i%len(changes)], strings.Repeat("0", 64)
	}
	return send(ctx, h.url, forgedHooks, list, fmt.Sprint(time.Now().Unix()), sums)
}
