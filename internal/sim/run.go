package sim

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Result is what became of a scenario.
type Result struct {
	Broken  []Violation
	Hash    uint64
	Points  int // yield points passed
	Crashes map[string]int
	Faults  map[string]int // fired, by kind
	Reached reached
	Story   []string
	Trace   string
	Unseen  int // unobservable overwrites, reliability.md §3.7
}

// Options change how a scenario is run.
type Options struct {
	CrashAt int  // the worker dies at this yield point; 0: never
	Tell    bool // keep the story
	Trace   bool // keep the trace
	Idle    int  // idle cycles after the rest; 1 if 0
}

// Run plays a scenario, lets everything come to rest and checks the invariants.
func (l *Lane) Run(sc Scenario, o Options) (Result, error) {
	w, err := l.newWorld(sc)
	if err != nil {
		return Result{}, err
	}
	w.crashAt, w.tells = o.CrashAt, o.Tell
	if o.Trace {
		w.hash = io.MultiWriter(w.hash, &w.trace)
	}
	defer w.close()
	w.play()
	w.rest()
	w.check(max(o.Idle, 1))
	return Result{Broken: w.broken, Hash: w.sum(), Points: w.points, Crashes: w.crashes, Faults: w.fired, Reached: w.reached, Story: w.story,
		Trace: w.trace.String()}, nil
}

// play carries out the steps.
func (w *World) play() {
	w.begin1()
	for i, st := range w.sc.Steps {
		w.at = i + 1
		w.say("%3d  %s", w.at, st)
		w.reached["step "+st.Who+" "+st.Do]++
		fmt.Fprintf(w.hash, "step %s\n", st)
		w.step(st)
		w.settleBlocked(nil)
		w.resumeLocals()
		w.tire(w.at)
		w.lane.advance(w.sc.Config.Tick)
	}
	w.at = len(w.sc.Steps) + 1
}

// begin1 makes the records that are there at the start and does the first load.
func (w *World) begin1() {
	n := 900
	for _, r := range w.recs {
		if r.There {
			n++
			w.closeCreate(r, n)
		}
	}
	w.tokens = max(w.tokens, n)
	w.lane.advance(time.Minute)
	w.must("w1", "check")
	if w.sc.Seed%8 == 0 { // else it is read when it is needed first
		w.must("w1", "reference")
	}
	w.must("w1", "load")
	w.must("w1", "cycle")
}

// must runs an operation to its end.
func (w *World) must(name, verb string) {
	t := w.operate(name, verb, 0, w.operation(Step{Who: name, Do: verb}))
	if t != nil {
		w.ended(t)
	}
}

func (w *World) step(st Step) {
	switch st.Who {
	case "close":
		w.ops++
		w.closeStep(st)
	case "local":
		w.ops++
		w.localStep(st)
	case "hook":
		w.hookStep(st)
	case "clock":
		w.lane.advance(st.For)
	case "fault":
		w.ops++
		w.faultStep(st)
	default:
		w.workerStep(st)
	}
}

// close ends what still runs.
func (w *World) close() {
	for _, p := range w.procs {
		if !p.dead {
			w.kill(p, nil)
		}
	}
	for _, s := range w.sessions {
		if s.open.Load() {
			_ = w.endSession(w.lane.ctx, s, false)
		}
	}
	for _, p := range w.graves {
		if p.receiver != nil {
			_ = p.receiver.Stop(context.Background())
		}
	}
}
