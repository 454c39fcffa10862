//go:build unix

package pglocal

import (
	"os/exec"
	"syscall"
)

// fastShutdown rolls back open transactions and ends the server in order.
func (s *Server) fastShutdown(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGINT) }

// immediateShutdown ends it like a crash; the next start recovers.
func (s *Server) immediateShutdown(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGQUIT) }

// attributes returns the command's process attributes, made on first use.
func attributes(cmd *exec.Cmd) *syscall.SysProcAttr {
	if cmd.SysProcAttr == nil {
		// An own process group: Ctrl-C at the terminal is for the worker, who
		// still needs its database to end in order.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
	return cmd.SysProcAttr
}
