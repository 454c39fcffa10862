package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// fetching is the reading of a batch's records, several at once.
type fetching struct {
	*round
	mu      sync.Mutex
	left    []*Claim // not read: the limit, or the time, did not allow it
	limited error    // what the limit said
}

// fetch reads from Close what no event in hand can stand for. What Close's limit
// leaves no time to read is given back, and the others go on: a batch that was
// read in vain would be read in vain again. None read at all is an error.
func (r *round) fetch(ctx context.Context, claims []*Claim) ([]*Claim, error) {
	f := &fetching{round: r}
	if err := f.readAll(ctx, claims); err != nil {
		return nil, err
	}
	if len(f.left) == len(claims) && f.limited != nil {
		return nil, f.limited
	}
	return r.without(ctx, claims, f.left, waitOf(f.limited))
}

func (f *fetching) readAll(ctx context.Context, claims []*Claim) error {
	ctx, cancel := context.WithDeadline(ctx, f.times.read)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(f.Workers)
	for _, c := range claims {
		if c.CloseID != "" && f.needsFetch(c) {
			g.Go(func() error { return f.readOne(ctx, c) })
		}
	}
	return g.Wait()
}

func (f *fetching) readOne(ctx context.Context, c *Claim) error {
	if f.over(ctx) {
		f.leave(c, nil)
		return nil
	}
	var reading Reading
	if err := guarded(func() error { reading = f.read(ctx, c); return nil })(); f.notePanic(err, c.Type, c.CloseID) {
		reading = Reading{Err: &CallError{Class: "panic", Message: err.Error()}}
	}
	var call *CallError
	if errors.As(reading.Err, &call) {
		switch call.Class {
		case "unauthorized":
			return call
		case "limited":
			f.leave(c, call)
			return nil
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readings[c.RecordID] = reading
	return nil
}

// over reports whether nothing more is to be read.
func (f *fetching) over(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.limited != nil || ctx.Err() != nil
}

func (f *fetching) leave(c *Claim, limited error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = append(f.left, c)
	if limited != nil {
		f.limited = limited
	}
}

// without gives claims back, due again after a delay, and leaves them out of
// the round.
func (r *round) without(ctx context.Context, claims, left []*Claim, delay time.Duration) ([]*Claim, error) {
	if len(left) == 0 {
		return claims, nil
	}
	for _, c := range left {
		delete(r.claims, c.RecordID)
	}
	kept := claims[:0:0]
	for _, c := range claims {
		if r.claims[c.RecordID] != nil {
			kept = append(kept, c)
		}
	}
	return kept, r.Local.Release(ctx, left, delay)
}

// waitOf is how long Close's limit asks to wait; 0 if that is not the error.
func waitOf(err error) time.Duration {
	var call *CallError
	if errors.As(err, &call) && call.Class == "limited" {
		return call.Wait
	}
	return 0
}
