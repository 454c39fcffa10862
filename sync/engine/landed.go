package engine

import (
	"slices"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// landed ends the writes whose answers were lost (fault S19) by a reading made
// after them: what an update is seen to have done goes into the base first.
// What did not arrive is planned anew.
func (r *round) landed(o *mapping.Object, st *State, rd Reading) {
	for _, open := range r.unended[st.ID] {
		e := Ended{Intent: open.Intent, State: "failed", Problem: "its answer was lost, and it did not arrive"}
		switch {
		case rd.Gone && open.Action == reconcile.Delete:
			e = arrived(open, nil, st.Base)
		case rd.Gone:
			e.Problem = "its answer was lost, and the record is gone"
		case !rd.Fresh || rd.Remote.Record == nil:
			continue // not a reading of after the write
		case open.Action == reconcile.Update:
			if sent := held(o, open.Sent, rd.Remote.Record); len(sent) > 0 {
				e = arrived(open, sent, st.Base)
				e.Left = rd.Remote.Version
			}
			st.Base, st.Landed = reconcile.Landed(o, st.Base, open.Sent, rd.Remote.Record), true
		}
		st.Ended = append(st.Ended, e)
	}
}

func arrived(open OpenWrite, sent, base mapping.Record) Ended {
	return Ended{Intent: open.Intent, State: "done", Problem: "its answer was lost; a reading told what arrived",
		Action: open.Action, Old: base, Sent: sent}
}

// held are the sent fields that a reading shows as they were sent.
func held(o *mapping.Object, sent, read mapping.Record) mapping.Record {
	found := mapping.Record{}
	for name, v := range sent {
		f, mapped := o.Field(name)
		if r, ok := read[name]; ok && mapped && mapping.Same(f, r, v) {
			found[name] = v
		}
	}
	return found
}

// deletes reports whether a delete of ours was sent and its answer lost.
func (r *round) deletes(st *State) bool {
	return slices.ContainsFunc(r.unended[st.ID], func(w OpenWrite) bool { return w.Action == reconcile.Delete })
}
