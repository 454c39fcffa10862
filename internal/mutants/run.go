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

// verdict is what became of a mutant.
type verdict struct {
	test  string // the named test that noticed it; "" for none
	seed  int    // the first seed at which the simulator noticed it; 0 for none
	error error  // it could not be judged
	took  time.Duration
}

func (v verdict) killed() bool { return v.test != "" || v.seed > 0 }

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (Test\w+)`)
	hung   = regexp.MustCompile(`panic: test timed out after [\s\S]*?\s(Test[\w/]+) \(`)
	seeds  = regexp.MustCompile(`-sim\.seed=(\d+)`)
)

// judge asks the named tests whether they notice the bug, then the simulator
// over so many seeds.
func (m Mutant) judge(ctx context.Context, root string, count int) verdict {
	began := time.Now()
	v := verdict{}
	over, end, err := m.build(root)
	defer end()
	if err == nil {
		v.test, err = tested(ctx, root, over, m.Package, m.Run)
	}
	if err == nil && count > 0 {
		v.seed, err = simulated(ctx, root, over, count)
	}
	v.error, v.took = err, time.Since(began)
	return v
}

// build writes the edited files; end removes them.
func (m Mutant) build(root string) (over string, end func(), err error) {
	end = func() {}
	files, err := m.apply(root)
	if err != nil {
		return "", end, err
	}
	dir, err := os.MkdirTemp("", "closesync-mutant-")
	if err != nil {
		return "", end, err
	}
	over, err = overlay(root, dir, files)
	return over, func() { _ = os.RemoveAll(dir) }, err
}

// simulated is the first of so many seeds at which an invariant breaks.
func simulated(ctx context.Context, root, over string, count int) (first int, err error) {
	out, err := goTest(ctx, root, over, "./internal/sim", "TestSim$", 20*time.Minute, "-sim.from=1", "-sim.most=1", "-sim.count="+strconv.Itoa(count))
	if out == "" || err != nil {
		return 0, err
	}
	for _, found := range seeds.FindAllStringSubmatch(out, -1) {
		if n, _ := strconv.Atoi(found[1]); first == 0 || n < first {
			first = n
		}
	}
	if first == 0 {
		return 0, fmt.Errorf("the simulator ended without naming a seed:\n%s", out)
	}
	return first, nil
}

// tested is the first of the named tests that fails. One that does not end is
// one that fails.
func tested(ctx context.Context, root, over, pkg, run string) (string, error) {
	out, err := goTest(ctx, root, over, pkg, run, 3*time.Minute)
	if out == "" || err != nil {
		return "", err
	}
	if found := hung.FindStringSubmatch(out); found != nil {
		return found[1] + ", which hangs", nil
	}
	if found := failed.FindStringSubmatch(out); found != nil {
		return found[1], nil
	}
	return "", fmt.Errorf("%s ended without saying which test failed:\n%s", pkg, out)
}

// control runs what the mutants will be asked of, without any bug: a test that
// fails by itself notices nothing.
func control(ctx context.Context, root string, list []Mutant, count int) error {
	runs := map[string][]string{}
	for _, m := range list {
		runs[m.Package] = append(runs[m.Package], m.Run)
	}
	for pkg, run := range runs {
		name, err := tested(ctx, root, "", pkg, strings.Join(run, "|"))
		if err == nil && name != "" {
			err = fmt.Errorf("%s of %s fails without any bug", name, pkg)
		}
		if err != nil {
			return err
		}
	}
	if count == 0 {
		return nil
	}
	seed, err := simulated(ctx, root, "", count)
	if err == nil && seed > 0 {
		err = fmt.Errorf("seed %d fails without any bug", seed)
	}
	return err
}

// goTest gives the output of tests that failed, "" if they passed. What does
// not build, or names no test, is an error: it says nothing about the bug.
func goTest(ctx context.Context, root, over, pkg, run string, limit time.Duration, args ...string) (string, error) {
	all := []string{"test", "-count=1", "-failfast", "-vet=off", "-timeout=" + limit.String(), "-run", run}
	if over != "" {
		all = append(all, "-overlay="+over)
	}
	cmd := exec.CommandContext(ctx, "go", append(append(all, pkg), args...)...)
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

// sought says how many seeds the simulator took.
func (v verdict) sought(count int) string {
	switch {
	case v.seed > 0:
		return strconv.Itoa(v.seed)
	case count > 0 && v.error == nil:
		return ">" + strconv.Itoa(count)
	}
	return "-"
}

// noticed names who noticed the bug.
func (v verdict) noticed() string {
	switch {
	case v.test != "":
		return v.test
	case v.seed > 0:
		return "the simulator"
	case v.error != nil:
		return "NOT JUDGED: " + v.error.Error()
	}
	return "NOBODY: it survived"
}
