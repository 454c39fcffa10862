package engine

import (
	"time"

	"closesync/sync/reconcile"
)

// A row that a user's transaction has locked holds up nobody but its own record:
// that is looked at again later, and keeps its mark for as long as it takes. The
// end of the transaction, if it changed the row, makes it due at once.

// untilFree is when a busy row is looked at again: soon at first, and seldom
// enough, since each time Close is read.
func untilFree(attempts int) time.Duration { return backoff(min(attempts, 7)) }

// spareRow keeps of an outcome what does not go into the row, if that is busy.
// What is missing there comes with the next look.
func (st *State) spareRow() {
	out := st.Outcome
	if !st.Busy || out == nil || out.Status == Deleted {
		return
	}
	out.Plan.Local, out.Plan.LocalSet, out.Untouched = reconcile.None, nil, true
	out.Mark, out.Fetch, out.After = true, true, untilFree(0)
}
