package closeapi

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	firstBackoff = time.Second // after a 429 that names no time
	lowShare     = 0.10        // of the limit: below it requests are spread out
	minShare     = 1.0 / 64    // the slowest that repeated 429s can make a gate
	regainShare  = 0.05        // of the full rate, per window without a 429
)

// gate stands before one endpoint group. It holds back, it never forbids: a
// call passes at once unless Close said "wait" (closedUntil), the announced
// window is used up, or little of it is left and requests are being spread.
//
// The truth about the window is Close's; remaining is our running guess
// between two answers. A gate that never saw a RateLimit header knows no
// window and lets everything through.
type gate struct {
	group   string
	reserve float64 // share of the limit left to others

	mu          sync.Mutex
	closedUntil time.Time
	epoch       int // closings so far; ties a 429 to the opening it belongs to
	strikes     int // closings in a row without a success between

	known     bool
	limit     float64
	remaining float64
	window    time.Duration // longest reset seen: the window's length, guessed
	resetAt   time.Time
	flying    int // requests sent and not answered

	// pace is the limiter in front; it counts only while share < 1 or the
	// window runs low.
	pace  *rate.Limiter
	share float64 // of the full rate; halved by a 429 inside the window (AIMD)

	waiting []*waiter // by priority, then by arrival
}

type waiter struct{ priority Priority }

func newGate(group string, reservePercent int) *gate {
	return &gate{group: group, reserve: float64(reservePercent) / 100, share: 1, pace: rate.NewLimiter(rate.Inf, 1)}
}

// ticket is the permission to send one request.
type ticket struct {
	epoch  int
	spaced bool // a token of the pace was taken for it
}

// enter waits for a place. It answers *RateLimitError at once, without
// waiting, when ctx would end before the gate opens.
func (g *gate) enter(ctx context.Context, c *Client) (ticket, error) {
	g.mu.Lock()
	if len(g.waiting) == 0 {
		now := c.opt.Now()
		if g.readyIn(now, 0) <= 0 {
			t := g.take(now)
			g.mu.Unlock()
			return t, nil
		}
	}
	w := g.join(priorityOf(ctx))
	g.mu.Unlock()
	return g.wait(ctx, c, w)
}

func (g *gate) wait(ctx context.Context, c *Client, w *waiter) (ticket, error) {
	for {
		g.mu.Lock()
		now := c.opt.Now()
		d := g.readyIn(now, slices.Index(g.waiting, w))
		if d <= 0 {
			t := g.take(now)
			g.leave(w)
			g.mu.Unlock()
			return t, nil
		}
		g.mu.Unlock()
		var err error
		if wouldExpire(ctx, d) {
			err = &RateLimitError{Wait: d, Group: g.group}
		} else {
			err = c.opt.Sleep(ctx, d)
		}
		if err != nil {
			g.mu.Lock()
			g.leave(w)
			g.mu.Unlock()
			return ticket{}, err
		}
	}
}

// wouldExpire reads the real clock on purpose: deadlines of contexts do too.
func wouldExpire(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < d
}

// join adds a waiter behind those of its own priority.
func (g *gate) join(p Priority) *waiter {
	w := &waiter{priority: p}
	at := len(g.waiting)
	for at > 0 && g.waiting[at-1].priority > p {
		at--
	}
	g.waiting = slices.Insert(g.waiting, at, w)
	return w
}

func (g *gate) leave(w *waiter) {
	if i := slices.Index(g.waiting, w); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
}

// readyIn tells how long the caller with so many waiters ahead of it must
// wait; zero means it may go now. It counts the ones ahead as served, so the
// order of the queue holds although each waiter sleeps for itself.
func (g *gate) readyIn(now time.Time, ahead int) time.Duration {
	if d := g.closedUntil.Sub(now); d > 0 {
		return d
	}
	if !g.known {
		return 0
	}
	g.rollOver(now)
	budget := g.remaining - g.limit*g.reserve
	if budget <= float64(ahead) {
		return max(g.resetAt.Sub(now), time.Millisecond)
	}
	if !g.paced(budget) {
		return 0
	}
	g.setPace(now, budget)
	need := min(float64(ahead+1), float64(g.pace.Burst()))
	if missing := need - g.pace.TokensAt(now); missing > 1e-9 {
		return max(time.Duration(missing/float64(g.pace.Limit())*float64(time.Second)), time.Microsecond)
	}
	return 0
}

// rollOver starts the next window when the known one is over. What it holds
// is a guess that the next answer corrects. What is under way may arrive in the
// new one.
func (g *gate) rollOver(now time.Time) {
	if now.Before(g.resetAt) {
		return
	}
	g.remaining = g.limit - float64(g.flying)
	g.resetAt = now.Add(max(g.window, minReset))
	g.share = min(1, g.share+regainShare)
}

func (g *gate) paced(budget float64) bool {
	return g.share < 1 || budget < lowShare*g.limit
}

// setPace spreads what is left over the rest of the window; a share below 1
// slows down further.
func (g *gate) setPace(now time.Time, budget float64) {
	full := g.limit * (1 - g.reserve) / max(g.window, minReset).Seconds() * g.share
	left := budget / max(g.resetAt.Sub(now), time.Millisecond).Seconds()
	limit := rate.Limit(max(min(full, left), 0.05))
	g.pace.SetLimitAt(now, limit)
}

// take books one request. The caller holds mu and has seen readyIn <= 0.
func (g *gate) take(now time.Time) ticket {
	g.flying++
	t := ticket{epoch: g.epoch}
	if g.known {
		g.remaining--
		t.spaced = g.pace.Limit() != rate.Inf && g.pace.AllowN(now, 1)
	}
	return t
}

// giveBack returns a place that was taken and not used, and its turn: the next
// need not wait for a request that was never sent.
func (g *gate) giveBack(t ticket, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying--
	if g.known {
		g.remaining = min(g.remaining+1, g.limit)
	}
	if t.spaced {
		g.pace.AllowN(now, -1)
	}
}

// landed: a request was answered, or never will be.
func (g *gate) landed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying--
}

// succeeded learns from an answer that was not a 429.
func (g *gate) succeeded(t ticket, h rateHeader, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.epoch == g.epoch {
		g.strikes = 0
	}
	g.learn(h, now)
}

// learn takes over an announced window. Within the same window the smaller
// count is right: answers overtake each other, and requests still under way
// are in our count but not yet in theirs.
func (g *gate) learn(h rateHeader, now time.Time) {
	if !h.usable() {
		return
	}
	resetAt := now.Add(h.reset)
	sameWindow := g.known && g.limit == h.limit && resetAt.Sub(g.resetAt) < max(g.window/4, minReset)
	if sameWindow {
		g.remaining = min(g.remaining, h.remaining)
		// The later end is the safe one: our own guess began when we sent,
		// theirs when the request arrived.
		if resetAt.After(g.resetAt) {
			g.resetAt = resetAt
		}
	} else {
		// Those under way may not be in their count, which it cannot tell.
		g.remaining = h.remaining - float64(g.flying)
		g.resetAt = resetAt
	}
	if g.limit != h.limit {
		g.window = 0
	}
	g.known, g.limit = true, h.limit
	g.window = max(g.window, h.reset)
}

// refused closes the gate after a 429 and returns until when. Several calls
// of one burst may be refused together; only the first of them counts as a
// strike, or a burst of ten would back off for minutes.
func (g *gate) refused(t ticket, h rateHeader, now time.Time, jitter float64) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.learn(h, now)
	if t.epoch == g.epoch {
		g.epoch++
		g.strikes++
		if h.remaining > 0 {
			g.share = max(g.share/2, minShare)
		}
	}
	wait := h.reset
	if !h.hasReset {
		// A late refusal may find that a success has cleared the strikes.
		wait = min(firstBackoff<<min(max(g.strikes-1, 0), 10), maxReset)
	}
	// Jitter only ever adds: before the reset nothing may be sent.
	wait += time.Duration(jitter * 0.1 * float64(wait))
	if until := now.Add(wait); until.After(g.closedUntil) {
		g.closedUntil = until
	}
	return g.closedUntil.Sub(now)
}
