package closeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	maxTries    = 5  // of a read
	maxRefusals = 10 // 429 in a row before a call gives up
	retryBase   = 250 * time.Millisecond
	retryCap    = 10 * time.Second
)

// Do sends one call and returns its 2xx answer. Path is relative to the base
// URL ("/lead/"). Body is nil, JSON as []byte, or a value to marshal.
//
// See the package comment for what is repeated and which errors come back.
// Safe to run twice if the method is GET, or POST to /data/search/.
// Source: developer.close.com/api/overview.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body any) (*Response, error) {
	k, err := newCall(method, path, query, body)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, k)
}

// send repeats attempts as far as that is safe.
func (c *Client) send(ctx context.Context, k *call) (*Response, error) {
	g := c.gateFor(k.group)
	failures, refusals := 0, 0
	for attempt := 1; ; attempt++ {
		r, refusedFor, err := c.through(ctx, g, k, attempt)
		if err == nil {
			return r, nil
		}
		if refusedFor > 0 {
			// Waiting for a limit is not a failed try: the next round stands
			// at the gate until it opens.
			if refusals++; refusals >= maxRefusals {
				return nil, &RateLimitError{Wait: refusedFor, Group: k.group}
			}
			continue
		}
		failures++
		if !k.mayRepeat(err) || failures >= maxTries || ctx.Err() != nil {
			return nil, k.final(err)
		}
		c.opt.Logger.LogAttrs(ctx, slogDebug, "close call failed, trying again", callAttrs(k, attempt, err)...)
		if c.opt.Sleep(ctx, c.backoff(failures)) != nil {
			return nil, k.final(err)
		}
	}
}

// through passes the gate and makes one attempt. A wait above zero says that
// it was refused by a 429.
func (c *Client) through(ctx context.Context, g *gate, k *call, attempt int) (*Response, time.Duration, error) {
	t, err := g.enter(ctx, c)
	if err != nil {
		return nil, 0, &notSentError{err}
	}
	if err := lastLook(ctx); err != nil {
		g.giveBack(t, c.opt.Now())
		return nil, 0, &notSentError{err}
	}
	if err := ended(ctx); err != nil {
		g.giveBack(t, c.opt.Now())
		return nil, 0, &notSentError{err}
	}
	start := c.opt.Now()
	r, header, err := c.attempt(ctx, k)
	g.landed()
	end := c.opt.Now()
	var wait time.Duration
	if header != nil {
		h := parseRate(header)
		if h.odd {
			c.warnHeader.Do(func() {
				c.opt.Logger.Warn("RateLimit header makes no sense, clamped", "group", k.group)
			})
		}
		if statusOf(r, err) == http.StatusTooManyRequests {
			wait = g.refused(t, h, end, c.opt.Rand())
		} else {
			g.succeeded(t, h, end)
		}
	}
	if c.opt.Observe != nil {
		c.opt.Observe(Call{
			Method: k.method, Path: k.path, Group: k.group, Status: statusOf(r, err),
			Duration: end.Sub(start), Attempt: attempt, Err: err,
		})
	}
	if err != nil {
		return nil, wait, err
	}
	return r, 0, nil
}

// ended looks at the clock as well: in a process that was stopped for a while,
// the timer of ctx may not have fired yet.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if wouldExpire(ctx, 0) {
		return context.DeadlineExceeded
	}
	return nil
}

func statusOf(r *Response, err error) int {
	if r != nil {
		return r.Status
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	if e, ok := errors.AsType[*ResponseError](err); ok {
		return e.Status
	}
	return 0
}

// notSentError marks a failure at the gate: the context ended or would have,
// or the last look said no.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// mayRepeat: a read after everything that may pass, a write only if Close
// cannot have seen it.
func (k *call) mayRepeat(err error) bool {
	if e, ok := errors.AsType[*TransportError](err); ok {
		return k.read || !e.Sent
	}
	if e, ok := errors.AsType[*ResponseError](err); ok {
		return k.read && e.transient()
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return k.read && e.Status >= 500
	}
	return false
}

// final turns the last error into what the caller gets. A write has an
// unknown outcome unless Close refused it (4xx, redirect) or never saw it.
func (k *call) final(err error) error {
	if e, ok := errors.AsType[*notSentError](err); ok {
		if _, limited := errors.AsType[*RateLimitError](e.err); limited {
			return e.err
		}
		return fmt.Errorf("closeapi: %s %s: %w", k.method, k.path, e.err)
	}
	if k.read {
		return err
	}
	unknown := false
	if e, ok := errors.AsType[*TransportError](err); ok {
		unknown = e.Sent
	} else if e, ok := errors.AsType[*ResponseError](err); ok {
		unknown = e.Reason != ReasonRedirect
	} else if e, ok := errors.AsType[*Error](err); ok {
		unknown = e.Status >= 500
	}
	if unknown {
		return &UnknownOutcomeError{Method: k.method, Path: k.path, Err: err}
	}
	return err
}

// backoff grows from a quarter of a second, with half of it random so that
// callers which failed together do not come back together.
func (c *Client) backoff(failures int) time.Duration {
	d := min(retryBase<<(failures-1), retryCap)
	return d/2 + time.Duration(c.opt.Rand()*float64(d)/2)
}
