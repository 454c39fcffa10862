package jobs

import (
	"context"

	"github.com/riverqueue/river"
)

// expireBatch is how many rows one transaction removes of a table.
const expireBatch = 5000

// ExpireArgs removes what is too old to be needed.
type ExpireArgs struct {
	Connection string `json:"connection"`
}

// Kind names the job.
func (ExpireArgs) Kind() string { return "expire" }

// InsertOpts: see once.
func (ExpireArgs) InsertOpts() river.InsertOpts { return once(QueueLoad) }

type expireWorker struct {
	river.WorkerDefaults[ExpireArgs]
	*Worker
}

func (w *expireWorker) Work(ctx context.Context, job *river.Job[ExpireArgs]) error {
	c, err := w.connection(ctx, job.Args.Connection)
	if err != nil || c.Expire == nil {
		return err
	}
	for {
		n, err := c.Expire(ctx, expireBatch)
		if err != nil || n == 0 {
			return err
		}
	}
}
