//go:build unix && !linux

package pglocal

import "os/exec"

// dieWithParent cannot be had from the kernel here; see guard.
func dieWithParent(cmd *exec.Cmd) { attributes(cmd) }

// guard starts the watchdog.
func guard(cmd *exec.Cmd) func() { return watchdog(cmd.Process.Pid) }
