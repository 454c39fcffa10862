// Command bench measures the worker on this machine and prints one table: each
// figure beside a floor, which is the least that the same work costs here, and
// which is measured in the same run. The imitation of Close runs as a process
// of its own, Postgres with all its durability (or the one of DATABASE_URL). It
// ends with status 0 only if every target that was measured is reached.
//
//	make bench
//	make bench BENCH_FLAGS='-only=ingest,push -seconds=60'
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the program.
type bench struct {
	leads   int
	large   bool
	seconds int
	rates   []int
	edits   int
	limited int
	rows    int
	log     *slog.Logger
	db      *databases
	table   table
}

// group measures some rows of the table.
type group struct {
	name, about string
	run         func(context.Context, *bench) error
}

var groups = []group{
	{"backfill", "the first load", measureBackfill},
	{"latency", "the first load with 200 ms to each answer of Close", measureSlowBackfill},
	{"idle", "a look at Close when nothing has changed", measureIdle},
	{"compare", "the full compare", measureCompare},
	{"ingest", "webhooks at fixed rates", measureIngest},
	{"backlog", "100,000 webhooks that Close kept for a receiver that was away", measureBacklog},
	{"flood", "forged webhooks beside genuine ones", measureFlood},
	{"push", "local changes on their way to Close", measurePush},
	{"pushes", "the same with latency, and without verifying", measurePushOtherwise},
	{"limit", "local changes under a limit of 20 requests a second", measureLimit},
	{"marks", "claims from a backlog of 300,000 marks", measureMarks},
	{"trigger", "what capture costs a user's statement", measureTrigger},
}

func main() {
	if spec := os.Getenv(imitationEnv); spec != "" {
		exit(serveImitation(spec))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, args []string) (err error) {
	b := &bench{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := f.String("only", "", "measure these `groups` only: "+strings.Join(names(), ","))
	profile := f.String("cpuprofile", "", "write a CPU profile to this `file`")
	rates := f.String("rates", "200,500,1000,1500,2000", "webhook `events/s`")
	verbose := f.Bool("v", false, "show the worker's log")
	f.IntVar(&b.leads, "leads", 10_000, "`leads` in Close")
	f.BoolVar(&b.large, "large", false, "load 100,000 leads as well")
	f.IntVar(&b.seconds, "seconds", 10, "`seconds` at each rate of webhooks")
	f.IntVar(&b.edits, "edits", 500, "local `changes` to push")
	f.IntVar(&b.limited, "limited", 400, "local `changes` to push under the limit, 20 of them a second")
	f.IntVar(&b.rows, "rows", 20_000, "`rows` of a statement that the trigger sees")
	if err := f.Parse(args); err != nil {
		return err
	}
	wanted, err := choose(*only)
	if err != nil {
		return err
	}
	if b.rates, err = numbers(*rates); err != nil {
		return err
	}
	b.log = slog.New(slog.DiscardHandler)
	if *verbose {
		b.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if *profile != "" {
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	if b.db, err = openDatabases(ctx); err != nil {
		return err
	}
	defer func() {
		if closed := b.db.close(context.WithoutCancel(ctx)); err == nil {
			err = closed
		}
	}()
	if err := b.header(ctx, os.Stdout); err != nil {
		return err
	}
	for _, g := range wanted {
		started := time.Now()
		if err := g.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s, took %s\n", g.name, g.about, time.Since(started).Round(time.Second/10))
	}
	if err := b.table.print(os.Stdout); err != nil {
		return err
	}
	return b.table.verdict()
}

func startProfile(name string) (stop func(), err error) {
	f, err := os.Create(name) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}

// header says what the figures depend on.
func (b *bench) header(ctx context.Context, w io.Writer) error {
	settings, err := b.db.settings(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s, %d CPUs, %s/%s, %s, %s\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), settings)
	return err
}

func names() []string {
	var list []string
	for _, g := range groups {
		list = append(list, g.name)
	}
	return list
}

func choose(only string) ([]group, error) {
	if only == "" {
		return groups, nil
	}
	var list []group
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(groups, func(g group) bool { return g.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no group %q: choose from %s", name, strings.Join(names(), ", "))
		}
		list = append(list, groups[i])
	}
	return list, nil
}

func numbers(text string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("rate %q is no positive number", part)
		}
		list = append(list, n)
	}
	return list, nil
}
