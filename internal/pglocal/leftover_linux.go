package pglocal

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// leftoverProcesses lists the processes that work in the cluster: Postgres and
// all its children make it their working directory. Unlike the number in
// postmaster.pid this finds backends that outlive their parent, and is not
// fooled by a number used again.
func leftoverProcesses(cluster string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if cwd, err := os.Readlink(filepath.Join("/proc", e.Name(), "cwd")); err != nil || cwd != cluster {
			continue
		}
		// A person's shell may stand in the folder, too.
		if comm, err := os.ReadFile(filepath.Join("/proc", e.Name(), "comm")); err == nil &&
			strings.HasPrefix(string(comm), "postgres") {
			pids = append(pids, pid)
		}
	}
	return pids
}
