package sim

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// errCrashed ends whatever a worker that was killed still tries.
var errCrashed = errors.New("sim: the worker was killed")

// task is something that runs beside the schedule's own goroutine, but only
// while that waits for it: an operation of a worker, or a transaction of a
// local program. It stops at a yield point, at its end, or in Postgres, where
// it waits for a lock.
type task struct {
	name   string
	proc   *proc     // nil for local programs
	stop   int       // yields until it is suspended; 0: never
	told   chan bool // true: done; false: suspended
	resume chan struct{}
	done   bool
	err    error
	since  int // step in which it began to wait for a lock

	blocked atomic.Bool   // waits in Postgres, or did and waits for the schedule now
	pid     atomic.Uint32 // of the backend that works for it
	inTx    atomic.Int32  // transactions open
}

type taskKey struct{}

func taskOf(ctx context.Context) *task {
	t, _ := ctx.Value(taskKey{}).(*task)
	return t
}

// begin runs f as a task until it is suspended, blocked or done. It is
// suspended at its stop-th yield point; 0 means never.
func (w *World) begin(name string, p *proc, stop int, f func(ctx context.Context) error) *task {
	t := newTask(name, p, stop)
	w.launch(t, f)
	return t
}

func newTask(name string, p *proc, stop int) *task {
	return &task{name: name, proc: p, stop: stop, told: make(chan bool, 1), resume: make(chan struct{})}
}

func (w *World) launch(t *task, f func(ctx context.Context) error) {
	w.tasks = append(w.tasks, t)
	go func() {
		t.err = f(context.WithValue(w.lane.ctx, taskKey{}, t))
		t.told <- true
	}()
	w.await(t)
}

// proceed lets a suspended task go on for so many yields; 0: to its end.
func (w *World) proceed(t *task, yields int) {
	if t.done || t.blocked.Load() {
		return
	}
	t.stop = yields
	t.resume <- struct{}{}
	w.await(t)
}

// lockPatience is how long a statement may take before anybody asks whether it
// waits for a lock. It only costs time; what is decided does not depend on it.
const lockPatience = 3 * time.Millisecond

// await waits until a task stops.
func (w *World) await(t *task) {
	if !w.locksHeld(t) {
		w.hear(t, <-t.told)
		return
	}
	for {
		select {
		case done := <-t.told:
			w.hear(t, done)
			return
		case <-time.After(lockPatience):
			waits, ring := w.lane.waitsForLock(t.pid.Load())
			switch {
			case ring: // Postgres ends it by refusing somebody
				w.lane.releases.Add(1)
			case waits:
				t.since = w.at
				t.blocked.Store(true)
				return
			}
		}
	}
}

func (w *World) hear(t *task, done bool) {
	t.blocked.Store(false)
	if done {
		if t.proc != nil && t.proc.dead {
			w.lane.awaitRollback(t.pid.Load())
		}
		t.done = true
		w.tasks = slices.DeleteFunc(w.tasks, func(other *task) bool { return other == t })
	}
}

// locksHeld reports whether any other task may hold a lock.
func (w *World) locksHeld(t *task) bool {
	return slices.ContainsFunc(w.sessions, func(s *session) bool { return s.open.Load() && s.last != t }) ||
		slices.ContainsFunc(w.tasks, func(other *task) bool { return other != t && other.inTx.Load() > 0 })
}

// tire ends the statements of workers that have waited for a lock since before
// a step, as their own bound would.
func (w *World) tire(step int) {
	for _, t := range slices.Clone(w.tasks) {
		if t.proc == nil || !t.blocked.Load() || t.since >= step {
			continue
		}
		w.lane.cancel(t.pid.Load())
		w.hear(t, <-t.told)
		w.settleBlocked(nil)
	}
}

// settleBlocked finds out which tasks got the lock they waited for. One that
// did is waited for until it stops again: two never run at once. Nobody is
// asked while nothing ended that could have held a lock.
func (w *World) settleBlocked(except *task) {
	for n := w.lane.releases.Load(); n != w.settled; n = w.lane.releases.Load() {
		w.settled = n
		for _, t := range slices.Clone(w.tasks) {
			if t == except || !t.blocked.Load() {
				continue
			}
			if waits, _ := w.lane.waitsForLock(t.pid.Load()); !waits {
				w.await(t)
			}
		}
	}
}

// yield is where a task stops if the schedule says so. A dead worker gets
// errCrashed.
func (w *World) yield(t *task, point string) error {
	if t.blocked.Load() {
		// It waited for a lock and has it now: its turn comes later.
		t.told <- false
		<-t.resume
	}
	if t.proc != nil && t.proc.dead {
		return errCrashed
	}
	w.settleBlocked(t)
	w.points++
	w.traced(t, point)
	if t.proc != nil && w.crashAt == w.points {
		w.crashes[point]++
		w.reached.died(point)
		w.kill(t.proc, t)
		return errCrashed
	}
	if t.stop == 0 {
		return nil
	}
	if t.stop--; t.stop > 0 {
		return nil
	}
	t.told <- false
	<-t.resume
	if t.proc != nil && t.proc.dead {
		w.reached.died(point)
		return errCrashed
	}
	return nil
}

// kill ends a worker where it stands: nothing it began goes on, what it had
// not committed is rolled back, what it knew is gone. self is the task that
// finds itself killed, if it is one of them.
func (w *World) kill(p *proc, self *task) {
	p.dead = true
	w.graves = append(w.graves, p)
	for _, t := range slices.Clone(w.tasks) {
		if t.proc != p || t == self {
			continue
		}
		if t.blocked.Load() {
			w.lane.cancel(t.pid.Load())
			if done := <-t.told; done {
				w.hear(t, true)
				continue
			}
		}
		t.resume <- struct{}{}
		w.hear(t, <-t.told)
	}
}
