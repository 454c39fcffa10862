package main

import (
	"context"
	"fmt"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"closesync/jobs"
	"closesync/mapping"
)

// resyncOptions are the flags of resync.
type resyncOptions struct {
	*options
	dryRun, noWait, wait bool
}

// resyncResult is what resync --json prints.
type resyncResult struct {
	ID         string  `json:"id"` // the connection's name
	Connection string  `json:"connection"`
	Seen       int64   `json:"seen"`
	Waited     bool    `json:"waited"`
	Seconds    float64 `json:"seconds"`
}

func newResyncCommand(o *options) *cobra.Command {
	r := &resyncOptions{options: o}
	c := o.jsonFlag(&cobra.Command{
		Use:   "resync [object or id …]",
		Short: "Compare in full, now: everything, objects or single records",
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return r.run(ctx, args)
		},
	})
	c.Flags().BoolVar(&r.dryRun, "dry-run", false, "say what would change and write nothing")
	c.Flags().BoolVar(&r.wait, "wait", true, "do the work and return when nothing is pending")
	c.Flags().BoolVar(&r.noWait, "no-wait", false, "leave the work to the running worker")
	return c
}

func (r *resyncOptions) run(ctx context.Context, what []string) error {
	if len(what) == 0 {
		what = []string{"all"}
	}
	if r.dryRun {
		return r.plan(ctx, what)
	}
	return r.working(ctx, what, func(a *app) error { return r.compare(ctx, a, what) })
}

// working runs do about what is named, in a process that counts as a worker as
// long as that takes.
func (o *options) working(ctx context.Context, what []string, do func(*app) error) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	if _, err := targetsOf(cfg, what); err != nil {
		return err
	}
	a, err := o.assemble(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer a.close()
	leave, err := a.announce(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return do(a)
}

func (r *resyncOptions) compare(ctx context.Context, a *app, what []string) error {
	var results []resyncResult
	for _, c := range a.chosen(r.connection) {
		if err := c.allowed(ctx); err != nil {
			return err
		}
		result, err := r.one(ctx, a, c, what)
		if err != nil {
			return err
		}
		results = append(results, result)
	}
	if r.json {
		if err := printJSON(r.options, results); err != nil {
			return err
		}
	}
	if r.noWait || !r.wait {
		return nil
	}
	return a.unfinished(ctx)
}

func (r *resyncOptions) one(ctx context.Context, a *app, c *conn, what []string) (resyncResult, error) {
	started := time.Now()
	result := resyncResult{ID: c.name, Connection: c.name, Waited: !r.noWait && r.wait}
	if !result.Waited {
		return result, a.ask(ctx, c, what)
	}
	if _, err := c.check(ctx); err != nil {
		return result, err
	}
	bar, done := r.progress(ctx, c)
	if err := c.engine.Backfill(ctx, bar); err != nil {
		return result, err
	}
	var seen atomic.Int64 // several windows report at once
	err := a.compare(ctx, c, what, func(n int64) {
		seen.Store(n)
		bar(n)
	})
	result.Seen = seen.Load() + named(what)
	if err == nil {
		err = c.settle(ctx)
	}
	done()
	result.Seconds = time.Since(started).Seconds()
	if err == nil {
		_, _ = fmt.Fprintf(r.err, "connection %s: %d records compared in %s\n", c.name, result.Seen, time.Since(started).Round(time.Millisecond))
	}
	return result, err
}

// named counts the single records among what is asked for.
func named(what []string) (n int64) {
	for _, w := range what {
		if mapping.TypeOfID(w) != "" {
			n++
		}
	}
	return n
}

// ask leaves the work to the running worker.
func (a *app) ask(ctx context.Context, c *conn, what []string) error {
	t, err := c.targets(ctx, what)
	if err != nil || len(t.types) == 0 {
		return err
	}
	queue, err := jobs.New(jobs.Options{Pool: a.pool, Logger: a.log})
	if err != nil {
		return err
	}
	return queue.Audit(ctx, c.name, t.types)
}

// progress shows a bar with an estimate on a terminal, and nothing elsewhere.
// The total is what is linked already; a first load has none.
func (r *resyncOptions) progress(ctx context.Context, c *conn) (report func(int64), done func()) {
	if !isTerminal(r.err) {
		return func(int64) {}, func() {}
	}
	total, err := c.store.LinkedCount(ctx)
	if err != nil || total == 0 {
		total = 1
	}
	p := mpb.NewWithContext(ctx, mpb.WithOutput(r.err), mpb.WithWidth(60))
	bar := p.AddBar(total, mpb.PrependDecorators(decor.Name("compare "), decor.CountersNoUnit("%d / %d")),
		mpb.AppendDecorators(decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), "done")))
	return func(n int64) {
			if n > total {
				bar.SetTotal(n, false)
			}
			bar.SetCurrent(n)
		}, func() {
			bar.SetTotal(-1, true)
			p.Wait()
		}
}
