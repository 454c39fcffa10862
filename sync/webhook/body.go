package webhook

import (
	"errors"
	"io"
	"net/http"

	"golang.org/x/sync/semaphore"
)

var (
	errTooLarge = errors.New("webhook: body over the limit")
	errMemory   = errors.New("webhook: too many bodies at once")
)

// bodies reads requests within a budget of bytes for all of them together. A
// request pays for what it has sent, not for what it announces: a slow sender
// cannot hold the budget with a promise.
type bodies struct {
	max    int64
	budget *semaphore.Weighted
}

// block is how much is paid for at a time; most deliveries fit in one.
const block = 16 << 10

// read returns the body and a function that gives the bytes back, to be called
// once. When the budget is spent it fails at once rather than wait, since
// those who wait would hold what the others need.
func (b *bodies) read(r *http.Request) ([]byte, func(), error) {
	if r.ContentLength > b.max {
		return nil, func() {}, errTooLarge
	}
	var paid int64
	release := func() { b.budget.Release(paid) }
	size := int64(block)
	if r.ContentLength >= 0 && r.ContentLength < size {
		size = r.ContentLength + 1 // one more to see the end without growing
	}
	if !b.budget.TryAcquire(size) {
		return nil, func() {}, errMemory
	}
	paid = size
	buf := make([]byte, 0, size)
	for {
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > b.max:
			return nil, release, errTooLarge
		case errors.Is(err, io.EOF):
			return buf, release, nil
		case err != nil:
			return nil, release, err
		}
		if len(buf) < cap(buf) {
			continue
		}
		more := min(int64(cap(buf)), b.max+1-int64(cap(buf)))
		if !b.budget.TryAcquire(more) {
			return nil, release, errMemory
		}
		paid += more
		grown := make([]byte, len(buf), int64(cap(buf))+more)
		copy(grown, buf)
		buf = grown
	}
}
