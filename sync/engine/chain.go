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
// stands for nothing. early are the events that would fit behind one that is
// not here, which may be on its way.
func chain(o *mapping.Object, st *State, events []heard) (last Reading, early []heard, ok bool) {
	if st.Status != Synced || len(st.Parked) > 0 {
		return Reading{}, nil, false
	}
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b heard) int { return a.Updated.Compare(b.Updated) })
	base := st.Base
	for i, ev := range events {
		if ev.DataState != mapping.Present || ev.ObjectID != st.CloseID {
			return last, nil, false
		}
		remote, err := mapping.DecodeRemote(o, ev.Data, nil)
		if err != nil || len(remote.Invalid) > 0 || remote.Version.IsZero() {
			return last, nil, false
		}
		if base != nil && (remote.Version.Before(st.Version) || (remote.Version.Equal(st.Version) && agrees(o, base, remote.Record))) {
			continue // seen already: an echo, or an event that came late
		}
		switch follows(o, base, ev.Event) {
		case gap:
			return last, events[i:], false
		case breach:
			return last, nil, false
		}
		o.FillMissing(remote.Record, base)
		base = remote.Record
		last = Reading{Remote: remote}
	}
	if last.Remote.Record == nil {
		// Every event was seen already.
		if fillsEmpty(o, st) {
			return last, nil, false
		}
		last = Reading{Remote: mapping.Remote{Type: st.Type, ID: st.CloseID, Version: st.Version, Record: st.Base.Clone()}}
		return last, nil, st.Base != nil
	}
	return last, nil, true
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

// link is how an event joins what is known of its record.
type link int

const (
	breach link = iota // not at all
	gap                // behind an event that is not known
	joint              // directly
)

func follows(o *mapping.Object, base mapping.Record, ev mapping.Event) link {
	if ev.Action == "created" && base == nil {
		return joint
	}
	if ev.Action != "updated" || ev.PreviousState != mapping.Present || len(ev.ChangedFields) == 0 {
		return breach
	}
	previous, err := mapping.DecodePart(o, ev.Previous)
	if err != nil || len(previous.Invalid) > 0 {
		return breach
	}
	if base == nil {
		return gap
	}
	for _, name := range ev.ChangedFields {
		f, mapped := o.Field(name)
		if !mapped || name == "date_updated" || name == "updated_by" {
			continue
		}
		old, told := previous.Record[name]
		if !told {
			return breach
		}
		if !mapping.Same(f, old, base.Get(name)) {
			return gap
		}
	}
	return joint
}
