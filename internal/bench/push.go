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

	"closesync/sync/closetest"
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
	b.table.way("local commit to PUT at Close", own, floor, 50*time.Millisecond, time.Second)
	b.table.exact("  changes without a PUT", int64(len(leads)-len(own)), 0)
	if err := w.editBurst(ctx, leads[0]); err != nil {
		return err
	}
	if err := w.editAtOnce(ctx, leads, "", floorRate, 2); err != nil {
		return err
	}
	if err := w.editMixed(ctx); err != nil {
		return err
	}
	return w.editBothSides(ctx, leads)
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

// editAtOnce changes all leads in one statement and counts PUTs and reads, of
// which calls are allowed for each.
func (w *worker) editAtOnce(ctx context.Context, leads []string, how string, floorRate, calls float64) error {
	if err := w.close.forget(ctx); err != nil {
		return err
	}
	started := time.Now()
	if _, err := w.pool.Exec(ctx, "UPDATE crm.leads SET description = 'At once' WHERE close_id = ANY ($1)", leads); err != nil {
		return err
	}
	requests, err := w.settled(ctx)
	if err != nil {
		return err
	}
	puts, _, last := putsOf(requests)
	if puts == 0 {
		return errors.New("no change was pushed")
	}
	w.b.table.slower(fmt.Sprintf("%d changes in one statement%s: pushes", len(leads), how), "PUT/s", perSecond(puts, last.Sub(started)), floorRate, 0)
	w.b.table.atMost("  PUTs per change", float64(puts)/float64(len(leads)), 1, 1)
	w.b.table.atMost("  reads per change", float64(len(requests)-puts)/float64(len(leads)), calls-1, calls-1)
	return nil
}

// settled waits until nothing is pending and gives the requests since forget.
func (w *worker) settled(ctx context.Context) ([]closetest.Request, error) {
	if err := w.settle(ctx, drainLimit); err != nil {
		return nil, err
	}
	return w.close.requests(ctx)
}

// putsOf counts the updates among requests, and tells when the first and the
// last arrived.
func putsOf(requests []closetest.Request) (n int, first, last time.Time) {
	for _, r := range requests {
		if r.Method != http.MethodPut || r.Status == http.StatusTooManyRequests {
			continue
		}
		if n++; n == 1 {
			first = r.Time
		}
		last = r.Time
	}
	return n, first, last
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
