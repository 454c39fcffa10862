package reconcile

import (
	"sort"

	"closesync/mapping"
)

// Merge compares what both sides hold with what they last agreed on and says
// what each must change. It is pure and total: every input gives a plan, the
// same input the same plan, and a plan carried out leaves nothing to plan.
// Remote.Exists == false must mean a confirmed deletion, never a mere absence.
func Merge(o *mapping.Object, in Input) Plan {
	m := merging{o: o, in: in}
	m.plan.Base = in.Base
	switch {
	case in.Local.Exists && in.Remote.Exists:
		m.both()
	case in.Local.Exists && in.Base == nil:
		m.createRemote()
	case in.Local.Exists:
		m.remoteDeleted()
	case in.Remote.Exists && in.Base == nil:
		m.createLocal()
	case in.Remote.Exists:
		m.localDeleted()
	case in.Base != nil:
		// Deleted on both sides, in whatever order (S5): only the link ends.
		m.record(ReasonBothDeleted)
		m.plan.Base = nil
	}
	return m.plan
}

// merging is one call of Merge: its input and the plan so far.
type merging struct {
	o    *mapping.Object
	in   Input
	plan Plan
}

// both merges a record that lives on both sides, field by field. No field's
// outcome depends on another's.
func (m *merging) both() {
	m.plan.Base = m.in.Base.Clone()
	if m.plan.Base == nil {
		m.plan.Base = mapping.Record{}
	}
	m.eachField(func(f mapping.Field) { m.apply(f, m.decide(f)) })
	if len(m.plan.LocalSet) > 0 {
		m.plan.Local = Update
	}
	if len(m.plan.RemoteSet) > 0 {
		m.plan.Remote = Update
	}
}

// apply enters one field's decision into the plan.
func (m *merging) apply(f mapping.Field, d decision) {
	if d.toLocal {
		m.setLocal(f.Close, d.value)
	}
	if d.toRemote {
		m.setRemote(f.Close, d.value)
	}
	if d.baseSet {
		m.plan.Base[f.Close] = d.base
	}
	if d.conflict != nil {
		m.plan.Conflicts = append(m.plan.Conflicts, *d.conflict)
	}
	if d.reason != "" {
		m.reason(f.Close, d.reason)
	}
}

// eachField visits the mapped fields in their order, then the custom fields
// without a column of their own that any of the three versions holds, by name.
func (m *merging) eachField(visit func(mapping.Field)) {
	for _, f := range m.o.Fields {
		visit(f)
	}
	if m.o.Custom == "" {
		return
	}
	var names []string
	for _, rec := range []mapping.Record{m.in.Base, m.in.Local.Record, m.in.Remote.Record} {
		for name := range rec {
			if mapping.IsCustom(name) && !m.ownColumn(name) && !m.o.IsMarker(name) {
				names = append(names, name)
			}
		}
	}
	sort.Strings(names)
	for i, name := range names {
		if i == 0 || name != names[i-1] {
			visit(mapping.Field{Close: name, Kind: mapping.Any})
		}
	}
}

// ownColumn reports whether a field has a column of its own.
func (m *merging) ownColumn(name string) bool {
	for i := range m.o.Fields {
		if m.o.Fields[i].Close == name {
			return true
		}
	}
	return false
}

// local is the row's value of f. A custom field missing from the row's jsonb
// column is empty, for that column was read as a whole; any other missing
// field is unknown.
func (m *merging) local(f mapping.Field) (v mapping.Value, known bool) {
	if _, ok := m.in.Local.Record[f.Close]; ok {
		return m.in.Local.Record.Get(f.Close), true
	}
	return mapping.Null, mapping.IsCustom(f.Close) && !m.ownColumn(f.Close)
}

// remote is Close's value of f. A missing field is always unknown: a reading
// may be limited, and what a key may not see is not empty (see FillMissing).
func (m *merging) remote(f mapping.Field) (v mapping.Value, known bool) {
	_, ok := m.in.Remote.Record[f.Close]
	return m.in.Remote.Record.Get(f.Close), ok
}

func (m *merging) setLocal(name string, v mapping.Value) {
	if m.plan.LocalSet == nil {
		m.plan.LocalSet = mapping.Record{}
	}
	m.plan.LocalSet[name] = v
}

func (m *merging) setRemote(name string, v mapping.Value) {
	if m.plan.RemoteSet == nil {
		m.plan.RemoteSet = mapping.Record{}
	}
	m.plan.RemoteSet[name] = v
}

func (m *merging) reason(name string, r Reason) {
	if m.plan.Reasons == nil {
		m.plan.Reasons = map[string]Reason{}
	}
	m.plan.Reasons[name] = r
}

func (m *merging) record(r Reason) { m.reason(RecordKey, r) }
