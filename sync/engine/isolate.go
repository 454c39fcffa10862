package engine

import (
	"context"
	"errors"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Refusal is the error of Local.Decide that is about single rows: mostly that
// Postgres refuses what one is to hold, by a user's constraint or trigger, or by
// the column's type.
type Refusal struct {
	Reason string // in Postgres's own words
	// Link: not the row is refused but the link, since another record has it.
	Link bool
	Err  error
	// Passing: the table or the worker's right to it is at fault, not what the row
	// is to hold. It is tried again by itself.
	Passing bool
	// InUse: nothing is refused, but a timeout that somebody set for locks or
	// statements ended the transaction (fault C9). One row may be to blame.
	InUse bool
	// Untouched is set by isolate: without Close's values the row is refused as
	// well, so that nothing at all may be written to it.
	Untouched bool
}

func (f *Refusal) Error() string { return f.Err.Error() }

func (f *Refusal) Unwrap() error { return f.Err }

// isolate decides on a batch in one transaction, so that a row which Postgres
// refuses holds up nobody: the batch is then decided in halves, down to the
// record in question. That one is decided once more, with the refusal; try
// parks it without what was refused. One whose row is in use waits.
func (e *Engine) isolate(ctx context.Context, b Batch, try func(b Batch, refused *Refusal) error) error {
	safe := func(refused *Refusal) error {
		return guarded(func() error { return try(b, refused) })()
	}
	err := safe(nil)
	refused, ok := refusalOf(err)
	switch {
	case !ok:
		return err
	case b.size() > 1:
		first, second := b.halves()
		if err := e.isolate(ctx, first, try); err != nil {
			return err
		}
		return e.isolate(ctx, second, try)
	case refused.InUse, refused.Link && b.attempts() < linkTries:
		return e.putOff(ctx, b, refused)
	}
	err = safe(refused)
	if again, ok := refusalOf(err); ok && !again.InUse {
		again.Untouched = true
		return safe(again)
	}
	return err
}

// linkTries is how often a record is looked at again whose link another record
// took at the same time: what both were about to adopt is then known as taken.
const linkTries = 4

// attempts is how often the one record of a batch was tried; a page has no count.
func (b Batch) attempts() int {
	if len(b.Claims) == 0 {
		return linkTries
	}
	return b.Claims[0].Attempts
}

// refusalOf finds a refusal in an error. A panic is one as well: a mistake of
// ours about one record holds up nobody (fault D9).
func refusalOf(err error) (*Refusal, bool) {
	if p, ok := errors.AsType[*panicked](err); ok {
		return &Refusal{Reason: p.Error(), Err: err}, true
	}
	return errors.AsType[*Refusal](err)
}

// class names what stands behind a refusal in record_status.error_class.
func (f *Refusal) class() string {
	if _, ok := errors.AsType[*panicked](f.Err); ok {
		return "panic"
	}
	return "postgres"
}

// rowClass reports whether a class is that of a refusal.
func rowClass(class string) bool { return class == "postgres" || class == "panic" }

// putOff leaves records for later without touching their rows.
func (e *Engine) putOff(ctx context.Context, b Batch, why *Refusal) error {
	e.Logger.Info("a row or a link is in use; its record is looked at later", "error", why.Err)
	for _, objectType := range keys(b.CloseIDs) {
		if err := e.Local.Mark(ctx, objectType, b.CloseIDs[objectType], Cause{"source": "in use"}, 0); err != nil {
			return err
		}
	}
	if err := e.retry(ctx, b); err != nil {
		return err
	}
	if b.Checkpoint == nil {
		return nil
	}
	return e.Local.SaveCheckpoint(ctx, *b.Checkpoint)
}

// parkedFor is when a parked record is tried again whose cause may end without
// anybody's touching it: a right that is given back, in Close or in Postgres.
// Each try asks Close.
const parkedFor = time.Hour

// tryLater has a parked record looked at again by itself.
func (out *Outcome) tryLater() { out.Mark, out.Fetch, out.After = true, true, parkedFor }

// retry ends the claims of a batch undecided, each try later than the last.
// Where not even that can be written, they end as if never made.
func (e *Engine) retry(ctx context.Context, b Batch) error {
	if len(b.Claims) == 0 {
		return nil
	}
	err := e.Local.Decide(ctx, Batch{IDs: b.IDs, Claims: b.Claims}, func(Present, []*State) error {
		for _, c := range b.Claims {
			c.begin()
			c.Retry = untilFree(c.Attempts)
		}
		return nil
	})
	if _, ok := refusalOf(err); ok {
		return e.Local.Release(ctx, b.Claims, untilFree(b.attempts()))
	}
	return err
}

// park keeps a record in sight whose row Postgres refuses. The next change on
// either side, or `closesync errors retry`, tries it again.
func (f *Refusal) park(st *State) {
	st.Outcome = &Outcome{Status: Errored, Class: f.class(), Error: f.Reason, Untouched: f.Untouched}
	if f.Passing {
		st.Outcome.tryLater()
	}
}

// soften parks a record likewise, but keeps of its outcome what does not go into
// the row: what is known of Close by now.
func (f *Refusal) soften(st *State) {
	out := st.Outcome
	if out == nil {
		f.park(st)
		return
	}
	out.Status, out.Class, out.Error, out.Untouched = Errored, f.class(), f.Reason, f.Untouched
	out.Plan.Local, out.Plan.LocalSet = reconcile.None, nil
	if f.Link {
		out.CloseID = ""
	}
	if f.Passing {
		out.tryLater()
	}
}

func (b Batch) size() int {
	n := 0
	for _, t := range mapping.Types() {
		n += len(b.IDs[t]) + len(b.CloseIDs[t])
	}
	return n
}

// halves splits a batch, parents first. The checkpoint goes with the second
// half: it moves last, with all that it covers.
func (b Batch) halves() (first, second Batch) {
	first, second = b, b
	first.Checkpoint = nil
	first.IDs, second.IDs = map[string][]int64{}, map[string][]int64{}
	first.CloseIDs, second.CloseIDs = map[string][]string{}, map[string][]string{}
	left := b.size() / 2
	early := map[int64]bool{}
	for _, t := range mapping.Types() {
		n := min(left, len(b.IDs[t]))
		first.IDs[t], second.IDs[t] = b.IDs[t][:n], b.IDs[t][n:]
		for _, id := range first.IDs[t] {
			early[id] = true
		}
		left -= n
		n = min(left, len(b.CloseIDs[t]))
		first.CloseIDs[t], second.CloseIDs[t] = b.CloseIDs[t][:n], b.CloseIDs[t][n:]
		left -= n
	}
	first.Claims, second.Claims = nil, nil
	for _, c := range b.Claims {
		if early[c.RecordID] {
			first.Claims = append(first.Claims, c)
		} else {
			second.Claims = append(second.Claims, c)
		}
	}
	return first, second
}
