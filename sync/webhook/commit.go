package webhook

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errStopped says that the receiver no longer takes deliveries.
var errStopped = errors.New("webhook: stopped")

// waiting is one delivery whose request waits for the commit.
type waiting struct {
	delivery Delivery
	done     chan error // holds one; the committer never blocks on it
}

// committer turns many waiting requests into few calls of the Sink. While one
// commit runs, the requests that arrive gather for the next: no delay is added
// when there is little to do, and batches grow by themselves when there is much.
type committer struct {
	sink     Sink
	maxBatch int
	timeout  time.Duration
	queue    chan waiting

	mu       sync.RWMutex // held for reading while a request is enqueued
	stopped  bool
	finished sync.WaitGroup
}

func newCommitter(sink Sink, maxBatch int, timeout time.Duration) *committer {
	return &committer{sink: sink, maxBatch: maxBatch, timeout: timeout, queue: make(chan waiting, 4*maxBatch)}
}

// start runs n loops until stop. ctx carries values to the Sink; its end does
// not cut a commit short.
func (c *committer) start(ctx context.Context, n int) {
	for range n {
		c.finished.Go(func() { c.loop(context.WithoutCancel(ctx)) })
	}
}

// stop refuses new deliveries, commits those that wait and returns when all is
// done or ctx ends.
func (c *committer) stop(ctx context.Context) error {
	c.mu.Lock()
	if !c.stopped {
		c.stopped = true
		close(c.queue)
	}
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.finished.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept returns nil after the delivery is committed. When ctx ends first it may
// still be committed later, which the Sink's dedupe makes harmless.
func (c *committer) accept(ctx context.Context, d Delivery) error {
	w := waiting{delivery: d, done: make(chan error, 1)}
	if err := c.enqueue(ctx, w); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *committer) enqueue(ctx context.Context, w waiting) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.stopped {
		return errStopped
	}
	select {
	case c.queue <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *committer) loop(ctx context.Context) {
	group := make([]waiting, 0, c.maxBatch)
	for w := range c.queue {
		group = c.gather(append(group[:0], w))
		c.commit(ctx, group)
		clear(group) // the bodies are garbage now
	}
}

// gather takes what already waits, up to a batch.
func (c *committer) gather(group []waiting) []waiting {
	for len(group) < c.maxBatch {
		select {
		case w, ok := <-c.queue:
			if !ok {
				return group
			}
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

// commit stores the group. If the Sink refuses it for another reason than time,
// each is tried alone, so that one bad delivery does not fail its neighbours.
func (c *committer) commit(ctx context.Context, group []waiting) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	batch := make([]Delivery, len(group))
	for i, w := range group {
		batch[i] = w.delivery
	}
	err := c.sink.Accept(ctx, batch)
	for i, w := range group {
		if err != nil && len(group) > 1 && ctx.Err() == nil {
			w.done <- c.sink.Accept(ctx, batch[i:i+1])
			continue
		}
		w.done <- err
	}
}
