package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"closesync/internal/testdb"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "run this seed alone, shrink it if it fails, and tell its story")
	fileFlag  = flag.String("sim.file", "", "run the script in this `file` alone and tell its story")
	fromFlag  = flag.Uint64("sim.from", 1, "first seed")
	countFlag = flag.Int("sim.count", 25, "how many seeds")
	mostFlag  = flag.Int("sim.most", 200, "stop after so many violations")
	lanesFlag = flag.Int("sim.lanes", 2, "how many run side by side")
	twiceFlag = flag.Uint64("sim.twice", 0, "run each seed that this divides twice and compare the traces (I-19); 0: none")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testdb.Run(m))
}

// TestSim runs random scenarios. One that fails is named with the line that
// runs it again.
func TestSim(t *testing.T) {
	lane := NewLane(t)
	switch {
	case *fileFlag != "":
		tell(t, lane, read(t, *fileFlag))
		return
	case *seedFlag != 0:
		tell(t, lane, shrunk(t, lane, Generate(*seedFlag)))
		return
	}
	tally := NewTally()
	var next atomic.Uint64
	next.Store(*fromFlag)
	lanes := []*Lane{lane}
	for len(lanes) < *lanesFlag {
		lanes = append(lanes, NewLane(t))
	}
	var g errgroup.Group
	for _, lane := range lanes {
		g.Go(func() error { return farm(t, lane, &next, tally) })
	}
	require.NoError(t, g.Wait())
	t.Log(tally)
	require.Empty(t, tally.Missing(), "what must happen did not, in so many scenarios")
}

// farm runs one seed after another until there are no more, or too many failed.
func farm(t *testing.T, lane *Lane, next *atomic.Uint64, tally *Tally) error {
	for seed := next.Add(1) - 1; seed < *fromFlag+uint64(*countFlag) && tally.Violations() < *mostFlag; seed = next.Add(1) - 1 {
		sc := Generate(seed)
		twice := *twiceFlag > 0 && seed%*twiceFlag == 0
		r, err := lane.Run(sc, Options{Trace: twice})
		if err != nil {
			return err
		}
		if twice {
			again, err := lane.Run(sc, Options{Trace: true})
			if err != nil {
				return err
			}
			if again.Hash != r.Hash {
				r.Broken = append(r.Broken, Violation{"I-19", "two runs, two traces: " + parting(r.Trace, again.Trace)})
			}
		}
		tally.Add(sc, r, twice)
		if len(r.Broken) > 0 {
			t.Errorf("%s: %s (and %d more)\nagain: go test ./internal/sim -run TestSim -sim.seed=%d", r.Broken[0].Invariant, r.Broken[0].Text, len(r.Broken)-1, seed)
		}
	}
	return nil
}

// parting is where two traces differ first.
func parting(a, b string) string {
	one, other := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(one), len(other)) {
		if one[i] != other[i] {
			return fmt.Sprintf("line %d after %q: %.300q, then %.300q", i+1, one[max(i-1, 0)], one[i], other[i])
		}
	}
	return fmt.Sprintf("one has %d lines, the other %d", len(one), len(other))
}

// TestSeeds runs the scripts that once found a fault.
func TestSeeds(t *testing.T) {
	files, err := filepath.Glob("testdata/seeds/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	lane := NewLane(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			r, err := lane.Run(read(t, file), Options{})
			require.NoError(t, err)
			require.Empty(t, r.Broken)
		})
	}
}

// TestScript: a scenario survives being written and read.
func TestScript(t *testing.T) {
	for seed := range uint64(200) {
		sc := Generate(seed)
		again, err := Parse(sc.Script())
		require.NoError(t, err)
		require.Equal(t, sc, again)
	}
}

func read(t *testing.T, file string) Scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	sc, err := Parse(string(text))
	require.NoError(t, err)
	return sc
}

// shrunk is the smallest part of a failing scenario that still fails.
func shrunk(t *testing.T, lane *Lane, sc Scenario) Scenario {
	t.Helper()
	r, err := lane.Run(sc, Options{})
	require.NoError(t, err)
	if len(r.Broken) == 0 {
		return sc
	}
	small, err := lane.Shrink(sc, r.Broken[0].Invariant, Options{})
	require.NoError(t, err)
	return small
}

func tell(t *testing.T, lane *Lane, sc Scenario) {
	t.Helper()
	r, err := lane.Run(sc, Options{Tell: true})
	require.NoError(t, err)
	t.Log("\n" + strings.Join(r.Story, "\n") + "\n\n" + sc.Script())
	for _, b := range r.Broken {
		t.Errorf("%s: %s", b.Invariant, b.Text)
	}
}
