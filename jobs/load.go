package jobs

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
)

// BackfillArgs loads everything once, going on where it stopped. Once all is
// loaded, the job has nothing to do.
type BackfillArgs struct {
	Connection string `json:"connection"`
}

// Kind names the job.
func (BackfillArgs) Kind() string { return "backfill" }

// InsertOpts: see once.
func (BackfillArgs) InsertOpts() river.InsertOpts { return once(QueueLoad) }

type backfillWorker struct {
	river.WorkerDefaults[BackfillArgs]
	*Worker
}

func (w *backfillWorker) Timeout(*river.Job[BackfillArgs]) time.Duration { return -1 }

func (w *backfillWorker) Work(ctx context.Context, job *river.Job[BackfillArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil {
		return err
	}
	if left, err := c.Engine.NotLoaded(ctx); err != nil || len(left) == 0 {
		return translate(err)
	}
	started := time.Now()
	var seen atomic.Int64 // several windows report at once
	walk, done := w.walking(ctx)
	defer done()
	if err := c.Engine.Backfill(walk, seen.Store); err != nil {
		return w.interrupted(err)
	}
	if seen.Load() > 0 {
		w.log.Info("everything is loaded", "connection", c.Name, "records", seen.Load(), "took", time.Since(started).Round(time.Millisecond))
	}
	// What changed meanwhile need not wait for its schedule.
	client := river.ClientFromContext[tx](ctx)
	_, err = client.InsertMany(ctx, []river.InsertManyParams{{Args: TailArgs{c.Name}}, {Args: SearchArgs{c.Name}}})
	return err
}

// AuditArgs compares both sides in full; no types mean all.
type AuditArgs struct {
	Connection string   `json:"connection"`
	Types      []string `json:"types,omitempty"`
	Requested  bool     `json:"requested,omitempty"` // by somebody who waits for it
}

// Kind names the job.
func (AuditArgs) Kind() string { return "audit" }

// InsertOpts: see once and soon.
func (AuditArgs) InsertOpts() river.InsertOpts {
	opt := once(QueueLoad)
	opt.MaxAttempts = 1000
	return opt
}

type auditWorker struct {
	river.WorkerDefaults[AuditArgs]
	*Worker
}

func (w *auditWorker) Timeout(*river.Job[AuditArgs]) time.Duration { return -1 }

func (w *auditWorker) Work(ctx context.Context, job *river.Job[AuditArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil {
		return err
	}
	walk, done := w.walking(ctx)
	defer done()
	return w.interrupted(c.Engine.Audit(walk, job.Args.Types, nil))
}
