package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// orphanInterval is how often the work of dead workers is looked for. A worker
// missing for less than orphanGrace is left alone: it may be reconnecting. To
// do its work twice, if it lives after all, is harmless: see the package
// comment for jobs; results under an old claim are refused (fault D5).
const (
	orphanInterval = time.Second
	orphanGrace    = 3 * time.Second
)

// missing remembers since when each has not been seen.
type missing[K comparable] map[K]time.Time

// since notes who is missing now and names those who have been for grace.
func (m missing[K]) since(now time.Time, names []K, grace time.Duration) []K {
	still := make(missing[K], len(names))
	var gone []K
	for _, name := range names {
		first, known := m[name]
		if !known {
			first = now
		}
		still[name] = first
		if now.Sub(first) >= grace {
			gone = append(gone, name)
		}
	}
	clear(m)
	for name, first := range still {
		m[name] = first
	}
	return gone
}

// absentSQL names the workers that jobs, claims or the leadership wait for and
// that do not live. $2 is this worker's own name.
var absentSQL = `WITH working AS (
	SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] AS name FROM river.river_job WHERE state = 'running'
	UNION SELECT DISTINCT worker FROM closesync.dirty WHERE lease_until > closesync.clock()
	UNION SELECT leader_id FROM river.river_leader)
	SELECT name FROM working WHERE name <> '' AND name <> $2 AND NOT EXISTS (` + holders + holding("working.name") + `)`

// takeOver frees what workers hold that have been missing for grace: their
// jobs, their claims and the leadership of the queue.
func (w *Worker) takeOver(ctx context.Context, m missing[string], grace time.Duration) error {
	rows, err := w.pool.Query(ctx, absentSQL, presenceLock, w.Name())
	if err != nil {
		return fmt.Errorf("jobs: orphans: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("jobs: orphans: %w", err)
	}
	gone := m.since(time.Now(), names, grace)
	if len(gone) == 0 {
		return nil
	}
	return w.inherit(ctx, gone)
}

// inherit leaves alone what somebody else has locked, which may be another worker
// that inherits: two that wait for each other's rows would end in a deadlock.
// What is left is found at the next look.
func (w *Worker) inherit(ctx context.Context, gone []string) error {
	count := map[string]int64{}
	for what, sql := range map[string]string{
		"jobs": `UPDATE river.river_job SET state = 'available', scheduled_at = clock_timestamp(), attempt = greatest(attempt - 1, 0)
			WHERE id IN (SELECT id FROM river.river_job WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = ANY ($1)
				FOR UPDATE SKIP LOCKED)`,
		"claims": `UPDATE closesync.dirty SET lease_until = '-infinity' WHERE record_id IN (SELECT record_id FROM closesync.dirty
			WHERE lease_until > closesync.clock() AND worker = ANY ($1) FOR UPDATE SKIP LOCKED)`,
		// Else nothing scheduled would be queued until the leadership ran out.
		"leaderships": "DELETE FROM river.river_leader WHERE leader_id = ANY ($1)",
	} {
		tag, err := w.pool.Exec(ctx, sql, gone)
		if err != nil {
			return fmt.Errorf("jobs: orphans: %s: %w", what, err)
		}
		count[what] = tag.RowsAffected()
	}
	if count["jobs"]+count["claims"] > 0 {
		w.log.Info("the work of a worker that is gone is taken over", "jobs", count["jobs"], "claims", count["claims"])
	}
	if count["leaderships"] == 0 {
		return nil
	}
	// What it would have queued on schedule since.
	return w.begin(ctx)
}

// watchOrphans looks for them, and for what this worker forgot, until ctx ends.
// An error is tried again.
func (w *Worker) watchOrphans(ctx context.Context, m missing[string]) {
	tick := time.NewTicker(orphanInterval)
	defer tick.Stop()
	own := missing[int64]{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := errors.Join(w.takeOver(ctx, m, orphanGrace), w.giveBack(ctx, own))
			if err != nil && !errors.Is(err, context.Canceled) {
				w.log.Debug("work that nobody does cannot be looked for", "error", err)
			}
		}
	}
}
