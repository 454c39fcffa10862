package reconcile

import "closesync/mapping"

// decision is what happens to one field of a record that both sides hold.
type decision struct {
	reason            Reason
	value             mapping.Value // what is written
	toLocal, toRemote bool
	base              mapping.Value
	baseSet           bool // base replaces the old one; else the old one stays
	conflict          *Conflict
}

// versions are the three versions of one field.
type versions struct {
	f       mapping.Field
	b, l, r mapping.Value
}

func (v versions) same(x, y mapping.Value) bool { return mapping.Same(v.f, x, y) }

// agreed: both sides hold val, or will once the local part is written.
func agreed(reason Reason, val mapping.Value) decision {
	return decision{reason: reason, base: val, baseSet: true}
}

// pull writes Close's value here. The base follows at once, because the row
// and the base are written in one transaction.
func (v versions) pull(reason Reason) decision {
	return decision{reason: reason, value: v.r, toLocal: true, base: v.r, baseSet: true}
}

// push sends the row's value; the base waits for Close's answer (rule R4).
func (v versions) push(reason Reason) decision {
	if mapping.IsLocalRef(v.l) {
		return decision{reason: ReasonWaitParent}
	}
	return decision{reason: reason, value: v.l, toRemote: true}
}

// decide merges one field. Each step ends the cases it names, so that what
// follows may rely on their absence.
func (m *merging) decide(f mapping.Field) decision {
	l, knownL := m.local(f)
	r, knownR := m.remote(f)
	if !knownL || !knownR {
		return decision{reason: m.unknown(f, knownL, knownR)}
	}
	v := versions{f, m.in.Base.Get(f.Close), l, r}
	if m.in.Paused[f.Close] {
		return v.paused(m.o.Direction)
	}
	// Neither a Required field that one side emptied nor a read-only one is a
	// matter of policies or choices.
	if f.ReadOnly {
		return v.mirror()
	}
	if f.Required && (l.IsNull() || r.IsNull()) {
		return v.required(m.o.Direction)
	}
	if c, ok := m.in.Take[f.Close]; ok {
		if d, ok := v.chosen(c); ok {
			return d
		}
	}
	if m.o.Direction == mapping.FromClose {
		return v.fromClose()
	}
	if o, ok := m.in.Overwritten[f.Close]; ok {
		return m.restore(v, o)
	}
	return m.ordinary(v)
}

// ordinary merges a field that people on both sides may edit.
func (m *merging) ordinary(v versions) decision {
	f, l, r := v.f, v.l, v.r
	if v.same(l, r) {
		return v.equal(m.o.Direction)
	}
	// Now the sides differ.
	if m.o.Direction == mapping.ToClose {
		if form, ok := m.in.Learned[f.Close]; ok && v.same(l, form.Sent) && v.same(r, form.Kept) {
			return agreed(ReasonLearned, r)
		}
		return v.toClose()
	}
	switch {
	case v.same(l, v.b):
		return v.pull(ReasonRemoteEdit)
	case v.same(r, v.b):
		return v.push(ReasonLocalEdit)
	}
	// Now both sides changed, and differently.
	if mapping.IsSet(f, v.b) && mapping.IsSet(f, l) && mapping.IsSet(f, r) {
		return v.mergeSets()
	}
	return v.byPolicy(m.o.FieldPolicy(f), m.localIsNewer())
}

// unknown stays silent about fields of which no version holds anything.
func (m *merging) unknown(f mapping.Field, knownL, knownR bool) Reason {
	if !knownL && !knownR && m.in.Base.Get(f.Close).IsNull() {
		return ""
	}
	return ReasonUnknown
}

// mirror follows Close whatever the row holds.
func (v versions) mirror() decision {
	if mapping.Identical(v.f, v.l, v.r) {
		return agreed("", v.r)
	}
	if v.same(v.l, v.b) {
		return v.pull(ReasonMirror)
	}
	return v.pull(ReasonPutBack)
}

// fromClose is mirror for a field that people may edit in principle: the edit
// that is put back is kept as a conflict.
func (v versions) fromClose() decision {
	d := v.mirror()
	if d.reason == ReasonPutBack && !v.l.IsNull() {
		d.conflict = v.conflict(RuleFromClose, WinnerClose)
	}
	return d
}

// equal settles a field on which both sides agree. Close's form of a list is
// taken over, so that the row shows Close's own JSON; the order of items alone
// is no reason to write (S29).
func (v versions) equal(dir mapping.Direction) decision {
	if dir != mapping.ToClose && !mapping.Identical(v.f, v.l, v.r) {
		return v.pull(ReasonRefresh)
	}
	if v.same(v.b, v.r) {
		return agreed("", v.r)
	}
	return agreed(ReasonSameEdit, v.r)
}

// toClose makes Close follow the row. What someone wrote in Close in between
// is kept as a conflict; having been seen, it is the new base, so that it is
// told once. What Close chose where the row says nothing stays.
func (v versions) toClose() decision {
	if v.f.Filled && v.l.IsNull() {
		return agreed(ReasonRequired, v.r)
	}
	if v.same(v.r, v.b) {
		return v.push(ReasonLocalEdit)
	}
	d := v.push(ReasonPutBack)
	if d.toRemote {
		d.conflict = v.conflict(RuleToClose, WinnerLocal)
		d.base, d.baseSet = v.r, true
	}
	return d
}

// required refuses to spread the emptiness of a field that cannot be empty:
// a child's parent. An empty one here is filled again.
func (v versions) required(dir mapping.Direction) decision {
	switch {
	case v.l.IsNull() && v.r.IsNull():
		return decision{}
	case v.l.IsNull() && dir != mapping.ToClose:
		return v.pull(ReasonRequired)
	case v.r.IsNull() && dir != mapping.FromClose:
		return v.push(ReasonRequired)
	}
	return decision{reason: ReasonRequired}
}

// paused lets news of Close in, and nothing else: no value is sent, none is
// emptied here, an edit here waits (S22, S23).
func (v versions) paused(dir mapping.Direction) decision {
	if v.same(v.l, v.r) {
		return v.equal(dir)
	}
	if v.r.IsNull() || dir == mapping.ToClose || !v.same(v.l, v.b) {
		return decision{reason: ReasonPaused}
	}
	return v.pull(ReasonPaused)
}
