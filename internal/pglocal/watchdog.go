//go:build unix

package pglocal

import (
	"fmt"
	"io"
	"os/exec"
)

// watchdog ends process pid when this process ends: a shell reads a pipe that
// we hold open and never write to, so it wakes when we are gone, however we
// went. The returned function dismisses it without harm to pid.
func watchdog(pid int) (dismiss func()) {
	pipe, cmd, err := watch(pid)
	if err != nil {
		return func() {}
	}
	return func() {
		_, _ = pipe.Write([]byte("done\n"))
		_ = cmd.Wait()
	}
}

// watch starts the shell. It acts when pipe is closed without a word.
func watch(pid int) (pipe io.WriteCloser, cmd *exec.Cmd, err error) {
	script := fmt.Sprintf(`read line; [ "$line" = done ] || kill -INT %d`, pid)
	cmd = exec.Command("/bin/sh", "-c", script)
	attributes(cmd)
	if pipe, err = cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	return pipe, cmd, cmd.Start()
}
