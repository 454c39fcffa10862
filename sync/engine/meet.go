package engine

import (
	"slices"
	"strings"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// meet decides about a row of before the first load, or a record of Close,
// that may be one of several on the other side. It reports whether nothing else
// is to be done with it now.
func (st *State) meet(o *mapping.Object, c *Claim, rd Reading) bool {
	row := st.CloseID == "" && st.Local.Exists
	if !row && st.Local.Exists {
		return false // linked meanwhile
	}
	if !row && st.Keyed && st.rekeyed(o, rd) {
		st.Outcome = &Outcome{Status: st.Status, Class: classAmbiguous, Error: st.Error, Rekey: true, Keys: o.MatchKeys(rd.Remote.Record), Mark: true, Fetch: true, Cause: c.Cause}
		return true
	}
	if len(st.Meets) == 0 {
		return false
	}
	if row && st.Certain != "" {
		// The others are settled: what is left is one and one.
		st.Outcome = &Outcome{CloseID: st.Certain, Status: Synced, Mark: true, Fetch: true, Cause: Cause{"source": "match"},
			Plan: reconcile.Plan{Base: st.Base}}
		return true
	}
	why := "may be " + strings.Join(st.Meets, " or ") + "; write the right id into the row that it belongs to"
	if !row {
		why = "may be the row " + strings.Join(st.Meets, " or ") + "; write its id into the right one"
	}
	if st.Status != Errored || st.Class != classAmbiguous || st.Error != why {
		st.Outcome = &Outcome{Status: Errored, Class: classAmbiguous, Error: why, Cause: c.Cause}
	}
	return true
}

// rekeyed reports whether a record was edited in Close so that it meets others
// than before.
func (st *State) rekeyed(o *mapping.Object, rd Reading) bool {
	if rd.Remote.Record == nil {
		return false
	}
	keys := o.MatchKeys(rd.Remote.Record)
	slices.Sort(keys)
	return !slices.Equal(keys, st.Keys)
}
