package main

import (
	"context"
	"fmt"
	"time"
)

// backlog is how many events Close keeps for a receiver that does not answer.
const backlog = 100_000

// acceptBacklog is how long it may take to have them all stored.
const acceptBacklog = 90 * time.Second

// measureBacklog delivers a full backlog as fast as it is taken.
func measureBacklog(ctx context.Context, b *bench) error {
	return b.withHooks(ctx, func(h *hooks, contacts []string) error {
		changes, err := h.makeChanges(ctx, contacts, backlog)
		if err != nil {
			return err
		}
		sent := deliver(ctx, h.url, atOnce, changes)
		last := time.Now()
		if err := h.settle(ctx, drainLimit); err != nil {
			return err
		}
		drained := time.Since(last)
		arrived, err := h.arrivals(ctx, changes, sent)
		if err != nil {
			return err
		}
		t := &b.table
		t.longer(fmt.Sprintf("%d webhooks at once: accepted", backlog), sent.took, 0, acceptBacklog)
		t.exact("  refused", int64(sent.refused), 0)
		t.exact("  lost", int64(arrived.lost), 0)
		t.longer("  time to drain", drained, 0, 0)
		return nil
	})
}
