package engine

import (
	"fmt"
	"slices"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Await is a reference to a row that has no Close id yet.
type Await struct {
	Parent   string // object type
	Key      string
	Required bool
	Status   Status // of the parent's record; "" if it has none yet
	Error    string // why that one is stuck
	Never    bool   // rows of its type are not sent to Close
}

// LocalName names the record of a row in records.waits_for.
func LocalName(objectType, key string) string { return objectType + "#" + key }

// CloseName names a record by its Close id there.
func CloseName(objectType, id string) string { return objectType + ":" + id }

// stuck reports whether only a person, or an edit, moves the parent on.
func (a Await) stuck() bool {
	return a.Never || a.Status != "" && a.Status != Synced && a.Status != Conflict
}

// waits reports whether part of a plan cannot be sent because the record that
// it refers to has no Close id yet.
func waits(o *mapping.Object, plan reconcile.Plan) bool {
	for _, reason := range plan.Reasons {
		if reason == reconcile.ReasonWaitParent {
			return true
		}
	}
	return plan.Remote == reconcile.Create && !parentsKnown(o, plan.RemoteSet)
}

// parentsKnown reports whether a create names every parent it cannot do
// without: Close would make a lead of its own for an orphan.
func parentsKnown(o *mapping.Object, set mapping.Record) bool {
	for _, f := range o.Parents() {
		if v := set.Get(f.Close); f.Required && (v.IsNull() || mapping.IsLocalRef(v)) {
			return false
		}
	}
	return true
}

// patience is how many times a create looks for a record that it can do
// without, but which is on its way: named from the start, it needs no update.
const patience = 5

// linksSoon reports whether a row that the record refers to is about to get its
// Close id.
func (st *State) linksSoon(c *Claim) bool {
	return c.Attempts < patience && slices.ContainsFunc(st.Awaits, func(a Await) bool { return !a.stuck() })
}

// await has a record wait for its parent: the parent's link wakes it. It also
// looks again by itself while the parent is on its way; not at one that waits
// for a person, whose state it shares if it can do nothing without it.
func (st *State) await(c *Claim, out *Outcome, whole bool) {
	if whole {
		out.Error, out.Class = "waits for a row it refers to, which has no Close id yet", "parent"
	}
	moving := len(st.Awaits) == 0
	for _, a := range st.Awaits {
		moving = moving || !a.stuck()
		if out.WaitsFor == "" || a.Required {
			out.WaitsFor = LocalName(a.Parent, a.Key)
		}
		if whole && a.Required && a.stuck() {
			out.Status, out.Error = Errored, fmt.Sprintf("waits for its parent, a %s that is %s", a.Parent, a.describe())
			if a.Status == Held {
				out.Status = Held
			}
		}
	}
	if moving {
		c.Retry = max(c.Retry, backoff(min(c.Attempts, 4)))
	}
}

func (a Await) describe() string {
	if a.Never {
		return "not sent to Close (direction: from_close) and has no Close id"
	}
	words := map[Status]string{Errored: "parked", Held: "held"}
	word := words[a.Status]
	if word == "" {
		word = string(a.Status)
	}
	if a.Error != "" {
		word += ": " + a.Error
	}
	return word
}
