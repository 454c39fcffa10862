package engine

import (
	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Absent is a record that another may refer to, whose row was deleted here
// while Close still has it: its deletion is yet to be decided. A reference that
// the foreign key emptied because of that is no edit of its own: it goes if the
// record does, and comes back if the record does.
type Absent struct {
	State Status
	Error string
}

// heedAbsent takes the references that a foreign key emptied out of the merge
// while the records they named are undecided, and takes Close's value for them
// once those are back.
func (r *round) heedAbsent(o *mapping.Object, st *State, c *Claim, in *reconcile.Input) (waiting []Absent) {
	for _, f := range o.Parents() {
		if !st.Local.Exists || !st.Local.Record.Get(f.Close).IsNull() || st.Base.Get(f.Close).IsNull() {
			continue
		}
		absent, undecided := st.Absent[f.Close]
		switch {
		case undecided && f.Required && r.Objects[f.Parent].OnLocal == "ignore":
			in.Paused[f.Close] = true // its parent stays in Close and does not come back here
		case undecided && r.Objects[f.Parent].OnLocal != "ignore":
			in.Paused[f.Close] = true
			waiting = append(waiting, absent)
		case !undecided && c.Refill:
			in.Take = withChoice(in.Take, f.Close, reconcile.Choice{Take: mapping.PolicyClose})
		}
	}
	return waiting
}

// waitWith has an outcome say that some of its references wait: for a moment,
// or until somebody acts on the records they name.
func (r *round) waitWith(c *Claim, waiting []Absent, out *Outcome) {
	for _, absent := range waiting {
		switch {
		case absent.State != Held && absent.State != Errored:
			c.Retry = max(c.Retry, backoff(min(c.Attempts, 4)))
		case out.Status == Synced:
			out.Status, out.Class, out.Error = absent.State, "parent", "refers to a record that was deleted here, which is not decided yet: "+absent.Error
		}
	}
}

func withChoice(take map[string]reconcile.Choice, field string, choice reconcile.Choice) map[string]reconcile.Choice {
	more := map[string]reconcile.Choice{field: choice}
	for f, c := range take {
		more[f] = c
	}
	return more
}
