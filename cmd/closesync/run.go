package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"riverqueue.com/riverui"

	"closesync/config"
	"closesync/internal/memory"
	"closesync/internal/web"
	"closesync/jobs"
	"closesync/sync/engine"
)

// runOptions are the flags of run.
type runOptions struct {
	*options
	resync  []string
	once    bool
	sandbox bool
	migrate bool

	sandboxListen string
	imitation     *imitation // nil without --sandbox
}

func newRunCommand(o *options) *cobra.Command {
	r := &runOptions{options: o}
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the worker: webhooks, schedule, both directions, dashboard",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // the second signal ends the process at once
			// A log that nobody reads any more is no reason to end.
			signal.Ignore(syscall.SIGPIPE)
			log := newLogWriter(o.err)
			o.log = log
			defer log.finish()
			return r.run(ctx)
		},
	}
	c.Flags().StringSliceVar(&r.resync, "resync", nil, "compare `all`, objects (lead,contact,opportunity) or Close ids in full first")
	c.Flags().BoolVar(&r.once, "once", false, "do what is due in both directions, wait until nothing is pending, exit")
	c.Flags().BoolVar(&r.sandbox, "sandbox", false, "work against a built-in imitation of Close")
	c.Flags().StringVar(&r.sandboxListen, "sandbox-listen", "127.0.0.1:0", "`address` of the imitation and its control API")
	c.Flags().BoolVar(&r.migrate, "migrate", true, "bring the schema up to date first")
	return c
}

func (r *runOptions) run(ctx context.Context) error {
	cfg, err := r.load()
	if err != nil {
		return err
	}
	if _, err := targetsOf(cfg, r.resync); err != nil {
		return err
	}
	if r.sandbox {
		if r.imitation, err = r.startSandbox(ctx, cfg); err != nil {
			return err
		}
		defer r.imitation.stop()
	} else {
		memory.Bound()
	}
	for _, w := range cfg.Warnings {
		r.logger(cfg).Warn(w)
	}
	r.worker = !r.once
	a, err := r.assemble(ctx, cfg, r.migrate)
	if err != nil {
		return err
	}
	defer a.close()
	if r.once {
		return r.runOnce(ctx, a)
	}
	return r.serve(ctx, a)
}

// runOnce does everything that is due, in this process, without the queue.
func (r *runOptions) runOnce(ctx context.Context, a *app) error {
	schedule, err := schedules(a.cfg)
	if err != nil {
		return err
	}
	leave, err := a.announce(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for _, c := range a.conns {
		if err := c.allowed(ctx); err != nil {
			return err
		}
		if err := a.onceOrPaused(ctx, c, r.resync, schedule.Audit); err != nil {
			return err
		}
	}
	return a.unfinished(ctx)
}

// onceOrPaused does what a pause leaves to be done: events are stored and edits
// made here go out, while no row is written. The exit code tells what waits.
func (a *app) onceOrPaused(ctx context.Context, c *conn, resync []string, audit cron.Schedule) error {
	err := a.once(ctx, c, resync, audit)
	if !errors.Is(err, engine.ErrPaused) {
		return err
	}
	a.log.Warn(engine.ErrPaused.Error(), "connection", c.name)
	if _, _, err := c.engine.Tail(ctx); err != nil {
		return err
	}
	return c.settle(ctx)
}

// once runs each step of a connection and then cycles until nothing is due.
func (a *app) once(ctx context.Context, c *conn, resync []string, audit cron.Schedule) error {
	if _, err := c.check(ctx); err != nil {
		return err
	}
	if err := c.engine.Reference(ctx); err != nil {
		return err
	}
	if err := c.engine.Backfill(ctx, nil); err != nil {
		return err
	}
	if _, _, err := c.engine.Tail(ctx); err != nil {
		return err
	}
	for _, t := range c.types {
		if err := c.engine.SearchChanged(ctx, t); err != nil {
			return err
		}
	}
	if len(resync) > 0 {
		if err := a.compare(ctx, c, resync, nil); err != nil {
			return err
		}
	}
	for {
		overdue, err := c.engine.Overdue(ctx, audit.Next)
		if err != nil {
			return err
		}
		if len(overdue) > 0 {
			if err := c.engine.Audit(ctx, overdue, nil); err != nil {
				return err
			}
		}
		if err := c.settle(ctx); err != nil || !c.engine.Emptied() {
			return err
		}
	}
}

// settle cycles until nothing is due, waiting for what comes due soon.
func (c *conn) settle(ctx context.Context) error {
	for {
		if _, err := c.engine.Run(ctx); err != nil {
			return err
		}
		wait, due, err := c.store.NextDue(ctx)
		if err != nil || !due || wait > 30*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(wait, time.Second)):
		}
	}
}

// compare resyncs what the arguments name: all, object types or Close ids.
func (a *app) compare(ctx context.Context, c *conn, what []string, progress func(int64)) error {
	t, err := c.targets(ctx, what)
	if err != nil || (len(t.ids) > 0 && len(t.types) == 0) {
		return err
	}
	return c.engine.Audit(ctx, t.types, progress)
}

// drainTime is how long writes under way have at the end. Docker and Kubernetes
// kill after ten seconds, and thirty, by default.
const drainTime = 7 * time.Second

// serve runs the jobs and the HTTP server until ctx ends.
func (r *runOptions) serve(ctx context.Context, a *app) error {
	schedule, err := schedules(a.cfg)
	if err != nil {
		return err
	}
	// Before the jobs: in the sandbox the address becomes part of a subscription.
	listener, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; choose another address with --listen or CLOSESYNC_LISTEN", a.cfg.Listen, err)
	}
	defer listener.Close()
	if r.sandbox && a.cfg.PublicURL == "" {
		a.cfg.PublicURL = localURL(listener.Addr().String())
	}
	worker, err := jobs.New(jobs.Options{Pool: a.pool, Connections: a.jobConnections(), Schedule: schedule, Logger: a.log})
	if err != nil {
		return err
	}
	for _, c := range a.conns {
		c.store.SetEnqueue(worker.Enqueue(c.name))
		c.store.SetWorker(worker.Name())
		if c.allowed(ctx) == nil {
			if _, err := c.check(ctx); err != nil {
				return err
			}
			if err := a.noteUnmanaged(ctx, c); err != nil {
				return err
			}
		}
	}
	receiver := a.receiver()
	receiver.Start(ctx)
	defer func() { _ = receiver.Stop(context.WithoutCancel(ctx)) }()
	ui, err := jobPages(ctx, a, worker)
	if err != nil {
		return err
	}
	opt := a.webOptions(receiver)
	opt.Jobs = ui
	handler := web.New(opt)
	if err := worker.Start(ctx); err != nil {
		return err
	}
	for _, c := range a.conns {
		t, err := c.targets(ctx, r.resync)
		if err != nil {
			return err
		}
		if len(t.types) > 0 {
			if err := worker.Audit(ctx, c.name, t.types); err != nil {
				return err
			}
		}
	}
	dashboard := localURL(listener.Addr().String()) + "/"
	a.log.Info("closesync runs", "dashboard", dashboard, "version", version())
	if r.sandbox {
		r.whereToLook(a, dashboard)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return web.Serve(gctx, listener, handler, a.log) })
	g.Go(func() error {
		<-gctx.Done()
		a.log.Info("closesync is stopping: what is under way is ended first; a second signal stops at once")
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		return worker.Stop(drain)
	})
	err = g.Wait()
	a.log.Info("closesync has stopped")
	if errors.Is(err, context.Canceled) || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// schedules parses what config has validated.
func schedules(cfg *config.Config) (jobs.Schedule, error) {
	var s jobs.Schedule
	var ok bool
	if s.Events, ok = config.ParseSchedule(cfg.Schedule.Events); !ok {
		return s, usageError("schedule.events: %q", cfg.Schedule.Events)
	}
	if s.Search, ok = config.ParseSchedule(cfg.Schedule.Search); !ok {
		return s, usageError("schedule.search: %q", cfg.Schedule.Search)
	}
	if s.Audit, ok = config.ParseSchedule(cfg.Schedule.Audit); !ok {
		return s, usageError("schedule.audit: %q", cfg.Schedule.Audit)
	}
	return s, nil
}

// jobPages makes River UI, which is mounted behind our own door.
func jobPages(ctx context.Context, a *app, worker *jobs.Worker) (http.Handler, error) {
	endpoints := riverui.NewEndpoints(worker.Client(), nil)
	ui, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: endpoints, Prefix: "/jobs", Logger: a.log, JobListHideArgsByDefault: true})
	if err != nil {
		return nil, err
	}
	return ui, ui.Start(ctx)
}
