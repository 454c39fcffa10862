package main

import (
	"errors"
	"fmt"
)

// The exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or configuration
	exitOpen   = 3 // done, but records are parked, held, in conflict or pending
)

// exitError ends the program with a code of its own. A nil err prints nothing:
// what is to be said was said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is an error of the caller's making: exit code 2.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode maps an error to the code of the process. An error from before a
// command began (a flag, an argument, an unknown command) is wrong usage.
func exitCode(err error, began bool) int {
	var e *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &e):
		return e.code
	case !began:
		return exitUsage
	}
	return exitFailed
}
