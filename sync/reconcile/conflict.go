package reconcile

import "closesync/mapping"

// conflict makes the record of a field that both sides changed.
func (v versions) conflict(rule, winner string) *Conflict {
	return &Conflict{Field: v.f.Close, Base: orNull(v.b), Local: orNull(v.l), Remote: orNull(v.r),
		Rule: rule, Winner: winner, Open: winner == "" && rule != RuleOperator}
}

func orNull(v mapping.Value) mapping.Value {
	if v.IsNull() {
		return mapping.Null
	}
	return v
}

// byPolicy decides a field that both sides changed differently.
func (v versions) byPolicy(p mapping.Policy, localIsNewer bool) decision {
	switch {
	case p == mapping.PolicyManual:
		// Neither side is written and the base stays, until an operator chooses
		// or the sides agree by themselves.
		return decision{reason: ReasonOpen, conflict: v.conflict(string(p), "")}
	case p == mapping.PolicyLocal, p == mapping.PolicyNewest && localIsNewer:
		return v.localWins(string(p))
	}
	d := v.pull(ReasonConflict)
	d.conflict = v.conflict(string(p), WinnerClose)
	return d
}

// localWins sends the row's value over Close's. Close's value was seen and is
// kept in the conflict, so it becomes the base: the row's value is then a
// plain edit of it, and the conflict is told once even if the send fails. Were
// the old base kept, a row set back to it would count as unchanged.
func (v versions) localWins(rule string) decision {
	d := v.push(ReasonConflict)
	if d.toRemote {
		d.conflict = v.conflict(rule, WinnerLocal)
		d.base, d.baseSet = v.r, true
	}
	return d
}

// localIsNewer says which side PolicyNewest favours. Equal or unknown times
// favour Close, whose clock orders its own edits.
func (m *merging) localIsNewer() bool {
	l, r := m.in.Local.At, m.in.Remote.At
	return !l.IsZero() && !r.IsZero() && l.After(r)
}

// chosen carries out an operator's choice; false if it says nothing, or the
// sides agree already.
func (v versions) chosen(c Choice) (decision, bool) {
	switch {
	case c.Take == mapping.PolicyClose && !v.same(v.l, v.r):
		d := v.pull(ReasonOperator)
		d.conflict = v.conflict(RuleOperator, WinnerClose)
		return d, true
	case c.Take == mapping.PolicyLocal && !v.same(v.l, v.r):
		d := v.localWins(RuleOperator)
		if d.toRemote {
			d.reason = ReasonOperator
		}
		return d, true
	case c.Take == "" && c.Value != "":
		return v.setBoth(c.Value), true
	}
	return decision{}, false
}

// setBoth writes a third value wherever it is not yet.
func (v versions) setBoth(val mapping.Value) decision {
	d := decision{reason: ReasonOperator, value: val, base: v.r, baseSet: true}
	d.toLocal, d.toRemote = !v.same(v.l, val), !v.same(v.r, val)
	if d.toLocal || d.toRemote {
		d.conflict = v.conflict(RuleOperator, "")
	}
	return d
}
