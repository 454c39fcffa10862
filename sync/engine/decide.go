package engine

import (
	"errors"
	"maps"
	"slices"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// decide fills in the outcome of one claimed record.
func (r *round) decide(st *State, c *Claim) error {
	o := r.Objects[st.Type]
	if open, ok := r.creates[st.ID]; ok {
		if st.CloseID == "" {
			r.settleCreate(st, c, open)
			return nil
		}
		st.Ended = append(st.Ended, Ended{Intent: open.Intent, State: "done", Problem: "its answer was lost; the record is linked"})
	}
	if st.Busy {
		c.Retry = untilFree(c.Attempts)
		return nil
	}
	if r.goesWith(st, c) {
		return nil
	}
	reading, ok := r.reading(o, st, c)
	if !ok {
		return nil
	}
	if !reading.Gone && st.meet(o, c, reading) {
		return nil
	}
	known := len(st.Ended)
	r.landed(o, st, reading)
	if reading.Gone && st.Local.Exists && r.deletes(st) {
		// Our delete arrived. What is under the key now was inserted since.
		st.Outcome = &Outcome{Status: Deleted, Cause: reading.Cause, Whole: true, Done: st.Holds}
		r.tellParted(o, st, c)
		return nil
	}
	err := r.merge(o, st, c, reading)
	if reading.Gone {
		r.tellParted(o, st, c)
	}
	if st.Landed && st.Outcome == nil {
		// The base that tells of them is not saved: they end with the next look.
		st.Ended = st.Ended[:known]
	}
	return err
}

// reading chooses what stands for the state of Close: a fresh reading, the end
// that an event announces, or the content of events that chain from the base.
func (r *round) reading(o *mapping.Object, st *State, c *Claim) (Reading, bool) {
	for _, ev := range r.events[st.ID] {
		if ends(ev.Event, st.CloseID) {
			return Reading{Gone: true, Into: ev.MergeInto, Cause: eventCause(c, ev.Event)}, true
		}
	}
	if st.CloseID == "" {
		return Reading{}, true
	}
	if reading, ok := r.readings[st.ID]; ok {
		if reading.Err != nil {
			r.failRead(st, c, reading.Err)
			return reading, false
		}
		reading.Cause = c.Cause
		return reading, true
	}
	if st.Status == Deleted {
		return Reading{}, false
	}
	reading, early, ok := chain(o, st, r.events[st.ID])
	if ok {
		reading.Cause = c.Cause
		if evs := r.events[st.ID]; len(evs) > 0 {
			reading.Cause = eventCause(c, evs[len(evs)-1].Event)
		}
		return reading, true
	}
	if c.Wait = untilClosed(early, c); c.Wait == 0 {
		c.Retry = time.Microsecond // looks again at once, with a GET
	}
	return Reading{}, false
}

func eventCause(c *Claim, ev mapping.Event) Cause {
	cause := Cause{"event": ev.ID}
	maps.Copy(cause, c.Cause)
	return cause
}

func (r *round) failRead(st *State, c *Claim, err error) {
	call, _ := errors.AsType[*CallError](err)
	if call == nil || call.Class == "transient" || call.Class == "unknown" || call.Class == "limited" {
		c.Retry = backoff(c.Attempts)
		return
	}
	st.Outcome = &Outcome{Status: Errored, Class: call.Class, Error: call.Message, Cause: c.Cause}
	st.Outcome.tryLater()
}

// backoff grows from a quarter of a second to five minutes.
func backoff(attempts int) time.Duration {
	return min(250*time.Millisecond<<min(attempts, 12), 5*time.Minute)
}

// merge asks reconcile what to do and turns the plan into an outcome. Its error
// is of the tally alone.
func (r *round) merge(o *mapping.Object, st *State, c *Claim, rd Reading) error {
	if r.rests(st, rd) {
		return nil
	}
	if r.claims != nil && r.present.Staged[st.Type] && st.Base == nil && !st.Local.Exists && !rd.Gone {
		// The first load, which knows the rows that were there, is to meet it first.
		c.Retry = time.Minute
		return nil
	}
	paused, sure := r.pausedFields(st, c)
	if !sure {
		r.awaitFields(c)
		return nil
	}
	in := reconcile.Input{Base: st.Base, Local: st.Local, Take: r.choices[st.ID], Paused: paused}
	in.Local.At = c.LocalAt
	if c.LocalAt.IsZero() {
		in.Learned = st.Learned // a new edit is sent, whatever Close makes of it
	}
	// A delete that an operator rejected is undone; one of a row out of scope
	// was never meant for Close.
	in.Refill = !st.Local.Exists && (st.held(HoldDelete, "").Status == HoldRejected || st.Status == Detached || st.Unseen || c.Refill)
	for _, h := range st.Holds {
		if h.Kind == HoldClear && h.Status == HoldRejected {
			in.Take = withChoice(in.Take, h.Field, reconcile.Choice{Take: mapping.PolicyClose})
		}
	}
	if st.CloseID != "" && !rd.Gone && !r.takeReading(o, st, c, rd, &in) {
		return nil
	}
	var told []Told
	in.Overwritten, told = r.overwritten(o, st, rd)
	absent := r.heedAbsent(o, st, c, &in)
	plan := reconcile.Merge(o, in)
	kin := r.kin(st, rd)
	if plan.Remote == reconcile.Delete && kin.busy {
		c.Retry = backoff(min(c.Attempts, 4))
		return nil
	}
	if plan.Remote == reconcile.Delete && kin.edited && o.Direction != mapping.ToClose {
		in.Recall = true
		plan = reconcile.Merge(o, in)
	}
	if staysParked(st, c) {
		putHome(o, st.Parked, in, &plan)
		if plan.Remote == reconcile.Create && !knownBy(o, plan.RemoteSet) {
			plan.Remote, plan.RemoteSet = reconcile.None, nil
		}
	}
	if emptiesCustom(plan) && !r.knows {
		r.awaitFields(c)
		return nil
	}
	if (plan.Remote == reconcile.Create || (plan.Local == reconcile.Create && st.Base == nil)) && !r.mayCreate() {
		c.Retry = time.Second
		return nil
	}
	if err := r.conclude(o, st, c, rd, in, plan, absent); err != nil {
		return err
	}
	if st.Outcome != nil {
		st.Outcome.Family, st.Outcome.Wake, st.Outcome.Told = kin.ids(), kin.stuck, told
		if in := st.Outcome.Intent; in != nil && in.Action == reconcile.Delete {
			in.Ends = append(kin.went, Parting{st.ID, rd.Remote.Record})
		}
	}
	return nil
}

// rests reports whether a record is left alone whatever its row holds; the
// first time it is noted why.
func (r *round) rests(st *State, rd Reading) bool {
	switch {
	case rd.Hidden:
		if st.Status != Hidden {
			st.Outcome = &Outcome{Status: Hidden, Cause: rd.Cause}
		}
	case rd.Gone && (st.Status == Deleted || st.Status == Detached):
		// A row that outlived its record is not created again.
	case rd.Gone && st.Base == nil && st.Local.Exists:
		st.Outcome = strange(rd)
	case rd.Out:
		leave(st, rd)
	default:
		return st.Status == Detached && st.Base == nil && !st.Local.Exists
	}
	return true
}

// takeReading makes the reading Close's side of the merge; false if it cannot
// be used now.
func (r *round) takeReading(o *mapping.Object, st *State, c *Claim, rd Reading, in *reconcile.Input) bool {
	remote := rd.Remote
	if remote.Version.Before(st.Version) {
		// An older state than one already applied: a stale replica or a late
		// event. Never go back (fault A28).
		if rd.Fresh {
			c.Retry = max(backoff(c.Attempts), time.Second)
		}
		return false
	}
	if st.Base == nil && !st.Local.Exists && st.Creating.mayBe(rd) {
		waitForCreate(st, c)
		return false
	}
	heedUnfit(st, remote, in)
	o.FillMissing(remote.Record, st.Base, st.Local.Record)
	in.Remote = reconcile.Side{Exists: true, Record: remote.Record, At: remote.Version}
	return true
}

// pausedFields are the fields that Close refused and custom fields that are no
// more or in conversion; false if that is not known.
func (r *round) pausedFields(st *State, c *Claim) (map[string]bool, bool) {
	paused, sure := r.resting(st)
	if staysParked(st, c) {
		for f := range refusedFields(st.Parked) {
			paused[f] = true
		}
	}
	return paused, sure
}

// staysParked reports whether what Close refused rests; a new local edit of the
// row tries it again.
func staysParked(st *State, c *Claim) bool { return len(st.Parked) > 0 && c.LocalAt.IsZero() }

// conclude turns a plan into the outcome that the store carries out.
func (r *round) conclude(o *mapping.Object, st *State, c *Claim, rd Reading, in reconcile.Input, plan reconcile.Plan, absent []Absent) error {
	if r.present.FromClosePaused && writesRow(st, plan) {
		c.Sleep = true
		return nil
	}
	out := &Outcome{Plan: plan, Status: Synced, Cause: rd.Cause, Parked: map[string]string{}, Whole: true}
	if staysParked(st, c) {
		if out.Parked = stillRefused(o, st.Parked, in, plan); len(out.Parked) > 0 {
			out.Status, out.Error, out.Class = Errored, st.Error, st.Class
			if rowClass(st.Class) {
				// The row takes it now; what Close refused is left.
				out.Error, out.Class = reasons(out.Parked), "invalid"
			}
		}
	}
	out.parkUnfit(rd.Remote.Invalid)
	if in.Remote.Exists {
		out.Version, out.Hash = rd.Remote.Version, mapping.Hash(rd.Remote.Record)
		if st.lacksColumn(o) {
			out.Hash = 0 // what could not be compared is compared once the column is back
		}
	}
	if anyOpen(plan) {
		out.Status = Conflict
	}
	if rd.Gone {
		concludeGone(rd, out)
		if goesOn, err := r.guardInbound(st, c, rd, out); err != nil || !goesOn {
			return err
		}
	}
	out.Done = ended(st, out)
	waiting := waits(o, plan)
	whole := waiting && (plan.Remote == reconcile.None || plan.Remote == reconcile.Create && (!parentsKnown(o, plan.RemoteSet) || st.linksSoon(c)))
	if len(plan.Conflicts) > 0 && !whole && r.looksAgain(plan, rd) && !r.present.ToClosePaused && r.present.Loaded[st.Type] {
		// What lost is told once, by the look that decides: told now, with its
		// value as the new base, the write would pass for an edit made here.
		c.Retry = time.Microsecond
		return nil
	}
	if plan.Remote != reconcile.None && !whole {
		if err := r.plea(o, st, c, rd, in, out); err != nil {
			return err
		}
	} else if !whole && !in.Remote.Exists && !rd.Gone && st.CloseID == "" && !st.Local.Exists {
		// A row of ours that is not sent: nothing to remember but that it is there.
		out.Status = Deleted
	}
	if plan.Reasons[reconcile.RecordKey] == reconcile.ReasonNoParent && st.Local.Exists {
		out.Status, out.Class, out.Error = Errored, "parent", "the row names no lead, without which Close cannot have it; it is sent once it does"
	}
	if waiting {
		st.await(c, out, whole)
	}
	r.waitWith(c, absent, out)
	if r.idle(st, out) {
		return nil
	}
	st.Outcome = out
	return nil
}

// looksAgain reports whether a write needs a GET first: what an event or the
// base says may be old by now, someone may have edited since. With push.verify:
// optimistic an update takes that risk.
func (r *round) looksAgain(plan reconcile.Plan, rd Reading) bool {
	switch plan.Remote {
	case reconcile.None, reconcile.Create:
		return false
	case reconcile.Update:
		return !rd.Fresh && !r.Optimistic
	}
	return !rd.Fresh
}

// lacksColumn reports whether the row was read without a column of a field: it
// was dropped or renamed while the worker runs.
func (st *State) lacksColumn(o *mapping.Object) bool {
	return st.Local.Exists && slices.ContainsFunc(o.Fields, func(f mapping.Field) bool {
		_, ok := st.Local.Record[f.Close]
		return !ok
	})
}

func anyOpen(plan reconcile.Plan) bool {
	return slices.ContainsFunc(plan.Conflicts, func(c reconcile.Conflict) bool { return c.Open })
}

// strange parks a row that never met the record whose id it carries: nothing is
// created or deleted for a mistake.
func strange(rd Reading) *Outcome {
	why := "Close has no record of the id that the row carries; correct it, or empty the column to have the row created"
	if rd.Into != "" {
		why = "the row carries the id of a lead that was merged into " + rd.Into + "; correct it, or delete the row"
	}
	return &Outcome{Status: Errored, Class: "missing", Error: why, Cause: rd.Cause}
}

func concludeGone(rd Reading, out *Outcome) {
	out.Status = Deleted
	if rd.Into != "" {
		out.AliasOf, out.Move = rd.Into, rd.Into
		out.Mark = false
	}
}

// idle reports whether an outcome would change nothing at all.
func (r *round) idle(st *State, out *Outcome) bool {
	return out.Plan.Idle() && out.Intent == nil && len(out.Plan.Conflicts) == 0 && out.Status == st.Status && out.Error == st.Error &&
		(out.Version.IsZero() || (out.Version.Equal(st.Version) && out.Hash == st.Hash)) && sameBase(st.Base, out.Plan.Base) &&
		!st.Touched && !st.Mislabelled && !st.Landed && st.WaitsFor == out.WaitsFor && len(out.Done) == 0 && (!out.Whole || len(out.Holds) == openHolds(st)) && len(st.Parked) == len(out.Parked) && st.ID != 0
}

func openHolds(st *State) int {
	n := 0
	for _, h := range st.Holds {
		if h.Status == HoldOpen {
			n++
		}
	}
	return n
}

func sameBase(a, b mapping.Record) bool {
	if b == nil {
		return true
	}
	return mapping.SameContent(a, b)
}

// plea asks for a write to Close, unless a guard or a pause stands before it.
func (r *round) plea(o *mapping.Object, st *State, c *Claim, rd Reading, in reconcile.Input, out *Outcome) error {
	if r.present.ToClosePaused {
		c.Sleep, out.Whole = true, false
		if h, open := st.openHold(); open && out.Status == Synced {
			out.Status, out.Error, out.Class = Held, h.Reason, "guard"
		}
		return nil
	}
	if !r.present.Loaded[st.Type] {
		// The end of the first load makes it due.
		c.Retry, out.Whole = time.Minute, false
		return nil
	}
	if r.looksAgain(out.Plan, rd) {
		c.Retry, out.Whole = time.Microsecond, false // looks again at once, with a GET
		return nil
	}
	if out.Plan.Remote == reconcile.Create && st.createRejected() {
		out.Status, out.Error, out.Class = Held, "an operator rejected its creation; the next edit of the row asks again", "guard"
		out.Plan.Remote, out.Plan.RemoteSet = reconcile.None, nil
		return nil
	}
	if left, err := r.keepBack(st, out); err != nil || !left {
		return err
	}
	if out.Plan.Remote == reconcile.Update && r.claims != nil {
		if wait := r.flaps(st); wait > 0 {
			r.Logger.Warn("a record flaps; its next update waits", "object_type", st.Type, "close_id", st.CloseID, "wait", wait)
			c.Retry = wait
			return nil
		}
		if r.parkFutile(o, st, c, in, out); out.Plan.Remote == reconcile.None {
			return nil
		}
	}
	sent := out.Plan.RemoteSet
	out.Intent = &Intent{Action: out.Plan.Remote, Sent: sent, Seen: seen(sent, in.Remote.Record), Read: in.Remote.At, Since: r.Remote.Answered(), Plain: r.markers.rest(st.Type, r.Now())}
	c.Keep = true
	return nil
}
