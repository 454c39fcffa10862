package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"closesync/sync/reconcile"
)

// ErrPaused says that an operator has stopped writing rows for now.
var ErrPaused = errors.New("an operator has paused what comes from Close; `closesync resume` goes on")

// refuseWhenPaused stands before walks over Close's records, which write every
// row they meet. What they would find is found after the pause.
func (e *Engine) refuseWhenPaused(ctx context.Context) error {
	_, fromClose, err := e.Local.Pauses(ctx)
	if err == nil && fromClose {
		err = ErrPaused
	}
	return err
}

// writesRow reports whether a plan ends in a write to the record's row: a
// create in Close does too, with the id that Close gives.
func writesRow(st *State, plan reconcile.Plan) bool {
	return plan.Local != reconcile.None || plan.Remote == reconcile.Create || st.Mislabelled
}

// lookEvery is how old the answer to "is it paused" may be when a write goes
// out. The pause has to hold within a second.
const lookEvery = 200 * time.Millisecond

// lastLook is asked between the rate limit's gate and the wire: a write that
// stood there for seconds must not go out after the switch was thrown, nor by a
// process that slept when its claims may be another's (fault D5): the timer of
// a context may be later than the goroutine that it should stop. It is safe for
// concurrent use.
type lastLook struct {
	*Engine
	until  time.Time // the claims are surely ours so long; zero: no limit
	mu     sync.Mutex
	at     time.Time
	paused bool
}

func (l *lastLook) allow(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	if !l.until.IsZero() && now.After(l.until) {
		return &CallError{Class: "transient", Message: "the time for sending was over before the call went out"}
	}
	if now.Sub(l.at) >= lookEvery {
		paused, _, err := l.Local.Pauses(ctx)
		if err != nil {
			return err
		}
		l.at, l.paused = now, paused
	}
	if l.paused {
		return &CallError{Class: "paused", Message: "an operator has paused writing to Close"}
	}
	return nil
}

type lookKey struct{}

// withLastLook has the Close side ask look right before it sends.
func withLastLook(ctx context.Context, look func(context.Context) error) context.Context {
	return context.WithValue(ctx, lookKey{}, look)
}

// LastLook is what the Close side must ask right before each write goes out,
// after every wait; an error means that it must not. nil: nothing to ask.
func LastLook(ctx context.Context) func(context.Context) error {
	look, _ := ctx.Value(lookKey{}).(func(context.Context) error)
	return look
}
