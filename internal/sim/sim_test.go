package sim

import (
	"flag"
	"os"
	"testing"

	"closesync/internal/testdb"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "run this seed alone and tell its story")
	fromFlag  = flag.Uint64("sim.from", 1, "first seed")
	countFlag = flag.Int("sim.count", 300, "how many seeds")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(testdb.Run(m))
}

func TestSim(t *testing.T) {
	lane := NewLane(t)
	if *seedFlag != 0 {
		tell(t, lane, Generate(*seedFlag))
		return
	}
	failed := 0
	for seed := *fromFlag; seed < *fromFlag+uint64(*countFlag); seed++ {
		r, err := lane.Run(Generate(seed), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Broken) > 0 {
			failed++
			t.Errorf("seed %d: %s: %s (and %d more)", seed, r.Broken[0].Invariant, r.Broken[0].Text, len(r.Broken)-1)
			if failed > 20 {
				return
			}
		}
	}
}

func tell(t *testing.T, lane *Lane, sc Scenario) {
	t.Helper()
	r, err := lane.Run(sc, Options{Tell: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(sc.Script())
	for _, line := range r.Story {
		t.Log(line)
	}
	for _, b := range r.Broken {
		t.Errorf("%s: %s", b.Invariant, b.Text)
	}
}
