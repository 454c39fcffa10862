package pglocal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// postmaster is what postmaster.pid says of a server that runs or ran.
// Source: the Postgres manual, "Database File Layout"; pidfile.h.
type postmaster struct {
	pid  int
	port int
}

// readPostmaster parses line 1 (process id) and line 4 (port).
func readPostmaster(cluster string) (postmaster, bool) {
	text, err := os.ReadFile(filepath.Join(cluster, "postmaster.pid"))
	if err != nil {
		return postmaster{}, false
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return postmaster{}, false
	}
	p := postmaster{pid: pid}
	if len(lines) > 3 {
		p.port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	}
	return p, true
}

// leftoverPatience bounds the wait for an orphan's last checkpoint, after
// which it is ended without one; that is safe, only the next start recovers.
const leftoverPatience = 20 * time.Second

// clearLeftovers makes way for a new server. The caller holds the lock, so the
// process that owned any server still alive here is dead: such a server is
// asked to end and waited for. A postmaster.pid whose number now belongs to an
// unrelated process (after a reboot, or in a new container) would stop
// Postgres from starting and is removed; the data is never touched.
func clearLeftovers(at layout, log *slog.Logger, giveUp <-chan struct{}) error {
	began := time.Now()
	for asked := 0; ; {
		left := leftoverProcesses(at.cluster)
		if len(left) == 0 {
			break
		}
		switch waited := time.Since(began); {
		case asked == 0:
			log.Warn("ending the postgres that a killed process left behind", "pids", left)
			endLeftovers(at.cluster, left, false)
			asked++
		case asked == 1 && waited > leftoverPatience:
			endLeftovers(at.cluster, left, true)
			asked++
		case waited > 2*leftoverPatience:
			return fmt.Errorf("a postgres left behind (processes %v) holds %s and does not end", left, at.cluster)
		}
		select {
		case <-giveUp:
			return nil
		case <-time.After(poll):
		}
	}
	for _, lock := range lockFiles(at) {
		if err := removeStale(lock); err != nil {
			return err
		}
	}
	return nil
}

// lockFiles are Postgres' own: of the cluster and of its sockets.
func lockFiles(at layout) []string {
	sockets, _ := filepath.Glob(filepath.Join(at.socket, ".s.PGSQL.*.lock"))
	return append(sockets, filepath.Join(at.cluster, "postmaster.pid"))
}

// removeStale removes a lock file that names a living process, which by now is
// known not to be a server of this cluster. One that names no living process
// stays: Postgres replaces it itself, after its check for shared memory.
func removeStale(lock string) error {
	text, err := os.ReadFile(lock)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	// A socket's lock has a negative number if it is not a postmaster's.
	pid, _ := strconv.Atoi(strings.TrimSpace(first))
	if pid == 0 || !processLives(max(pid, -pid)) {
		return nil
	}
	return os.Remove(lock)
}
