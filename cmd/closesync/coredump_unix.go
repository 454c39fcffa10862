//go:build unix

package main

import "syscall"

// noCoreDumps keeps the memory of a crashed process, and with it the API key,
// off the disk. Whoever debugs a crash raises the limit with a debugger.
func noCoreDumps() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) }
