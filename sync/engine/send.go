package engine

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// send carries out the writes to Close whose intents are stored, several at
// once, and takes each answer in. Parents were created in an earlier cycle, so
// the order inside a batch does not matter, except that deletes of children
// are superfluous once their lead is gone.
func (r *round) send(ctx context.Context) error {
	// What has not begun by then is not begun any more: see times.
	ctx, cancel := context.WithDeadline(ctx, r.times.send)
	defer cancel()
	look := &lastLook{Engine: r.Engine, until: r.until}
	ctx = withLastLook(ctx, look.allow)
	// One that fails does not cut the others, whose answers would be lost.
	var g errgroup.Group
	g.SetLimit(r.Workers)
	for _, st := range r.sends {
		g.Go(guarded(func() error { return r.sendOne(ctx, st) }))
	}
	return g.Wait()
}

func (r *round) sendOne(ctx context.Context, st *State) error {
	o, in, c := r.Objects[st.Type], st.Outcome.Intent, r.claims[st.ID]
	c.Keep = false
	var answer mapping.Remote
	err := guarded(func() (err error) {
		if ctx.Err() != nil {
			return &CallError{Class: "limited", Message: "not sent: the time for it was over"}
		}
		answer, err = r.write(ctx, st, in)
		return err
	})()
	// The answer is kept even if the time for sending is over.
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		return r.refused(ctx, st, c, err)
	}
	r.arrived(ToClose, c)
	return r.answered(ctx, o, st, c, answer)
}

func (r *round) write(ctx context.Context, st *State, in *Intent) (mapping.Remote, error) {
	switch in.Action {
	case reconcile.Create:
		return r.Remote.Create(ctx, st.Type, in.Sent, in.Marker)
	case reconcile.Update:
		return r.Remote.Update(ctx, st.Type, st.CloseID, in.Sent)
	case reconcile.Delete:
		return mapping.Remote{}, r.Remote.Delete(ctx, st.Type, st.CloseID)
	}
	return mapping.Remote{}, nil
}

// answered takes in what Close holds after a write: the answer becomes the
// base (rule R4), and side effects go to the row.
func (r *round) answered(ctx context.Context, o *mapping.Object, st *State, c *Claim, answer mapping.Remote) error {
	in := st.Outcome.Intent
	done := Ended{Intent: in.ID, State: "done", Action: in.Action, Old: st.Base, Sent: in.Sent, Answer: seen(in.Sent, answer.Record), Left: answer.Version, Why: st.Outcome}
	return r.end(ctx, st, c, done, func(present Present, now *State) {
		if in.Action == reconcile.Delete {
			now.Outcome = &Outcome{Status: Deleted, Cause: Cause{"intent": in.ID}, Family: st.Outcome.Family, Whole: true, Done: now.Holds}
			return
		}
		r.takeAnswer(o, present, now, c, in, answer)
	})
}

// end locks a record anew, takes in by decide what became of a write and ends
// its intent. If the claim was lost meanwhile, nothing is taken in: whoever
// has it now must look, instead of doing it again (fault D5).
func (r *round) end(ctx context.Context, st *State, c *Claim, e Ended, decide func(Present, *State)) error {
	held := false
	err := r.decideOne(ctx, st, c, func(present Present, now *State) {
		held = true
		now.Ended = []Ended{e}
		decide(present, now)
	})
	if err != nil || held {
		return err
	}
	if e.State == "done" {
		e.State, e.Problem = "unknown", "the answer came after the claim was lost"
	}
	return r.Local.FinishIntent(ctx, e.Intent, e.State, e.Problem)
}

func (r *round) takeAnswer(o *mapping.Object, present Present, now *State, c *Claim, in *Intent, answer mapping.Remote) {
	o.FillMissing(answer.Record, now.Base, now.Local.Record, in.Sent)
	base := reconcile.Settle(o, now.Base, in.Sent, now.Local.Record, answer.Record)
	side := reconcile.Side{Exists: true, Record: answer.Record, At: answer.Version}
	paused, sure := r.resting(now)
	for name := range now.Parked {
		if _, carried := in.Sent[name]; !carried {
			paused[name] = true
		}
	}
	for _, h := range now.Holds {
		if h.Status == HoldOpen && h.Kind == HoldClear {
			paused[h.Field] = true
		}
	}
	learned := learn(o, now, in, answer.Record)
	plan := reconcile.Merge(o, reconcile.Input{Base: base, Local: now.Local, Remote: side, Paused: paused, Learned: learned})
	if !sure || emptiesCustom(plan) {
		// The answer alone does not tell an empty field from a removed one: the
		// next cycle asks and takes the answer's other news too.
		r.awaitFields(c)
		plan = reconcile.Plan{Base: base}
	}
	out := &Outcome{Plan: plan, Status: Synced, Version: answer.Version, Hash: mapping.Hash(answer.Record), Cause: Cause{"intent": in.ID}, Parked: map[string]string{}, Learned: learned}
	if h, open := now.openHold(); open {
		out.Status, out.Error, out.Class = Held, h.Reason, "guard"
	}
	out.Done = sentHolds(now, in)
	keepParked(out, now, in.Sent)
	if anyOpen(plan) {
		out.Status = Conflict // of other fields than those that were sent
	}
	if in.Action == reconcile.Create {
		out.CloseID = answer.ID
	}
	late := present.FromClosePaused && (plan.Local != reconcile.None || in.Action == reconcile.Create)
	if late {
		// What the answer brings to the row waits for the end of the pause.
		c.Sleep = true
	}
	rest := late || now.Refused != nil || now.Busy
	if rest {
		plan = reconcile.Plan{Base: base}
		out.Plan = plan
	}
	if plan.Remote != reconcile.None {
		// The row was edited again in between: the next cycle sends that.
		c.Retry = time.Microsecond
		out.Plan.Remote, out.Plan.RemoteSet = reconcile.None, nil
	}
	if waits(o, plan) {
		now.await(c, out, false)
	}
	if rest || answer.Version.Before(now.Version) {
		out.Version, out.Hash = now.Version, 0
	}
	now.Outcome = out
}

// keepParked leaves in sight the fields that Close refused and that this write
// did not carry.
func keepParked(out *Outcome, now *State, sent mapping.Record) {
	for name, message := range now.Parked {
		if _, carried := sent[name]; !carried {
			out.Parked[name] = message
		}
	}
	if len(out.Parked) > 0 {
		out.Status, out.Error, out.Class = Errored, now.Error, now.Class
	}
}

// decideOne locks one record anew and finishes its claim with what decide says.
// What its row cannot hold stays out of it; all else of the outcome holds.
func (r *round) decideOne(ctx context.Context, st *State, c *Claim, decide func(Present, *State)) error {
	batch := Batch{IDs: map[string][]int64{st.Type: {st.ID}}, Claims: []*Claim{c}}
	return r.isolate(ctx, batch, func(b Batch, refused *Refusal) error {
		return r.Local.Decide(ctx, b, func(present Present, states []*State) error {
			c.begin()
			for _, now := range states {
				now.Refused = refused
				decide(present, now)
				if refused != nil {
					refused.soften(now)
				}
				now.spareRow()
			}
			return nil
		})
	})
}

// missingTries is how often a create is sent that Close answers with 404,
// while its parents are looked at. All of them there, it is parked.
const missingTries = 4

// refused takes in that a write failed: it is tried again, looked up, or
// parked with Close's own words.
func (r *round) refused(ctx context.Context, st *State, c *Claim, err error) error {
	in := st.Outcome.Intent
	var call *CallError
	if !errors.As(err, &call) {
		call = &CallError{Class: "unknown", Message: err.Error()}
	}
	fell := r.notePanic(err, st.Type, st.CloseID)
	fate := Ended{Intent: in.ID, State: "failed", Problem: call.Message}
	if call.Class == "unknown" {
		fate.State = "unknown"
	}
	if r.refusesMarker(r.Objects[st.Type], in, call) {
		return r.end(ctx, st, c, fate, func(Present, *State) { c.Retry = time.Microsecond })
	}
	if fell && in.Action != reconcile.Create {
		// Its effect is not known, and to do it again would end the same way. A
		// create is looked up first, as any whose answer was lost.
		call.Class = "panic"
		return r.parkWrite(ctx, st, c, fate, call)
	}
	switch call.Class {
	case "paused":
		return r.end(ctx, st, c, fate, func(Present, *State) { c.Sleep = true })
	case "limited", "unauthorized":
		if err := r.Local.FinishIntent(ctx, in.ID, fate.State, fate.Problem); err != nil {
			return err
		}
		return r.Local.Release(ctx, []*Claim{c}, max(call.Wait, time.Second))
	case "unknown", "transient", "missing":
		if call.Class == "missing" && in.Action == reconcile.Delete {
			return r.answered(ctx, r.Objects[st.Type], st, c, mapping.Remote{})
		}
		if call.Class == "missing" && in.Action == reconcile.Create {
			if c.Attempts >= missingTries {
				break
			}
			if err := r.lookForParents(ctx, r.Objects[st.Type], in, func(mapping.Field) bool { return true }); err != nil {
				return err
			}
		}
		return r.end(ctx, st, c, fate, func(Present, *State) { c.Retry = backoff(c.Attempts) })
	}
	return r.parkWrite(ctx, st, c, fate, call)
}
