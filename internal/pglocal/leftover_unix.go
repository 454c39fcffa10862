//go:build unix

package pglocal

import (
	"errors"

	"golang.org/x/sys/unix"
)

// endLeftovers asks the postmaster for a fast shutdown (SIGINT) or, rudely,
// every process for an immediate one (SIGQUIT). Backends without a postmaster
// notice its death by themselves.
func endLeftovers(cluster string, pids []int, rudely bool) {
	p, _ := readPostmaster(cluster)
	for _, pid := range pids {
		switch {
		case rudely:
			_ = unix.Kill(pid, unix.SIGQUIT)
		case pid == p.pid:
			_ = unix.Kill(pid, unix.SIGINT)
		}
	}
}

func processLives(pid int) bool {
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
