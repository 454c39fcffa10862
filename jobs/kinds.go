// Package jobs puts the engine's work into River: one file per job kind, their
// registration, the schedule and the alarms. Jobs are alarms only; what is to
// be done stands in the tables, so that a job may run twice, late or never.
package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"closesync/sync/engine"
)

// Queues of the jobs. Cycles never wait behind loads.
const (
	QueueCycle  = "cycle"
	QueueFollow = "follow"
	QueueLoad   = "load"
)

// once keeps a job from piling up behind an equal one that has not begun. It
// saves work and carries no truth: see the package comment.
func once(queue string) river.InsertOpts {
	return river.InsertOpts{Queue: queue, MaxAttempts: 10, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled}}}
}

// soon is when a job that failed is tried again: after a second, then after
// twice as long each time, up to a minute. River's own policy would wait for
// hours after an outage of minutes, and as long as a job waits no equal one is
// queued on schedule. A job that gives up comes back with the next turn of its
// schedule; a compare that somebody asked for has no turn and does not give up.
type soon struct{}

func (soon) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().UTC().Add(min(time.Second<<min(len(job.Errors), 10), time.Minute))
}

// Connection is one synchronised organization.
type Connection struct {
	Name   string
	Engine *engine.Engine
	Types  []string // enabled object types, parents first
	// Webhook keeps the subscription as it should be; nil if there is none.
	Webhook func(ctx context.Context) error
	// Check repairs triggers and tells which types must be compared in full.
	Check func(ctx context.Context) ([]string, error)
	// Expire removes up to n rows of each kind that are too old to be needed, and
	// says how many; nil if there are none.
	Expire func(ctx context.Context, n int) (int64, error)
	// Allowed says why nothing may be written now; nil when all is well.
	Allowed func(ctx context.Context) error
}

// translate turns an engine's error into what River shall do.
func translate(err error) error {
	if errors.Is(err, engine.ErrPaused) {
		return river.JobSnooze(2 * time.Second)
	}
	var call *engine.CallError
	if errors.As(err, &call) {
		switch call.Class {
		case "limited":
			return river.JobSnooze(max(call.Wait, time.Second))
		case "unauthorized":
			return river.JobSnooze(15 * time.Second)
		}
	}
	return err
}
