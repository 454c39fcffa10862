package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"github.com/robfig/cron/v3"

	"closesync/migrations"
)

type tx = pgx.Tx

// Schedule holds when the periodic jobs run.
type Schedule struct{ Events, Search, Audit cron.Schedule }

// Options makes a Worker.
type Options struct {
	Pool        *pgxpool.Pool
	Connections []Connection
	Schedule    Schedule
	Logger      *slog.Logger
}

// Worker runs the jobs of all connections. Start it once; Stop waits for the
// jobs under way.
type Worker struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	byName map[string]Connection
	when   Schedule
	log    *slog.Logger
	// awake: a cycle job was put in the queue and has not begun.
	awake atomic.Bool
	// underway: see giveBack.
	underway underway
	// slots and cycles are for the cycles that a local change starts at once.
	slots  chan struct{}
	cycles sync.WaitGroup
	stop   context.CancelFunc // ends the alarms
	cut    context.CancelFunc // ends those cycles
	ended  chan struct{}
	// ending is done as soon as the worker is asked to end.
	ending context.Context
}

const (
	// cyclesAtOnce is how many cycles the queue runs at once, and how many run
	// beside it: one waits for Close's answers while the next change comes.
	cyclesAtOnce = 4
	// jobTimeout is how long a cycle may take; what it did not get to stays due.
	jobTimeout = 2 * time.Minute
)

// New registers the job kinds and the schedule. Nothing runs before Start.
func New(o Options) (*Worker, error) {
	w := &Worker{pool: o.Pool, byName: map[string]Connection{}, when: o.Schedule, log: o.Logger, underway: underway{ids: map[int64]bool{}}, slots: make(chan struct{}, cyclesAtOnce)}
	for _, c := range o.Connections {
		w.byName[c.Name] = c
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &cycleWorker{Worker: w})
	river.AddWorker(workers, &tailWorker{Worker: w})
	river.AddWorker(workers, &searchWorker{Worker: w})
	river.AddWorker(workers, &referenceWorker{Worker: w})
	river.AddWorker(workers, &checkWorker{Worker: w})
	river.AddWorker(workers, &expireWorker{Worker: w})
	river.AddWorker(workers, &backfillWorker{Worker: w})
	river.AddWorker(workers, &auditWorker{Worker: w})
	client, err := river.NewClient(riverpgxv5.New(o.Pool), &river.Config{
		Schema: migrations.RiverSchema,
		Logger: slog.New(&quiet{o.Logger.Handler()}),
		Queues: map[string]river.QueueConfig{
			QueueCycle:  {MaxWorkers: cyclesAtOnce, FetchCooldown: 5 * time.Millisecond, FetchPollInterval: 500 * time.Millisecond},
			QueueFollow: {MaxWorkers: 4, FetchPollInterval: time.Second},
			QueueLoad:   {MaxWorkers: 2, FetchPollInterval: time.Second},
		},
		Workers:                     workers,
		Middleware:                  []rivertype.Middleware{river.WorkerMiddlewareFunc(w.underway.around)},
		PeriodicJobs:                periodic(o),
		RetryPolicy:                 soon{},
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        3 * time.Minute,
		CompletedJobRetentionPeriod: time.Hour,
	})
	if err != nil {
		return nil, fmt.Errorf("jobs.New: %w", err)
	}
	w.client = client
	return w, nil
}

func periodic(o Options) []*river.PeriodicJob {
	var jobs []*river.PeriodicJob
	add := func(schedule river.PeriodicSchedule, args river.JobArgs) {
		jobs = append(jobs, river.NewPeriodicJob(schedule, func() (river.JobArgs, *river.InsertOpts) { return args, nil }, nil))
	}
	for _, c := range o.Connections {
		add(o.Schedule.Events, TailArgs{c.Name})
		add(o.Schedule.Search, SearchArgs{c.Name})
		add(o.Schedule.Audit, AuditArgs{Connection: c.Name})
		add(river.PeriodicInterval(10*time.Minute), ReferenceArgs{c.Name})
		add(river.PeriodicInterval(30*time.Second), CheckArgs{c.Name})
		add(river.PeriodicInterval(time.Hour), ExpireArgs{c.Name})
		add(river.PeriodicInterval(time.Minute), BackfillArgs{c.Name})
	}
	return jobs
}

// Name is what this worker is called in jobs and claims; see store.SetWorker.
func (w *Worker) Name() string { return w.client.ID() }

// Client gives River's client, for the job UI and for inserting.
func (w *Worker) Client() *river.Client[pgx.Tx] { return w.client }

// Start begins to work jobs and to listen for local changes.
func (w *Worker) Start(ctx context.Context) error {
	heard, err := w.connectAlarms(ctx)
	if err != nil {
		return err
	}
	// Whoever is missing now was killed before this start.
	gone := missing[string]{}
	if err := w.takeOver(ctx, gone, 0); err != nil {
		_ = heard.Close(ctx)
		return err
	}
	alarms, stop := context.WithCancel(context.WithoutCancel(ctx))
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	w.stop, w.cut, w.ended, w.ending = stop, cut, make(chan struct{}), alarms
	if err := w.client.Start(ctx); err != nil {
		stop()
		cut()
		_ = heard.Close(ctx)
		return fmt.Errorf("jobs.Start: %w", err)
	}
	go w.runAlarms(alarms, work, heard, gone)
	return w.begin(ctx)
}

// begin queues what a start does at once. The schedule's own first run waits
// until River has elected a leader, which takes 15 seconds after a kill.
func (w *Worker) begin(ctx context.Context) error {
	var list []river.InsertManyParams
	for name := range w.byName {
		for _, args := range []river.JobArgs{CheckArgs{name}, ReferenceArgs{name}, ExpireArgs{name}, BackfillArgs{name}, TailArgs{name}, SearchArgs{name}} {
			list = append(list, river.InsertManyParams{Args: args})
		}
	}
	if len(list) == 0 {
		return nil
	}
	if _, err := w.client.InsertMany(ctx, list); err != nil {
		return fmt.Errorf("jobs.Start: %w", err)
	}
	return nil
}

// cutOff is how long the jobs have that were not through when Stop's context
// ended, to write down that they were not.
const cutOff = 2 * time.Second

// Stop ends the alarms and the walks, and waits for the other jobs and cycles
// under way. Those that are not through when ctx ends are cut off, which is no
// more than a kill: the next start goes on with them.
func (w *Worker) Stop(ctx context.Context) error {
	w.stop()
	<-w.ended
	defer w.cut()
	defer context.AfterFunc(ctx, w.cut)()
	err := w.client.Stop(ctx)
	if err == nil || ctx.Err() == nil {
		w.cycles.Wait()
		return err
	}
	w.log.Warn("some jobs did not end in time and are cut off; the next start goes on with them")
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutOff)
	defer cancel()
	err = w.client.StopAndCancel(last)
	w.cycles.Wait()
	if err != nil && last.Err() == nil {
		return err
	}
	return nil
}

// walking gives a walk a context that also ends when the worker shall: its
// checkpoint tells where to go on, so that nobody has to wait for its end.
func (w *Worker) walking(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(w.ending, cancel)
	return ctx, func() { detach(); cancel() }
}

// interrupted is what a walk says that ended because the worker does: at the
// next start it is due at once, and nothing has failed.
func (w *Worker) interrupted(err error) error {
	if err != nil && w.ending.Err() != nil {
		return river.JobSnooze(0)
	}
	return translate(err)
}

// Enqueue puts a cycle job into the queue within tx: it becomes visible with
// the marks it is to work off.
func (w *Worker) Enqueue(connection string) func(ctx context.Context, tx pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		_, err := w.client.InsertTx(ctx, tx, CycleArgs{connection}, nil)
		return err
	}
}

// Audit asks for a full compare, until whose end [Requested] is true.
func (w *Worker) Audit(ctx context.Context, connection string, types []string) error {
	_, err := w.client.Insert(ctx, AuditArgs{Connection: connection, Types: types, Requested: true}, nil)
	return err
}

// connection gives a connection that may be worked for now.
func (w *Worker) connection(ctx context.Context, name string) (Connection, error) {
	c, ok := w.byName[name]
	if !ok {
		return c, river.JobCancel(fmt.Errorf("no connection %q in this worker's configuration", name))
	}
	if c.Allowed != nil {
		if err := c.Allowed(ctx); err != nil {
			w.log.Error("nothing is synchronised", "connection", name, "reason", err)
			return c, river.JobSnooze(10 * time.Second)
		}
	}
	return c, nil
}
