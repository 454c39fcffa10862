package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jackc/pgx/v5"
)

// editEvery is the pause between two local changes whose way is timed.
const editEvery = 20 * time.Millisecond

// pushers is how many calls to Close the engine makes at once.
const pushers = 8

func measurePush(ctx context.Context, b *bench) error {
	w, err := b.newWorker(ctx, imitationSpec{Leads: b.leads})
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.load(ctx); err != nil {
		return err
	}
	leads, err := w.ids(ctx, "leads", b.edits)
	if err != nil {
		return err
	}
	floor, err := w.floorEdits(ctx, leads)
	if err != nil {
		return err
	}
	floorRate, err := w.floorPushes(ctx, leads)
	if err != nil {
		return err
	}
	if err := w.startJobs(ctx); err != nil {
		return err
	}
	own, err := w.editSingly(ctx, leads)
	if err != nil {
		return err
	}
	b.table.add(line{"local commit to PUT at Close p50 / p99", pair(own), pair(floor),
		ratio(float64(percentile(own, 99)), float64(percentile(floor, 99))), "p99 < 2s"})
	b.table.count("  changes without a PUT", int64(len(leads)-len(own)), 0, "0")
	return w.editAtOnce(ctx, leads, floorRate)
}

// editSingly changes one lead after another and takes from the imitation when
// each PUT arrived.
func (w *worker) editSingly(ctx context.Context, leads []string) ([]time.Duration, error) {
	if err := w.close.forget(ctx); err != nil {
		return nil, err
	}
	committed := map[string]time.Time{}
	for i, id := range leads {
		if _, err := w.pool.Exec(ctx, "UPDATE crm.leads SET description = $2 WHERE close_id = $1", id, fmt.Sprintf("Edit %d", i)); err != nil {
			return nil, err
		}
		committed[id] = time.Now()
		if err := pause(ctx, editEvery); err != nil {
			return nil, err
		}
	}
	if err := w.settle(ctx, drainLimit); err != nil {
		return nil, err
	}
	return w.ways(ctx, committed)
}

// ways gives the time from each commit to the first PUT of that lead.
func (w *worker) ways(ctx context.Context, committed map[string]time.Time) ([]time.Duration, error) {
	requests, err := w.close.requests(ctx)
	if err != nil {
		return nil, err
	}
	var ways []time.Duration
	for _, r := range requests {
		id := strings.Trim(strings.TrimPrefix(r.Path, "/api/v1/lead/"), "/")
		if at, ok := committed[id]; ok && r.Method == http.MethodPut {
			ways = append(ways, max(0, r.Time.Sub(at)))
			delete(committed, id)
		}
	}
	return ways, nil
}

// editAtOnce changes all leads in one statement and counts PUTs and reads.
func (w *worker) editAtOnce(ctx context.Context, leads []string, floorRate float64) error {
	if err := w.close.forget(ctx); err != nil {
		return err
	}
	started := time.Now()
	if _, err := w.pool.Exec(ctx, "UPDATE crm.leads SET description = 'At once' WHERE close_id = ANY ($1)", leads); err != nil {
		return err
	}
	if err := w.settle(ctx, drainLimit); err != nil {
		return err
	}
	requests, err := w.close.requests(ctx)
	if err != nil {
		return err
	}
	puts, last := 0, started
	for _, r := range requests {
		if r.Method == http.MethodPut {
			puts++
			last = r.Time
		}
	}
	if puts == 0 {
		return errors.New("no change was pushed")
	}
	w.b.table.slower(fmt.Sprintf("%d changes in one statement: pushes", len(leads)), "PUT/s", perSecond(puts, last.Sub(started)), floorRate, "")
	own := float64(len(requests)) / float64(len(leads))
	w.b.table.add(line{"  requests per change", number(own), number(2), ratio(own, 2), ""})
	return nil
}

// floorEdits is the least on the way of one change: a notification from the
// commit, one read of the lead and one write.
func (w *worker) floorEdits(ctx context.Context, leads []string) ([]time.Duration, error) {
	conn, err := pgx.ConnectConfig(ctx, w.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN bench_floor"); err != nil {
		return nil, err
	}
	if err := w.close.forget(ctx); err != nil {
		return nil, err
	}
	committed := map[string]time.Time{}
	for i, id := range leads {
		if _, err := w.pool.Exec(ctx, "SELECT pg_notify('bench_floor', $1)", id); err != nil {
			return nil, err
		}
		committed[id] = time.Now()
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return nil, err
		}
		if err := w.readAndWrite(ctx, n.Payload, fmt.Sprintf("Floor %d", i)); err != nil {
			return nil, err
		}
	}
	ways, err := w.ways(ctx, committed)
	if err != nil {
		return nil, err
	}
	return ways, w.follow(ctx)
}

// floorPushes gives PUTs per second with as many callers as the engine has.
func (w *worker) floorPushes(ctx context.Context, leads []string) (float64, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(pushers)
	started := time.Now()
	for _, id := range leads {
		g.Go(func() error { return w.readAndWrite(gctx, id, "Floor at once") })
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	rate := perSecond(len(leads), time.Since(started))
	return rate, w.follow(ctx)
}

func (w *worker) readAndWrite(ctx context.Context, id, description string) error {
	if _, err := w.client.GetRaw(ctx, "lead", id); err != nil {
		return err
	}
	_, err := w.client.UpdateRaw(ctx, "lead", id, map[string]string{"description": description})
	return err
}

// follow takes in what the floor changed, so that nothing waits when the
// worker is measured.
func (w *worker) follow(ctx context.Context) error {
	if err := w.look(ctx); err != nil {
		return err
	}
	return w.settle(ctx, drainLimit)
}
