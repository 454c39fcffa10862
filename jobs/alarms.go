package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const sweepInterval = 200 * time.Millisecond

// runAlarms wakes cycles: at once when a local change is committed, and every
// sweepInterval for marks that came due or whose alarm was lost. Cycles that it
// starts itself run on work, which outlives ctx.
func (w *Worker) runAlarms(ctx, work context.Context, conn *pgx.Conn, m missing) {
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
		_, err = c.Engine.Run(ctx)
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

func (w *Worker) sweep(ctx context.Context) {
	var due bool
	err := w.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM closesync.outbox) OR EXISTS (
		SELECT FROM closesync.dirty WHERE not_before <= closesync.clock() AND lease_until < closesync.clock())`).Scan(&due)
	if err == nil && due {
		w.awake.Store(false)
		w.wakeAll(ctx)
	}
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
