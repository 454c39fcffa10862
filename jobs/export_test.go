package jobs

import (
	"context"
	"time"
)

// Soon is the retry policy of all jobs.
var Soon = soon{}

// Sweep looks once for what is due.
func Sweep(w *Worker) { w.sweep(context.Background()) }

// Walks are the jobs that begin anew, or wait for a later turn, when they are
// cut off, with how long each may take; below zero is as long as it takes.
func Walks() map[string]time.Duration {
	return map[string]time.Duration{
		TailArgs{}.Kind():     (&tailWorker{}).Timeout(nil),
		BackfillArgs{}.Kind(): (&backfillWorker{}).Timeout(nil),
		AuditArgs{}.Kind():    (&auditWorker{}).Timeout(nil),
	}
}
