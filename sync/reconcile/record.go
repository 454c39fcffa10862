package reconcile

import "closesync/mapping"

// createRemote plans to create in Close a row that never had a Close id.
func (m *merging) createRemote() {
	if m.o.Direction == mapping.FromClose {
		m.record(ReasonNotSent)
		return
	}
	ready := true
	m.eachField(func(f mapping.Field) {
		v := m.in.Local.Record.Get(f.Close)
		switch {
		case f.Required && mapping.IsLocalRef(v):
			ready = m.waits(f, ReasonWaitParent)
		case f.Required && v.IsNull():
			// Close would make up a lead for a child without one.
			ready = m.waits(f, ReasonNoParent)
		case f.ReadOnly || v.IsNull():
		case m.in.Paused[f.Close]:
			m.reason(f.Close, ReasonPaused)
		case mapping.IsLocalRef(v):
			m.reason(f.Close, ReasonWaitParent)
		default:
			m.setRemote(f.Close, v)
		}
	})
	if !ready {
		m.plan.RemoteSet = nil
		return
	}
	m.plan.Remote = Create
	m.record(ReasonNew)
}

// waits notes why the record as a whole cannot be created yet.
func (m *merging) waits(f mapping.Field, r Reason) bool {
	m.reason(f.Close, r)
	m.record(r)
	return false
}

// createLocal plans a row for a record of Close that was never here.
func (m *merging) createLocal() {
	if m.o.Direction == mapping.ToClose {
		m.record(ReasonNotTaken)
		return
	}
	m.insert(ReasonNew)
}

// insert plans a row with all that the reading holds. The base is the reading
// alone: a field it lacks starts empty here and must not look cleared.
func (m *merging) insert(why Reason) {
	for _, f := range m.o.Fields {
		if f.Required && m.in.Remote.Record.Get(f.Close).IsNull() {
			m.waits(f, ReasonNoParent)
			return
		}
	}
	set := make(mapping.Record, len(m.in.Remote.Record))
	m.eachField(func(f mapping.Field) {
		if r, known := m.remote(f); known {
			set[f.Close] = r
		}
	})
	m.plan.Local, m.plan.Base = Create, set
	if len(set) > 0 {
		m.plan.LocalSet = set.Clone()
	}
	m.record(why)
}

// remoteDeleted follows a deletion in Close. It wins over edits made here,
// because a record created again would have a new id and no history (S4); the
// edits it ends are in Lost.
func (m *merging) remoteDeleted() {
	m.record(ReasonRemoteDeleted)
	m.eachField(func(f mapping.Field) {
		l, known := m.local(f)
		emptied := f.Required && l.IsNull() // by a foreign key, when the parent went
		if known && !f.ReadOnly && !emptied && !mapping.Same(f, l, m.in.Base.Get(f.Close)) {
			if m.plan.Lost == nil {
				m.plan.Lost = mapping.Record{}
			}
			m.plan.Lost[f.Close] = orNull(l)
		}
	})
	switch {
	case m.o.OnClose.Kind == "flag":
		m.plan.Local = Flag
	case m.o.OnClose.Kind == "detach", m.o.Direction == mapping.ToClose:
		// Under to_close the rows are the truth; Close may not take one away.
		m.plan.Local = Detach
	default:
		m.plan.Local = Delete
		m.plan.Base = nil
	}
	// A row that stays keeps its base: without it the row would look new and be
	// created in Close again.
}

// localDeleted decides about a linked record whose row is gone.
func (m *merging) localDeleted() {
	edits := m.remoteEdits()
	switch {
	case m.in.Refill:
		m.insert(ReasonRefilled)
	case m.in.Recall:
		m.insert(ReasonRecalled)
	case m.o.Direction == mapping.FromClose:
		m.insert(ReasonRestored)
	case m.o.OnLocal == "ignore":
		m.record(ReasonDeleteIgnored)
	case m.o.Direction == mapping.ToClose:
		m.deleteRemote(edits)
	case len(edits) > 0:
		// An edit that the deletion did not know of outlives it (S4).
		m.insert(ReasonRestored)
		m.keep(edits, RuleDelete, WinnerClose)
	default:
		m.deleteRemote(nil)
	}
}

func (m *merging) deleteRemote(edits []versions) {
	m.plan.Remote = Delete
	m.record(ReasonLocalDeleted)
	m.keep(edits, RuleToClose, WinnerLocal)
}

func (m *merging) keep(edits []versions, rule, winner string) {
	for _, v := range edits {
		m.plan.Conflicts = append(m.plan.Conflicts, *v.conflict(rule, winner))
	}
}

// Edited reports whether somebody edited a record in Close since the base.
func Edited(o *mapping.Object, base, remote mapping.Record) bool {
	m := merging{o: o, in: Input{Base: base, Remote: Side{Exists: true, Record: remote}}}
	return len(m.remoteEdits()) > 0
}

// Parted are the edits made in Close between what was seen there and what it
// held in the end, if a delete of ours took them along.
func Parted(o *mapping.Object, seen, held mapping.Record) []Conflict {
	m := merging{o: o, in: Input{Base: seen, Remote: Side{Exists: true, Record: held}}}
	m.keep(m.remoteEdits(), RuleDelete, WinnerLocal)
	return m.plan.Conflicts
}

// remoteEdits lists the fields edited in Close since the base. Fields that
// nobody can edit move by themselves (date_updated) and do not count.
func (m *merging) remoteEdits() []versions {
	var edits []versions
	m.eachField(func(f mapping.Field) {
		r, known := m.remote(f)
		b := m.in.Base.Get(f.Close)
		if known && !f.ReadOnly && !m.in.Paused[f.Close] && !mapping.Same(f, r, b) {
			edits = append(edits, versions{f: f, b: b, r: r})
		}
	})
	return edits
}
