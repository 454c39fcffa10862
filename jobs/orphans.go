package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// River itself would give the jobs of a killed worker back after
// RescueStuckJobsAfter, and until then no equal job could be queued: nothing
// would be followed for minutes. So each worker shows that it lives by an
// advisory lock of a session, which Postgres lets go of when the process dies
// (target T18).

// presenceLock is the first half of the lock's key; the second is the hash of
// River's client id.
const presenceLock = 0x636c7077

// orphanInterval is how often jobs of dead workers are looked for. A job
// younger than orphanGrace is left alone: its worker may be reconnecting.
const (
	orphanInterval = time.Second
	orphanGrace    = 3 * time.Second
)

// present holds the lock on conn as long as that lives.
func (w *Worker) present(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SELECT pg_advisory_lock_shared($1, hashtext($2))", presenceLock, w.client.ID())
	if err != nil {
		return fmt.Errorf("jobs: presence: %w", err)
	}
	return nil
}

// adopt gives back the running jobs of workers that are gone. To run a job
// twice, if its worker lives after all, is harmless; see the package comment.
func (w *Worker) adopt(ctx context.Context, grace time.Duration) error {
	tag, err := w.pool.Exec(ctx, `
		UPDATE river.river_job j SET state = 'available', scheduled_at = clock_timestamp(), attempt = greatest(j.attempt - 1, 0)
		WHERE j.state = 'running' AND j.attempted_at < clock_timestamp() - $2::interval
		  AND j.attempted_by[array_upper(j.attempted_by, 1)] <> $3
		  AND NOT EXISTS (`+holders+` AND l.objid = (hashtext(j.attempted_by[array_upper(j.attempted_by, 1)])::bigint & 4294967295)::oid)`,
		presenceLock, grace, w.client.ID())
	if err != nil {
		return fmt.Errorf("jobs: adopt: %w", err)
	}
	if n := tag.RowsAffected(); n > 0 {
		w.log.Info("jobs of a worker that is gone are taken over", "jobs", n)
	}
	return nil
}

// holders are the locks of the workers that live; $1 is presenceLock.
const holders = `SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.classid = $1::bigint::oid
	AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// freeLeases makes claimed records due at once if no other worker lives, whose
// they could be. A lease that is cut short all the same does no harm: the
// claim's fence keeps its result out (fault D5).
func (w *Worker) freeLeases(ctx context.Context) error {
	_, err := w.pool.Exec(ctx, `
		UPDATE closesync.dirty SET lease_until = '-infinity' WHERE lease_until > closesync.clock()
		  AND NOT EXISTS (`+holders+` AND l.objid <> (hashtext($2)::bigint & 4294967295)::oid)`, presenceLock, w.client.ID())
	if err != nil {
		return fmt.Errorf("jobs: freeLeases: %w", err)
	}
	return nil
}

// watchOrphans looks for them until ctx ends. An error is tried again.
func (w *Worker) watchOrphans(ctx context.Context) {
	tick := time.NewTicker(orphanInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := w.adopt(ctx, orphanGrace); err != nil && ctx.Err() == nil {
				w.log.Debug("jobs of dead workers cannot be looked for", "error", err)
			}
		}
	}
}
