//go:build unix && !linux

package pglocal

import (
	"os/exec"
	"strconv"
	"strings"
)

// leftoverProcesses is the process postmaster.pid names, if its command line
// says that it serves this cluster.
func leftoverProcesses(cluster string) []int {
	p, ok := readPostmaster(cluster)
	if !ok {
		return nil
	}
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(p.pid)).Output()
	if err != nil || !strings.Contains(string(out), "postgres") || !strings.Contains(string(out), cluster) {
		return nil
	}
	return []int{p.pid}
}
