package jobs

import (
	"context"
	"errors"

	"github.com/riverqueue/river"
)

// CycleArgs starts cycles until nothing is due.
type CycleArgs struct {
	Connection string `json:"connection"`
}

// Kind names the job.
func (CycleArgs) Kind() string { return "cycle" }

// InsertOpts: not unique. A job skipped because an equal one was running would
// lose a wake-up (reliability.md, finding 1). One attempt: the sweep wakes it
// again as long as something is due.
func (CycleArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: QueueCycle, MaxAttempts: 1}
}

type cycleWorker struct {
	river.WorkerDefaults[CycleArgs]
	*Worker
}

func (w *cycleWorker) Work(ctx context.Context, job *river.Job[CycleArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil {
		return err
	}
	w.awake.Store(false)
	if err = w.work(ctx, c); err != nil {
		w.log.Warn("a cycle ended early; its records are tried again", "connection", c.Name, "error", err)
	}
	return translate(err)
}

// work works off what is due. A table that was emptied is filled by a job of its
// own, which may take as long as it takes.
func (w *Worker) work(ctx context.Context, c Connection) error {
	_, err := c.Engine.Run(ctx)
	if c.Engine.Emptied() {
		err = errors.Join(err, w.catchUp(ctx, c))
	}
	return err
}
