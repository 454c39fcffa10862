package jobs

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const sweepInterval = 200 * time.Millisecond

// runAlarms wakes cycles: at once when a local change is committed, and every
// sweepInterval for marks that came due or whose alarm was lost.
func (w *Worker) runAlarms(ctx context.Context) {
	defer close(w.ended)
	heard := make(chan struct{}, 1)
	go w.listen(ctx, heard)
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
			w.wakeAll(ctx)
		case <-tick.C:
			w.sweep(ctx)
		}
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
		SELECT FROM closesync.dirty WHERE not_before <= clock_timestamp() AND lease_until < clock_timestamp())`).Scan(&due)
	if err == nil && due {
		w.awake.Store(false)
		w.wakeAll(ctx)
	}
}

// listen hears the capture triggers. A lost connection is made anew; the
// sweep covers the time between.
func (w *Worker) listen(ctx context.Context, heard chan<- struct{}) {
	for ctx.Err() == nil {
		if err := w.listenOnce(ctx, heard); err != nil && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

func (w *Worker) listenOnce(ctx context.Context, heard chan<- struct{}) error {
	conn, err := pgx.ConnectConfig(ctx, w.pool.Config().ConnConfig.Copy())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN closesync_outbox"); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		select {
		case heard <- struct{}{}:
		default:
		}
	}
}
