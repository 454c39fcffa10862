package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"closesync/migrations"
)

const sweepInterval = 200 * time.Millisecond

// runAlarms wakes cycles: at once when a local change is committed, and every
// sweepInterval for marks that came due or whose alarm was lost. Cycles that it
// starts itself run on work, which outlives ctx.
func (w *Worker) runAlarms(ctx, work context.Context, conn *pgx.Conn, m missing[string]) {
	defer close(w.ended)
	heard := make(chan struct{}, 1)
	go w.listen(ctx, conn, heard)
	go w.watchOrphans(ctx, m)
	go w.watchClock(ctx)
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
			w.cycleNow(ctx, work)
		case <-tick.C:
			w.sweep(ctx)
		}
	}
}

// cycleNow starts a cycle of every connection without the way through the queue,
// which takes longer than all else between a commit here and the call to Close.
// It carries no truth: if this process dies, the sweep of another finds what is
// due. Changes that find every slot taken go through the queue.
func (w *Worker) cycleNow(ctx, work context.Context) {
	for name := range w.byName {
		select {
		case w.slots <- struct{}{}:
			w.cycles.Go(func() {
				defer func() { <-w.slots }()
				w.cycleOnce(work, name)
			})
		default:
			w.wakeAll(ctx)
			return
		}
	}
}

// cycleOnce works off what is due. An error is left to the jobs: what failed
// stays due, and the sweep finds it.
func (w *Worker) cycleOnce(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	c, err := w.connection(ctx, name)
	if err == nil {
		err = w.work(ctx, c)
	}
	if err != nil && ctx.Err() == nil {
		w.log.Debug("a cycle of a local change ended early; its records are tried again", "connection", name, "error", err)
	}
}

// wakeAll queues a cycle for every connection, unless one waits already.
func (w *Worker) wakeAll(ctx context.Context) {
	if w.awake.Swap(true) {
		return
	}
	for name := range w.byName {
		if _, err := w.client.Insert(ctx, CycleArgs{name}, nil); err != nil {
			w.awake.Store(false)
			return
		}
	}
}

// dueSQL names the connections for which something is due, unless a cycle waits
// in the queue already, and says whether it is a change that was captured.
const dueSQL = `
SELECT name, hints FROM (
    SELECT c.name,
        EXISTS (SELECT FROM closesync.outbox o JOIN closesync.first_loads f ON f.connection = o.connection AND f.object_type = o.object_type
            WHERE o.connection = c.id) AS hints,
        (SELECT greatest(not_before, lease_until) FROM closesync.dirty WHERE connection = c.id
            ORDER BY greatest(not_before, lease_until) LIMIT 1) <= closesync.clock() AS marks
    FROM closesync.connections c WHERE c.name = ANY ($1)) v
WHERE (hints OR marks) AND NOT EXISTS (SELECT FROM ` + migrations.RiverSchema + `.river_job j
    WHERE j.state IN ('available', 'scheduled') AND j.kind = 'cycle' AND j.args ->> 'connection' = v.name)`

// sweep wakes cycles for what is due. Marks and hints of a type whose table is
// gone wait for it.
func (w *Worker) sweep(ctx context.Context) {
	rows, err := w.pool.Query(ctx, dueSQL, slices.Collect(maps.Keys(w.byName)))
	if err != nil {
		return
	}
	due := map[string]bool{}
	var name string
	var hints bool
	if _, err := pgx.ForEachRow(rows, []any{&name, &hints}, func() error {
		due[name] = hints
		return nil
	}); err != nil {
		return
	}
	for name, hints := range due {
		w.awake.Store(false)
		if w.takes(ctx, name, hints) {
			_, _ = w.client.Insert(ctx, CycleArgs{name}, nil) // the next sweep tries again
		}
	}
}

// takes reports whether a cycle would do something now.
func (w *Worker) takes(ctx context.Context, name string, hints bool) bool {
	local := w.byName[name].Engine.Local
	if hints {
		if some, err := local.Hinted(ctx); err == nil && some {
			return true
		}
	}
	wait, marks, err := local.NextDue(ctx)
	return err == nil && marks && wait == 0
}

// listen hears the capture triggers, first on conn. A lost connection is made
// anew; the sweep covers the time between.
func (w *Worker) listen(ctx context.Context, conn *pgx.Conn, heard chan<- struct{}) {
	for ctx.Err() == nil {
		if conn != nil {
			waitFor(ctx, conn, heard)
		}
		var err error
		if conn, err = w.connectAlarms(ctx); err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	if conn != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
	}
}

// connectAlarms makes the connection that listens and shows that this worker
// lives.
func (w *Worker) connectAlarms(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, w.pool.Config().ConnConfig.Copy())
	if err != nil {
		return nil, fmt.Errorf("jobs: alarms: %w", err)
	}
	if _, err = conn.Exec(ctx, "LISTEN closesync_outbox"); err == nil {
		err = present(ctx, conn, w.Name())
	}
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("jobs: alarms: %w", err)
	}
	return conn, nil
}

// waitFor passes notifications on until the connection ends.
func waitFor(ctx context.Context, conn *pgx.Conn, heard chan<- struct{}) {
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
		select {
		case heard <- struct{}{}:
		default:
		}
	}
}
