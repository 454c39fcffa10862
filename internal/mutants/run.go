package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// batch is how many seeds the simulator plays before it is asked whether it
// noticed something.
const batch = 25

// verdict is what became of a mutant.
type verdict struct {
	killed string // which test noticed it; "" for none
	took   time.Duration
}

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (Test\w+)`)
	seeds  = regexp.MustCompile(`-sim\.seed=(\d+)`)
)

// judge runs the simulator over so many seeds, then the named tests, until one
// fails.
func (m Mutant) judge(ctx context.Context, root string, seeds int) (verdict, error) {
	began := time.Now()
	files, err := m.apply(root)
	if err != nil {
		return verdict{}, err
	}
	dir, err := os.MkdirTemp("", "closesync-mutant-")
	if err != nil {
		return verdict{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	over, err := overlay(root, dir, files)
	if err != nil {
		return verdict{}, err
	}
	killed, err := simulated(ctx, root, over, seeds)
	if killed == "" && err == nil {
		killed, err = tested(ctx, root, over, m.Package, m.Run)
	}
	return verdict{killed, time.Since(began)}, err
}

func simulated(ctx context.Context, root, over string, most int) (string, error) {
	for from := 1; from <= most; from += batch {
		out, err := goTest(ctx, root, over, "./internal/sim", "TestSim$", "-sim.from="+strconv.Itoa(from), "-sim.count="+strconv.Itoa(min(batch, most-from+1)))
		if err != nil || out == "" {
			if err != nil {
				return "", err
			}
			continue
		}
		first := most
		for _, found := range seeds.FindAllStringSubmatch(out, -1) {
			if n, _ := strconv.Atoi(found[1]); n < first {
				first = n
			}
		}
		return fmt.Sprintf("the simulator, %d seeds", first), nil
	}
	return "", nil
}

func tested(ctx context.Context, root, over, pkg, run string) (string, error) {
	out, err := goTest(ctx, root, over, pkg, run)
	if out == "" || err != nil {
		return "", err
	}
	if found := failed.FindStringSubmatch(out); found != nil {
		return found[1], nil
	}
	return "", fmt.Errorf("%s ended without saying which test failed:\n%s", pkg, out)
}

// goTest gives the output of tests that failed, "" if they passed. What does
// not build, or names no test, is an error: it says nothing about the bug.
func goTest(ctx context.Context, root, over, pkg, run string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-overlay=" + over, "-count=1", "-timeout=10m", "-run", run, pkg}, args...)...)
	cmd.Dir = root
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	switch {
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"), strings.Contains(out, "no tests to run"):
		return "", fmt.Errorf("%s -run %s:\n%s", pkg, run, out)
	case err == nil:
		return "", nil
	case cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1:
		return "", fmt.Errorf("%s: %w\n%s", pkg, err, out)
	}
	return out, nil
}
