package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Programs on both sides can write a field in turns for ever, and Close can
// change a value whenever it is sent. Both are read off the writes of the last
// while, which every worker sees and no restart forgets.
const (
	loopWindow = time.Hour
	loopLimit  = 8 // writes to a field, each but the first after Close's value had changed since the one before
	formLimit  = 2 // writes of one value that Close stored as another
	flapLimit  = 10
	flapWindow = time.Minute // no more than flapLimit updates of a record, which then fold into one (fault S39)
)

// Write is an update that was sent lately.
type Write struct {
	Age    time.Duration
	Sent   mapping.Record
	Seen   mapping.Record // what Close held in those fields before
	Answer mapping.Record // and after; nil if there was no answer
}

// left is what a write left in Close; false if it did not touch the field.
func (w Write) left(field string) (mapping.Value, bool) {
	if v, ok := w.Answer[field]; ok {
		return v, true
	}
	v, ok := w.Sent[field]
	return v, ok
}

// turns counts how often Close's value was changed by others between our writes
// of a field.
func turns(f mapping.Field, writes []Write, now mapping.Value) int {
	n := 0
	var before mapping.Value
	written := false
	for _, w := range writes {
		left, ok := w.left(f.Close)
		if !ok {
			continue
		}
		if written && !mapping.Same(f, before, w.Seen.Get(f.Close)) {
			n++
		}
		before, written = left, true
	}
	if written && !mapping.Same(f, before, now) {
		n++
	}
	return n
}

// kept counts how often Close stored another value when this one was sent.
func kept(f mapping.Field, writes []Write, value mapping.Value) int {
	n := 0
	for _, w := range writes {
		sent, ok := w.Sent[f.Close]
		answer, answered := w.Answer[f.Close]
		if ok && answered && mapping.Same(f, sent, value) && !mapping.Same(f, sent, answer) {
			n++
		}
	}
	return n
}

// news counts how often a write sent another value than the one before.
func news(f mapping.Field, writes []Write, value mapping.Value) int {
	n := 0
	var before mapping.Value
	for _, w := range writes {
		sent, ok := w.Sent[f.Close]
		if ok && !mapping.Same(f, sent, before) {
			n, before = n+1, sent
		}
	}
	if mapping.Same(f, value, before) {
		return 0
	}
	return n
}

// futile says why it is of no use to send a field again; "" if it may be.
// edited: somebody changed the row here since the last decision.
func futile(f mapping.Field, writes []Write, value, now mapping.Value, edited bool) string {
	if n := news(f, writes, value); n >= loopLimit && !edited {
		return fmt.Sprintf("is changed here whenever the row is written, %d times within %s: a trigger of the table does that", n, loopWindow)
	}
	if n := turns(f, writes, now); n >= loopLimit {
		return fmt.Sprintf("is changed in Close after each of our writes, %d times within %s: something there and something here write it in turns", n, loopWindow)
	}
	if n := kept(f, writes, value); n >= formLimit {
		return "is stored by Close in another form each time this value is sent"
	}
	return ""
}

// parkFutile takes the fields out of an update that are of no use to send. They
// rest with the reason until the row is edited or somebody retries them, and
// the others go on.
func (r *round) parkFutile(o *mapping.Object, st *State, c *Claim, in reconcile.Input, out *Outcome) {
	if c.Cause["source"] == "operator" {
		return
	}
	var reasons []string
	for name, v := range out.Plan.RemoteSet {
		f, ok := o.Field(name)
		if !ok {
			continue
		}
		if reason := futile(f, r.writes[st.ID], v, in.Remote.Record.Get(name), !c.LocalAt.IsZero()); reason != "" {
			out.Parked[name] = reason
			reasons = append(reasons, name+" "+reason)
			delete(out.Plan.RemoteSet, name)
		}
	}
	if len(reasons) == 0 {
		return
	}
	slices.Sort(reasons)
	out.Status, out.Class, out.Error = Errored, "loop", strings.Join(reasons, "; ")
	if len(out.Plan.RemoteSet) == 0 {
		out.Plan.Remote, out.Plan.RemoteSet = reconcile.None, nil
	}
	r.Logger.Warn("a field is not sent any more for now", "object_type", st.Type, "close_id", st.CloseID, "reason", out.Error)
}

// flaps says how long the next update of a record must wait.
func (r *round) flaps(st *State) time.Duration {
	var ages []time.Duration
	for _, w := range r.writes[st.ID] {
		if w.Age < flapWindow {
			ages = append(ages, w.Age)
		}
	}
	if len(ages) < flapLimit {
		return 0
	}
	return flapWindow - slices.Max(ages)
}

// seen is what Close holds in the fields that are about to be written.
func seen(set, remote mapping.Record) mapping.Record {
	rec := mapping.Record{}
	for name := range set {
		rec[name] = remote.Get(name)
	}
	return rec
}

// learn notes, for rows that Close's values do not go to, in which form Close
// keeps what was sent: sent again, it would come back in that form again. What
// Close chose for a new record where the row says nothing is such a form, too.
func learn(o *mapping.Object, now *State, in *Intent, answer mapping.Record) map[string]reconcile.Form {
	sent := in.Sent
	if o.Direction != mapping.ToClose {
		return nil
	}
	learned := map[string]reconcile.Form{}
	for name, form := range now.Learned {
		if _, again := sent[name]; !again {
			learned[name] = form
		}
	}
	for name, v := range sent {
		f, ok := o.Field(name)
		a, answered := answer[name]
		if ok && answered && !mapping.Same(f, v, a) {
			learned[name] = reconcile.Form{Sent: v, Kept: a}
		}
	}
	if in.Action == reconcile.Create {
		chosen(o, now, sent, answer, learned)
	}
	return learned
}

// chosen notes what Close filled in by itself in a record just created.
func chosen(o *mapping.Object, now *State, sent, answer mapping.Record, learned map[string]reconcile.Form) {
	for name, a := range answer {
		f, ok := o.Field(name)
		local, known := now.Local.Record[name]
		if _, carried := sent[name]; ok && !carried && !f.ReadOnly && known && local.IsNull() && !a.IsNull() {
			learned[name] = reconcile.Form{Sent: mapping.Null, Kept: a}
		}
	}
}
