package engine

import (
	"slices"
	"strings"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Ambiguous is the error class of a row of before the first load, or of a
// record of Close, that may be one of several on the other side.
const Ambiguous = "ambiguous"

// meet decides about a row or a record that was left to a person at the first
// start. It reports whether nothing else is to be done with it now.
func (st *State) meet(o *mapping.Object, c *Claim, rd Reading) bool {
	row := st.LocalKey != ""
	switch {
	case row && (st.CloseID != "" || !st.Local.Exists):
		return false // settled: it has an id, or it is deleted
	case !row && st.rekeyed(o, rd.Remote.Record):
		st.Outcome = &Outcome{Rekey: true, Keys: o.MatchKeys(rd.Remote.Record),
			Mark: true, Fetch: true, Cause: c.Cause}
		return true
	case len(st.Meets) == 0:
		return false
	case row && st.Certain != "":
		// The others are settled: what is left is one and one.
		st.Outcome = &Outcome{CloseID: st.Certain, Status: Synced, Mark: true, Fetch: true, Cause: Cause{"source": "match"},
			Plan: reconcile.Plan{Base: st.Base}}
		return true
	}
	why := "may be " + strings.Join(st.Meets, " or ") + "; write the right id into the row that it belongs to"
	if !row {
		why = "may be the row " + strings.Join(st.Meets, " or ") + "; write its id into the right one"
	}
	if st.Status != Errored || st.Class != Ambiguous || st.Error != why || st.Rekeyed {
		st.Outcome = &Outcome{Status: Errored, Class: Ambiguous, Error: why, Cause: c.Cause}
	}
	return true
}

// rekeyed reports whether a record that waits for a person was edited in Close
// so that it meets others than before.
func (st *State) rekeyed(o *mapping.Object, now mapping.Record) bool {
	if len(st.Keys) == 0 || now == nil {
		return false
	}
	return !slices.Equal(slices.Sorted(slices.Values(o.MatchKeys(now))), st.Keys)
}
