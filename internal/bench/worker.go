package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/robfig/cron/v3"

	"closesync/internal/seal"
	"closesync/jobs"
	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
	"closesync/sync/remote"
	"closesync/sync/store"
)

// worker is one connection put together as `closesync run` does, over an
// imitation of Close and a database of its own.
type worker struct {
	close    *imitation
	pool     *pgxpool.Pool
	client   *closeapi.Client
	objects  map[string]*mapping.Object
	store    *store.Store
	engine   *engine.Engine
	orgID    string
	requests atomic.Int64
	jobs     *jobs.Worker // nil until startJobs
	b        *bench
}

// newWorker makes a worker whose database is empty.
func (b *bench) newWorker(ctx context.Context, spec imitationSpec) (*worker, error) {
	w := &worker{b: b}
	var err error
	if w.close, err = startImitation(spec); err != nil {
		return nil, err
	}
	if w.pool, err = b.db.fresh(ctx); err == nil {
		err = w.assemble(ctx)
	}
	if err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

func (w *worker) assemble(ctx context.Context) error {
	var problems []mapping.Problem
	if w.objects, problems = mapping.Bind(nil); len(problems) > 0 {
		return problems[0]
	}
	key := closeapi.Secret(w.close.Key)
	var err error
	w.client, err = closeapi.New(closeapi.Options{BaseURL: w.close.URL, Key: key, Logger: w.b.log,
		Observe: func(closeapi.Call) { w.requests.Add(1) }})
	if err != nil {
		return err
	}
	me, err := w.client.Me(ctx)
	if err != nil {
		return err
	}
	if len(me.Organizations) == 0 {
		return fmt.Errorf("the key has no organization")
	}
	w.orgID = me.Organizations[0].ID
	sealer, err := seal.New([]byte(w.close.Key))
	if err != nil {
		return err
	}
	w.store, err = store.Open(ctx, store.Options{Pool: w.pool, Connection: "default", Objects: w.objects, Logger: w.b.log, Sealer: sealer})
	if err != nil {
		return err
	}
	if err := w.store.Bind(ctx, w.orgID); err != nil {
		return err
	}
	if _, err := w.store.EnsureTriggers(ctx); err != nil {
		return err
	}
	far := remote.New(remote.Options{Client: w.client, Objects: w.objects, OrganizationID: w.orgID, APIKeyID: key.Reveal(),
		CanSeeAll: true, Attempts: w.requests.Load, Logger: w.b.log})
	w.engine = engine.New(engine.Options{Objects: w.objects, Local: w.store, Remote: far, Logger: w.b.log})
	return nil
}

// load does the first load and works off what it left.
func (w *worker) load(ctx context.Context) error {
	if err := w.engine.Reference(ctx); err != nil {
		return err
	}
	if err := w.engine.Backfill(ctx, nil); err != nil {
		return err
	}
	if _, err := w.engine.Run(ctx); err != nil {
		return err
	}
	// As autovacuum would have done by the time that figures of a running
	// worker are of interest.
	_, err := w.pool.Exec(ctx, "VACUUM ANALYZE")
	return err
}

// startJobs lets the worker go by itself: woken by marks and by local commits,
// the periodic jobs once at the start.
func (w *worker) startJobs(ctx context.Context) error {
	never := cron.Every(24 * time.Hour)
	var err error
	w.jobs, err = jobs.New(jobs.Options{Pool: w.pool, Logger: w.b.log, Schedule: jobs.Schedule{Events: never, Search: never, Audit: never},
		Connections: []jobs.Connection{{Name: "default", Engine: w.engine, Types: mapping.Types()}}})
	if err != nil {
		return err
	}
	w.store.SetEnqueue(w.jobs.Enqueue("default"))
	w.store.SetWorker(w.jobs.Name())
	if err := w.jobs.Start(ctx); err != nil {
		return err
	}
	// The jobs of the start have to be over before anything is measured: the
	// last one the load queues is a search.
	for {
		var kinds, busy int
		err := w.pool.QueryRow(ctx, `SELECT count(DISTINCT kind) FILTER (WHERE kind IN ('events', 'search', 'reference', 'check', 'backfill')),
			count(*) FILTER (WHERE state <> 'completed') FROM river.river_job`).Scan(&kinds, &busy)
		if err != nil {
			return err
		}
		if kinds == 5 && busy == 0 {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// settle waits until nothing is pending, at most for limit.
func (w *worker) settle(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		idle, err := w.store.Idle(ctx)
		if err != nil || idle {
			return err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("still not idle after %s: %w", limit, err)
		}
	}
}

func (w *worker) end() {
	if w.jobs != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_ = w.jobs.Stop(ctx)
		cancel()
	}
	if w.client != nil {
		w.client.CloseIdle()
	}
	if w.pool != nil {
		w.pool.Close()
	}
	w.close.stop()
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
