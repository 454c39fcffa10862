// Package memory sets how much of it the worker's process takes.
package memory

import (
	"os"
	"runtime/debug"
)

// aim is above what the worker needs, in bytes: near it garbage is collected
// sooner, so that a busy machine does not make it large.
const aim = 88 << 20

// growth is how far the heap may grow between collections, in percent: twice
// as far as Go has it, since aim bounds it. It saves a tenth of a first load.
const growth = 200

// Bound has the process stay small, until undone. GOMEMLIMIT and GOGC say
// otherwise.
func Bound() (undo func()) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(growth)
	undo = func() { debug.SetMemoryLimit(limit); debug.SetGCPercent(percent) }
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(aim)
	}
	if os.Getenv("GOGC") != "" {
		debug.SetGCPercent(percent)
	}
	return undo
}
