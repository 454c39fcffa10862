package jobs

import (
	"context"
	"fmt"
	"time"
)

// Nothing waits longer than farAhead: neither a record's mark, whose backoff
// ends at five minutes, nor a claim, nor a job (see soon). What seems to was
// dated before the clock was set back, and would stand still for as long as it
// was set back by (fault D7).
const (
	farAhead      = 15 * time.Minute
	clockInterval = 5 * time.Second
)

// watchClock looks for such dates until ctx ends. Its own ticks are counted by
// a clock that nobody sets.
func (w *Worker) watchClock(ctx context.Context) {
	tick := time.NewTicker(clockInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if n, err := w.followClock(ctx); err != nil {
				w.log.Debug("dates of the future cannot be looked for", "error", err)
			} else if n > 0 {
				w.log.Warn("the clock was set back; what was dated before goes on now", "dates", n)
			}
		}
	}
}

// followClock makes due what the clock left behind. To do so for a claim of a
// worker that lives costs no more than its end: see fault D5.
func (w *Worker) followClock(ctx context.Context) (int64, error) {
	var moved int64
	for what, sql := range map[string]string{
		"marks":  "UPDATE closesync.dirty SET not_before = closesync.clock() WHERE not_before > closesync.clock() + $1::interval AND not_before < 'infinity'",
		"claims": "UPDATE closesync.dirty SET lease_until = '-infinity' WHERE lease_until > closesync.clock() + $1::interval",
		"jobs": `UPDATE river.river_job SET scheduled_at = clock_timestamp()
			WHERE state IN ('available', 'retryable', 'scheduled') AND scheduled_at > clock_timestamp() + $1::interval`,
	} {
		tag, err := w.pool.Exec(ctx, sql, farAhead)
		if err != nil {
			return moved, fmt.Errorf("jobs: clock: %s: %w", what, err)
		}
		moved += tag.RowsAffected()
	}
	return moved, nil
}
