package engine

import (
	"context"
	"sync/atomic"
	"time"
)

// times of a claim. Its first quarter is for reading. Nothing is sent after five
// twelfths: a write that is under way then, which nobody cuts, ends with the
// client's half a minute before the lease does. The rest has three quarters.
type times struct{ read, send, end time.Time }

func (e *Engine) timesOfClaim() times {
	now := time.Now() // as deadlines of contexts are
	return times{read: now.Add(e.Lease / 4), send: now.Add(e.Lease * 5 / 12), end: now.Add(e.Lease * 3 / 4)}
}

// timeForClaim reports whether ctx lasts for another claim, so that its calls
// need not be cut.
func (e *Engine) timeForClaim(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(end) >= e.Lease)
}

const maxBatch = 250

// pace is how many records a cycle takes at once: as many as it brings to an end
// in a twelfth of the lease. What comes due meanwhile waits no longer, and what
// Close's limit leaves no time for is not claimed in vain.
type pace struct{ batch atomic.Int64 }

func (p *pace) size() int {
	if n := p.batch.Load(); n > 0 {
		return int(n)
	}
	return maxBatch
}

// learn takes in how long n records took, of up to size that were asked for.
func (p *pace) learn(n, size, least int, took, lease time.Duration) {
	goal := lease / 12
	switch {
	case took > goal:
		n = max(int(int64(n)*int64(goal)/int64(took)), least)
		p.batch.Store(int64(min(n, size)))
	case n == size && took < goal/2:
		p.batch.Store(int64(min(2*size, maxBatch)))
	}
}
