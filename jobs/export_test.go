package jobs

import "context"

// Soon is the retry policy of all jobs.
var Soon = soon{}

// Sweep looks once for what is due.
func Sweep(w *Worker) { w.sweep(context.Background()) }
