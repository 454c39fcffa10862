package engine

import (
	"slices"

	"closesync/mapping"
)

// chain lets the content of events stand for a reading of Close, which saves a
// GET: it may when for every changed field the event's old value is what the
// base holds, so that nothing happened in between that we have not seen. A
// record never seen may be taken from its created event. A record in an open
// conflict or with parked fields has a base that Close does not hold, which
// stands for nothing.
func chain(o *mapping.Object, st *State, events []mapping.Event) (Reading, bool) {
	if st.Status != Synced || len(st.Parked) > 0 {
		return Reading{}, false
	}
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b mapping.Event) int { return a.Updated.Compare(b.Updated) })
	base := st.Base
	var last Reading
	for _, ev := range events {
		if ev.DataState != mapping.Present || ev.ObjectID != st.CloseID {
			return last, false
		}
		remote, err := mapping.DecodeRemote(o, ev.Data, nil)
		if err != nil || len(remote.Invalid) > 0 || remote.Version.IsZero() {
			return last, false
		}
		if base != nil && (remote.Version.Before(st.Version) || (remote.Version.Equal(st.Version) && agrees(o, base, remote.Record))) {
			continue // seen already: an echo, or an event that came late
		}
		if !follows(o, base, ev) {
			return last, false
		}
		o.FillMissing(remote.Record, base)
		base = remote.Record
		last = Reading{Remote: remote}
	}
	if last.Remote.Record == nil {
		// Every event was seen already.
		if fillsEmpty(o, st) {
			return last, false
		}
		last = Reading{Remote: mapping.Remote{Type: st.Type, ID: st.CloseID, Version: st.Version, Record: st.Base.Clone()}}
		return last, st.Base != nil
	}
	return last, true
}

// fillsEmpty reports whether the row has a value where the base has none. A base
// does not tell an empty field from one that it never saw: it stands for no
// reading of such a field.
func fillsEmpty(o *mapping.Object, st *State) bool {
	for name, v := range st.Local.Record {
		if _, mapped := o.Field(name); mapped && !v.IsNull() && st.Base.Get(name).IsNull() {
			return true
		}
	}
	return false
}

// agrees reports whether a record holds what the base does. Close's times have
// milliseconds: somebody's edit may bear that of our own write (fault A29).
func agrees(o *mapping.Object, base, record mapping.Record) bool {
	for name, v := range record {
		if f, mapped := o.Field(name); mapped && !mapping.Same(f, v, base.Get(name)) {
			return false
		}
	}
	return true
}

func follows(o *mapping.Object, base mapping.Record, ev mapping.Event) bool {
	if ev.Action == "created" {
		return base == nil
	}
	if base == nil || ev.Action != "updated" || ev.PreviousState != mapping.Present || len(ev.ChangedFields) == 0 {
		return false
	}
	previous, err := mapping.DecodePart(o, ev.Previous)
	if err != nil || len(previous.Invalid) > 0 {
		return false
	}
	for _, name := range ev.ChangedFields {
		f, mapped := o.Field(name)
		if !mapped || name == "date_updated" || name == "updated_by" {
			continue
		}
		old, told := previous.Record[name]
		if !told || !mapping.Same(f, old, base.Get(name)) {
			return false
		}
	}
	return true
}
