//go:build unix

package pglocal

import (
	"fmt"
	"os/exec"
)

// watchdog ends process pid when this process ends: a shell reads a pipe that
// we hold open and never write to, so it wakes when we are gone, however we
// went. The returned function dismisses it without harm to pid.
func watchdog(pid int) func() {
	script := fmt.Sprintf(`read line; [ "$line" = done ] || kill -INT %d`, pid)
	cmd := exec.Command("/bin/sh", "-c", script)
	attributes(cmd)
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return func() {}
	}
	if err := cmd.Start(); err != nil {
		return func() {}
	}
	return func() {
		_, _ = pipe.Write([]byte("done\n"))
		_ = cmd.Wait()
	}
}
