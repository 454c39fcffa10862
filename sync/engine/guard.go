package engine

import (
	"maps"
	"slices"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// HoldKind says what a guard keeps back.
type HoldKind string

// The kinds of holds. HoldClear empties one field of many records.
const (
	HoldDelete  HoldKind = "delete"
	HoldCreate  HoldKind = "create"
	HoldClear   HoldKind = "clear"
	HoldInbound HoldKind = "inbound_delete"
	HoldFirst   HoldKind = FirstStart
)

// HoldStatus is what an operator has decided about a hold.
type HoldStatus string

// The states of a hold.
const (
	HoldOpen     HoldStatus = "open"
	HoldApproved HoldStatus = "approved"
	HoldRejected HoldStatus = "rejected"
)

// Hold is a record's part in a batch that a guard stopped. Field is for
// HoldClear alone.
type Hold struct {
	Kind   HoldKind   `json:"kind"`
	Field  string     `json:"field"`
	Reason string     `json:"reason"`
	Status HoldStatus `json:"status"`
}

// GuardCounts are the records of one object type that were deleted or created
// in Close within the window, or are about to be.
type GuardCounts struct {
	Deletes, Creates int
	Linked           int // linked rows before the window; 0 while there are few deletes
}

// Tally counts for the guards, inside the decision's transaction and over all
// workers: what waits, what is held, what was sent within the window. A count
// holds the record that is being decided.
type Tally interface {
	// Open gives the holds of a type that are open and younger than the window.
	Open(objectType string, window time.Duration) ([]Hold, error)
	Writes(objectType string, window time.Duration) (GuardCounts, error)
	// Clears counts the records of which a field is emptied in Close.
	Clears(objectType, field string, window time.Duration) (int, error)
	// Inbound counts the rows deleted because Close says so, the given records
	// among them.
	Inbound(objectType string, window time.Duration, ids []int64) (int, error)
}

// held gives the record's part in a hold, the newest of its kind and field;
// the zero Hold if there is none.
func (st *State) held(kind HoldKind, field string) Hold {
	for _, h := range slices.Backward(st.Holds) {
		if h.Kind == kind && h.Field == field {
			return h
		}
	}
	return Hold{}
}

// openHold gives an open hold that the record is part of.
func (st *State) openHold() (Hold, bool) {
	i := slices.IndexFunc(st.Holds, func(h Hold) bool { return h.Status == HoldOpen })
	if i < 0 {
		return Hold{}, false
	}
	return st.Holds[i], true
}

// createRejected: an operator does not want the row in Close.
func (st *State) createRejected() bool {
	return st.held(HoldCreate, "").Status == HoldRejected || st.held(HoldFirst, "").Status == HoldRejected
}

// keepBack takes out of an outcome's write to Close what a guard stops, and
// reports whether anything is left to be sent. The rest of an update goes on.
func (r *round) keepBack(st *State, out *Outcome) (left bool, err error) {
	switch out.Plan.Remote {
	case reconcile.Delete:
		left, err = r.passes(st, out, HoldDelete, "")
	case reconcile.Create:
		if st.Existed {
			out.keep(Hold{Kind: HoldFirst, Reason: FirstStartReason, Status: HoldOpen})
			break
		}
		left, err = r.passes(st, out, HoldCreate, "")
	default:
		for _, f := range slices.Sorted(maps.Keys(out.Plan.RemoteSet)) {
			if !clears(st, f, out.Plan.RemoteSet[f]) {
				continue
			}
			pass, err := r.passes(st, out, HoldClear, f)
			if err != nil {
				return false, err
			}
			if !pass {
				delete(out.Plan.RemoteSet, f)
			}
		}
		left = len(out.Plan.RemoteSet) > 0
	}
	if !left {
		out.Plan.Remote, out.Plan.RemoteSet = reconcile.None, nil
	}
	return left, err
}

func clears(st *State, field string, v mapping.Value) bool {
	return v.IsNull() && !st.Base.Get(field).IsNull()
}

// passes asks the guard of a kind; what it stops becomes part of the outcome.
func (r *round) passes(st *State, out *Outcome, kind HoldKind, field string) (bool, error) {
	reason, err := r.guard(st, kind, field)
	if err != nil || reason == "" {
		return err == nil, err
	}
	out.keep(Hold{Kind: kind, Field: field, Reason: reason, Status: HoldOpen})
	return false, nil
}

// keep makes the record part of a hold.
func (out *Outcome) keep(h Hold) {
	out.Holds = append(out.Holds, h)
	if out.Status == Synced {
		out.Status, out.Error, out.Class = Held, h.Reason, "guard"
	}
}

// guard says why a write must wait for an operator; "" lets it pass. While a
// hold is young, what is alike joins it.
func (r *round) guard(st *State, kind HoldKind, field string) (string, error) {
	h := st.held(kind, field)
	switch {
	case kind == HoldCreate && st.held(HoldFirst, "").Status == HoldApproved:
		return "", nil
	case h.Status == HoldOpen:
		return h.Reason, nil
	case h.Status == HoldApproved || r.present.Tally == nil || !r.guarded(kind):
		return "", nil
	}
	open, err := r.present.Tally.Open(st.Type, r.GuardWindow)
	if err != nil {
		return "", err
	}
	for _, o := range open {
		if o.Kind == kind && o.Field == field {
			return o.Reason, nil
		}
	}
	counts, err := r.count(st.Type, kind, field)
	if err != nil {
		return "", err
	}
	_, reason := reconcile.Guard(r.Guards, counts)
	return reason, nil
}

// guarded reports whether a guard of the kind is switched on.
func (r *round) guarded(kind HoldKind) bool {
	switch kind {
	case HoldDelete:
		return r.Guards.MaxDeletes > 0 || r.Guards.MaxDeletePercent > 0
	case HoldCreate:
		return r.Guards.MaxCreates > 0
	case HoldClear:
		return r.Guards.MaxClears > 0
	}
	return r.Guards.InboundDeletes != nil
}

func (r *round) count(objectType string, kind HoldKind, field string) (c reconcile.Counts, err error) {
	t := r.present.Tally
	switch kind {
	case HoldClear:
		c.Field = field
		c.Clears, err = t.Clears(objectType, field, r.GuardWindow)
		return c, err
	case HoldInbound:
		c.Inbound, err = t.Inbound(objectType, r.GuardWindow, r.ending)
		return c, err
	}
	n, err := t.Writes(objectType, r.GuardWindow)
	if kind == HoldDelete {
		return reconcile.Counts{Deletes: n.Deletes, Linked: n.Linked}, err
	}
	return reconcile.Counts{Creates: n.Creates}, err
}

// ended lists the decisions of operators that a plan carries out or that have
// nothing to decide any more. A rejected create stands until the next edit.
func ended(st *State, out *Outcome) []Hold {
	var done []Hold
	for _, h := range st.Holds {
		switch {
		case h.Status == HoldOpen || (h.Status == HoldRejected && (h.Kind == HoldCreate || h.Kind == HoldFirst)):
		case h.Status == HoldApproved && wants(st, out.Plan, h):
		default:
			done = append(done, h)
		}
	}
	return done
}

// wants reports whether a plan would write to Close what a hold was about.
func wants(st *State, plan reconcile.Plan, h Hold) bool {
	switch h.Kind {
	case HoldDelete:
		return plan.Remote == reconcile.Delete
	case HoldCreate, HoldFirst:
		return plan.Remote == reconcile.Create
	case HoldClear:
		v, sent := plan.RemoteSet[h.Field]
		return sent && clears(st, h.Field, v)
	}
	return false
}

// noteEnding notes which of the states are about to lose their rows because
// Close says so.
func (r *round) noteEnding(states []*State) {
	r.ending = r.ending[:0]
	for _, st := range states {
		gone := r.readings[st.ID].Gone
		for _, ev := range r.events[st.ID] {
			gone = gone || ends(ev.Event, st.CloseID)
		}
		if gone && st.Local.Exists {
			r.ending = append(r.ending, st.ID)
		}
	}
}

// Owner is what is known of the parent of a record that Close deleted; it is
// looked up only where deletes from Close are guarded.
type Owner struct {
	Held     bool // its own deletion is in an open hold
	Rejected bool // an operator rejected it
	Going    bool // an event of its deletion waits
}

// guardInbound stops the deletion of a row that Close asks for when there are
// too many; a rejected one leaves the row here, without its link. The children
// of a record share its fate, for Postgres may delete them along with it.
func (r *round) guardInbound(st *State, c *Claim, rd Reading, out *Outcome) (goesOn bool, err error) {
	if out.Plan.Local != reconcile.Delete || rd.Into != "" || r.Guards.InboundDeletes == nil {
		return true, nil
	}
	own := st.held(HoldInbound, "")
	switch {
	case own.Status == HoldRejected || st.Owner.Rejected:
		out.Plan.Local = reconcile.Detach
		return true, nil
	case own.Status == HoldApproved:
		return true, nil
	case st.Owner.Held:
		out.Plan = reconcile.Plan{Base: st.Base}
		out.Status, out.Error, out.Class = Held, "was deleted in Close with its parent, whose deletion is held", "guard"
		return true, nil
	case st.Owner.Going:
		c.Retry = 200 * time.Millisecond // its parent is decided first
		return false, nil
	}
	out.Status = Synced
	pass, err := r.passes(st, out, HoldInbound, "")
	if err != nil {
		return false, err
	}
	if pass {
		out.Status = Deleted
		return true, nil
	}
	out.Plan = reconcile.Plan{Base: st.Base}
	return true, nil
}

// sentHolds lists the approvals that a write used up.
func sentHolds(st *State, in *Intent) []Hold {
	var done []Hold
	for _, h := range st.Holds {
		if h.Status == HoldApproved && wants(st, reconcile.Plan{Remote: in.Action, RemoteSet: in.Sent}, h) {
			done = append(done, h)
		}
	}
	return done
}
