package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"
)

// A job may stand in the queue as running although this worker, which lives,
// does not work on it: in an outage of Postgres of some seconds River gives up
// writing that it ended, and where the answer to a fetch is lost the jobs it
// took never begin. Meanwhile no equal one is queued: nothing would be followed
// until River rescues it, minutes later (fault C2).

// forgottenGrace is more than River takes to write down an end in quiet times.
const forgottenGrace = 5 * time.Second

// underway holds the ids of the jobs that this worker works on. Safe for
// concurrent use.
type underway struct {
	mu  sync.Mutex
	ids map[int64]bool
}

// around is a middleware of River.
func (u *underway) around(ctx context.Context, job *rivertype.JobRow, work func(context.Context) error) error {
	u.set(job.ID, true)
	defer u.set(job.ID, false)
	return work(ctx)
}

func (u *underway) set(id int64, works bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if works {
		u.ids[id] = true
	} else {
		delete(u.ids, id)
	}
}

func (u *underway) list() []int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Keys(u.ids))
}

// giveBack queues the forgotten jobs again. To do one twice is harmless: see
// the package comment.
func (w *Worker) giveBack(ctx context.Context, m missing[int64]) error {
	rows, err := w.pool.Query(ctx, `SELECT id FROM river.river_job
		WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1 AND NOT id = ANY (coalesce($2, '{}'::bigint[]))`,
		w.Name(), w.underway.list())
	if err != nil {
		return fmt.Errorf("jobs: forgotten: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("jobs: forgotten: %w", err)
	}
	forgotten := m.since(time.Now(), ids, forgottenGrace)
	if len(forgotten) == 0 {
		return nil
	}
	if _, err := w.pool.Exec(ctx, `UPDATE river.river_job SET state = 'available', scheduled_at = clock_timestamp(), attempt = greatest(attempt - 1, 0)
		WHERE state = 'running' AND id = ANY ($1)`, forgotten); err != nil {
		return fmt.Errorf("jobs: forgotten: %w", err)
	}
	w.log.Info("jobs whose end was not written down are queued again", "jobs", len(forgotten))
	return nil
}
