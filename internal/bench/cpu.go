package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is what Linux counts processor time in for programs.
const ticksPerSecond = 100

// cpuTime is the processor time that each part has used so far. On a machine
// that all of them share it says more than the clock, which other programs
// disturb.
type cpuTime struct{ own, imitation, postgres time.Duration }

func (a cpuTime) since(b cpuTime) cpuTime {
	return cpuTime{a.own - b.own, a.imitation - b.imitation, a.postgres - b.postgres}
}

func (a cpuTime) total() time.Duration { return a.own + a.imitation + a.postgres }

// String gives seconds; a part that is not known is 0.
func (a cpuTime) String() string {
	return fmt.Sprintf("%.1f+%.1f+%.1f s", a.own.Seconds(), a.postgres.Seconds(), a.imitation.Seconds())
}

// cpu reads the times; where there is no /proc, or Postgres runs elsewhere,
// they are 0.
func (w *worker) cpu(ctx context.Context) cpuTime {
	var backend int
	if err := w.b.db.admin.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return cpuTime{}
	}
	c := cpuTime{own: readStat(os.Getpid()).used, imitation: readStat(w.close.cmd.Process.Pid).used}
	if server := readStat(backend).parent; server > 1 {
		c.postgres = family(server)
	}
	return c
}

// stat is what /proc says of a process.
type stat struct {
	parent      int
	used, ended time.Duration // of itself; of its children that ended
}

func readStat(pid int) stat {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}
	}
	// The name in parentheses may hold anything; the rest is numbers.
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(f) < 15 {
		return stat{}
	}
	parent, _ := strconv.Atoi(f[1])
	ticks := func(i int) time.Duration {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		return time.Duration(n) * time.Second / ticksPerSecond
	}
	return stat{parent, ticks(11) + ticks(12), ticks(13) + ticks(14)}
}

// family is the time of a process and its children.
func family(server int) time.Duration {
	s := readStat(server)
	total := s.used + s.ended
	list, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range list {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if child := readStat(pid); child.parent == server {
			total += child.used
		}
	}
	return total
}
