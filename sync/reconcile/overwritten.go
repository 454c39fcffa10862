package reconcile

import "closesync/mapping"

// Overwritten is a value of Close that a write of ours replaced unseen: it was
// written there after our reading and before our write arrived (fault S21).
type Overwritten struct {
	Seen mapping.Value // what our reading held
	Held mapping.Value // what Close held when our write arrived
	Sent mapping.Value // what we sent
	Left mapping.Value // what Close made of that
}

// restore decides a field as if the value that was overwritten unseen had been
// seen in time. What was done to a list's items is done again. Of other values
// the policy chooses, and the loser is told. A value that Close has replaced
// again since is only told.
func (m *merging) restore(v versions, o Overwritten) decision {
	both := m.o.Direction != mapping.ToClose
	if both && v.isList(o.Seen, o.Held, o.Sent, v.l, v.r) {
		return v.restoreItems(o)
	}
	rule := string(m.o.FieldPolicy(v.f))
	switch {
	case !both:
		rule = RuleToClose
	case rule == string(mapping.PolicyClose), rule == string(mapping.PolicyNewest):
		// It is the newer one too: written after our reading.
		if v.same(v.r, o.Left) {
			d := v.setBoth(o.Held)
			d.reason, d.conflict = ReasonOverwritten, v.told(o, rule, WinnerClose)
			return d
		}
	}
	m.plan.Conflicts = append(m.plan.Conflicts, *v.told(o, rule, WinnerLocal))
	return m.ordinary(v)
}

// told is the conflict with the overwritten value. The row may have been given
// that very value since; what we sent is the other side of it then.
func (v versions) told(o Overwritten, rule, winner string) *Conflict {
	l := v.l
	if v.same(l, o.Held) {
		l = o.Sent
	}
	return versions{v.f, o.Seen, l, o.Held}.conflict(rule, winner)
}

// restoreItems joins what everybody did to a list since our reading.
func (v versions) restoreItems(o Overwritten) decision {
	ours := versions{v.f, o.Seen, o.Sent, o.Held}.mergeSets().value
	there := versions{v.f, o.Sent, ours, v.r}.mergeSets().value
	d := v.setBoth(versions{v.f, o.Sent, v.l, there}.mergeSets().value)
	d.reason, d.conflict = ReasonOverwritten, nil
	d.toLocal = !mapping.Identical(v.f, v.l, d.value)
	return d
}

func (v versions) isList(values ...mapping.Value) bool {
	for _, x := range values {
		if !mapping.IsSet(v.f, x) {
			return false
		}
	}
	return true
}
