package engine

import (
	"context"
	"slices"

	"closesync/mapping"
)

// Several creates without an answer may look alike. Each record that turned up
// in Close belongs to the one whose content it holds best, whether or not that
// one is looked at now: taken by another, it would give that row a stranger's
// values and be created once more for its own.

// rivals are the open creates of a type that carry no marker.
type rivals struct {
	o    *mapping.Object
	open []OpenCreate
}

// rivalsOf reads them if one of the list has no marker.
func (r *round) rivalsOf(ctx context.Context, objectType string, list []unsettled) (rivals, error) {
	rv := rivals{o: r.Objects[objectType]}
	if !slices.ContainsFunc(list, func(u unsettled) bool { return u.Marker == "" }) {
		return rv, nil
	}
	var err error
	rv.open, err = r.Local.AllCreates(ctx, objectType)
	return rv, err
}

// share picks what belongs to a create. Twins, creates of the same content,
// share their records out in the order in which both were made. A record is
// doubtful if it fits creates of different content equally well, or if there
// are more than twins.
func (rv rivals) share(u unsettled, free []Found) (own, doubtful []Found) {
	twins, rank := rv.twins(u)
	for _, f := range free {
		if !f.Ours || f.Marker != "" || !matches(rv.o, u.Sent, f.Record) {
			continue
		}
		switch rv.compare(u, f) {
		case 1:
			own = append(own, f)
		case 0:
			doubtful = append(doubtful, f)
		}
	}
	if len(own) > twins {
		return nil, own
	}
	slices.SortFunc(own, func(a, b Found) int { return a.Created.Compare(b.Created) })
	if rank >= len(own) {
		return nil, doubtful
	}
	return own[rank : rank+1], nil
}

// twins counts the open creates of a create's content and those made before it.
func (rv rivals) twins(u unsettled) (all, before int) {
	mine := string(mapping.EncodeBase(u.Sent))
	for _, other := range rv.open {
		if string(mapping.EncodeBase(other.Sent)) == mine {
			all++
			if other.Intent < u.Intent {
				before++
			}
		}
	}
	return max(all, 1), before
}

// compare tells whether a record fits a create better than all others (1), as
// well as one of other content (0), or worse (-1).
func (rv rivals) compare(u unsettled, f Found) int {
	mine, verdict := distance(rv.o, u.Sent, f.Record), 1
	for _, other := range rv.open {
		if string(mapping.EncodeBase(other.Sent)) == string(mapping.EncodeBase(u.Sent)) || !matches(rv.o, other.Sent, f.Record) {
			continue
		}
		switch theirs := distance(rv.o, other.Sent, f.Record); {
		case theirs < mine:
			return -1
		case theirs == mine:
			verdict = 0
		}
	}
	return verdict
}

// distance counts the fields that were sent and are not there, and those that
// are there and were not sent. What Close fills by itself counts for all alike.
func distance(o *mapping.Object, sent, record mapping.Record) int {
	n := 0
	for name, v := range sent {
		f, ok := o.Field(name)
		if ok && !v.IsNull() && !alike(f, v, record.Get(name)) {
			n++
		}
	}
	for name, v := range record {
		f, ok := o.Field(name)
		if ok && !f.ReadOnly && !v.IsNull() && sent.Get(name).IsNull() {
			n++
		}
	}
	return n
}
