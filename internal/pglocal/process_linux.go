package pglocal

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel send the server a fast shutdown when the thread
// that starts it ends, be it by kill -9.
func dieWithParent(cmd *exec.Cmd) { attributes(cmd).Pdeathsig = syscall.SIGINT }

// guard has nothing to add on Linux.
func guard(*exec.Cmd) func() { return func() {} }
