package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"
)

// TailArgs reads the event log since its watermark.
type TailArgs struct {
	Connection string `json:"connection"`
}

// Kind names the job.
func (TailArgs) Kind() string { return "events" }

// InsertOpts: see once.
func (TailArgs) InsertOpts() river.InsertOpts { return once(QueueFollow) }

type tailWorker struct {
	river.WorkerDefaults[TailArgs]
	*Worker
}

// Timeout is none: the log is read newest first, so that the watermark moves
// only at the end. A walk that is cut off, be it over a month or a bulk action,
// would begin anew each time and never come there.
func (w *tailWorker) Timeout(*river.Job[TailArgs]) time.Duration { return -1 }

func (w *tailWorker) Work(ctx context.Context, job *river.Job[TailArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil {
		return err
	}
	walk, done := w.walking(ctx)
	defer done()
	_, gap, err := c.Engine.Tail(walk)
	if err == nil && gap {
		err = w.catchUp(ctx, c)
	}
	return w.interrupted(err)
}

// SearchArgs searches for what changed since the last search.
type SearchArgs struct {
	Connection string `json:"connection"`
}

// Kind names the job.
func (SearchArgs) Kind() string { return "search" }

// InsertOpts: see once.
func (SearchArgs) InsertOpts() river.InsertOpts { return once(QueueFollow) }

type searchWorker struct {
	river.WorkerDefaults[SearchArgs]
	*Worker
}

func (w *searchWorker) Timeout(*river.Job[SearchArgs]) time.Duration { return 30 * time.Minute }

func (w *searchWorker) Work(ctx context.Context, job *river.Job[SearchArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil {
		return err
	}
	walk, done := w.walking(ctx)
	defer done()
	for _, t := range c.Types {
		if err := c.Engine.SearchChanged(walk, t); err != nil {
			return w.interrupted(err)
		}
	}
	return nil
}

// ReferenceArgs mirrors users, statuses, pipelines and custom fields.
type ReferenceArgs struct {
	Connection string `json:"connection"`
}

// Kind names the job.
func (ReferenceArgs) Kind() string { return "reference" }

// InsertOpts: see once.
func (ReferenceArgs) InsertOpts() river.InsertOpts { return once(QueueFollow) }

type referenceWorker struct {
	river.WorkerDefaults[ReferenceArgs]
	*Worker
}

func (w *referenceWorker) Work(ctx context.Context, job *river.Job[ReferenceArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil {
		return err
	}
	return translate(c.Engine.Reference(ctx))
}

// CheckArgs looks after triggers, missed runs and the webhook subscription.
type CheckArgs struct {
	Connection string `json:"connection"`
}

// Kind names the job.
func (CheckArgs) Kind() string { return "check" }

// InsertOpts: see once.
func (CheckArgs) InsertOpts() river.InsertOpts { return once(QueueFollow) }

type checkWorker struct {
	river.WorkerDefaults[CheckArgs]
	*Worker
}

func (w *checkWorker) Work(ctx context.Context, job *river.Job[CheckArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil {
		return err
	}
	if c.Check != nil {
		repaired, err := c.Check(ctx)
		if err != nil {
			return err
		}
		if len(repaired) > 0 {
			w.log.Warn("capture triggers were missing or disabled and are repaired; these tables are compared in full", "objects", repaired)
		}
	}
	if err := w.catchUp(ctx, c); err != nil {
		return err
	}
	if c.Webhook == nil {
		return nil
	}
	return translate(c.Webhook(ctx))
}
