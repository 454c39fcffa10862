package engine

import (
	"context"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Close has no conditional write: an edit between our reading and our write is
// overwritten. Its trace is in the event log, where every event tells what the
// object held before it and after it (fault S21).

// Crossing is an update of ours together with the span of the object's versions
// in which others' edits went unseen.
type Crossing struct {
	Intent     int64
	Sent, Seen mapping.Record
	Answer     mapping.Record // what Close made of it; nil if there was no answer
	Read       time.Time      // version of the reading it was made from
	Left       time.Time      // version that it left in Close; zero if there was no answer
	Told       time.Time      // version up to which what it overwrote is known
}

// Told says that what a write overwrote is taken in up to a version.
type Told struct {
	Intent int64
	Upto   time.Time
}

// witness is what an event tells of an object at one of its versions.
type witness struct {
	version time.Time
	fields  mapping.Record
}

// witnesses are the states before and after the updates that events tell of.
func witnesses(o *mapping.Object, events []mapping.Event) []witness {
	var list []witness
	for _, ev := range events {
		if ev.Action != "updated" {
			continue
		}
		var version time.Time
		for _, part := range [][]byte{ev.Data, ev.Previous} {
			read, err := mapping.DecodePart(o, part)
			if part == nil || err != nil {
				continue
			}
			if !read.Version.IsZero() {
				version = read.Version // else it is unchanged: both within one millisecond
			}
			if !version.IsZero() {
				list = append(list, witness{version, read.Record})
			}
		}
	}
	return list
}

// knowCrossings reads the writes of ours that the events in hand may tell more
// of.
func (r *round) knowCrossings(ctx context.Context) error {
	var ids []int64
	var since time.Time
	for id, events := range r.told {
		for _, w := range witnesses(r.Objects[r.claims[id].Type], events) {
			if since.IsZero() || w.version.Before(since) {
				since = w.version
			}
			if len(ids) == 0 || ids[len(ids)-1] != id {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var err error
	r.crossings, err = r.Local.Crossings(ctx, ids, since)
	return err
}

// overwritten finds the values of Close that our writes replaced unseen. Told
// notes them as taken in.
func (r *round) overwritten(o *mapping.Object, st *State, rd Reading) (map[string]reconcile.Overwritten, []Told) {
	crossings := r.crossings[st.ID]
	if len(crossings) == 0 {
		return nil, nil
	}
	seen := witnesses(o, r.told[st.ID])
	found := map[string]reconcile.Overwritten{}
	var told []Told
	for _, c := range crossings {
		if upto := c.lost(o, seen, rd, found); upto.After(c.Told) {
			told = append(told, Told{c.Intent, upto})
		}
	}
	return found, told
}

// lost adds what a write overwrote to found and gives the version at which the
// latest of it was seen; zero for nothing.
func (c Crossing) lost(o *mapping.Object, seen []witness, rd Reading, found map[string]reconcile.Overwritten) time.Time {
	left := c.Left
	if left.IsZero() {
		if !rd.Fresh || len(held(o, c.Sent, rd.Remote.Record)) == 0 {
			return time.Time{}
		}
		left = rd.Remote.Version // its answer was lost; this reading was made after it
	}
	var latest time.Time
	at := map[string]time.Time{}
	for _, w := range seen {
		if !w.version.After(c.Read) || !w.version.After(c.Told) || w.version.After(left) {
			continue
		}
		for name, sent := range c.Sent {
			f, mapped := o.Field(name)
			v, tells := w.fields[name]
			if !mapped || !tells || f.ReadOnly || w.version.Before(at[name]) {
				continue
			}
			if mapping.Same(f, v, c.Seen.Get(name)) || mapping.Same(f, v, sent) || mapping.Same(f, v, c.leftOf(name)) {
				continue
			}
			at[name] = w.version
			found[name] = reconcile.Overwritten{Seen: c.Seen.Get(name), Held: v, Sent: sent, Left: c.leftOf(name)}
			if w.version.After(latest) {
				latest = w.version
			}
		}
	}
	return latest
}

func (c Crossing) leftOf(field string) mapping.Value {
	if v, ok := c.Answer[field]; ok {
		return v
	}
	return c.Sent.Get(field)
}
