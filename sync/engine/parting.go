package engine

import (
	"context"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Close has no conditional delete either: what people did there between our
// reading and our DELETE goes with the record. The event of the deletion tells
// what it held in the end (fault S21).

// Parting is what our last reading showed of a record that a delete of ours
// ends: of the one it is meant for, or of a child that Close deletes along.
type Parting struct {
	Record int64
	Seen   mapping.Record
}

// Ending is a delete of ours, as far as an event may tell more of it.
type Ending struct {
	Seen mapping.Record // empty for one asked by its Close id
	Told bool           // what it took along is known
	Sent time.Time      // not after its sending, in Close's time; zero if not known
}

// last is what the event of a deletion tells of a record.
type last struct {
	held mapping.Record
	at   time.Time
}

// knowEndings reads which of the deletions that events tell of were ours.
func (r *round) knowEndings(ctx context.Context) (err error) {
	r.lasts = map[int64]last{}
	var ids []int64
	var owners []string
	for id, events := range r.told {
		for _, ev := range events {
			if ev.Action != "deleted" || ev.ObjectID != r.claims[id].CloseID || ev.PreviousState != mapping.Present {
				continue
			}
			o := r.Objects[r.claims[id].Type]
			read, err := mapping.DecodePart(o, ev.Previous)
			if err != nil {
				continue
			}
			r.lasts[id] = last{read.Record, ev.Updated}
			ids, owners = append(ids, id), append(owners, ownersOf(o, read.Record)...)
		}
	}
	if len(ids) > 0 {
		r.endings, r.ownersEnded, err = r.Local.Endings(ctx, ids, owners)
	}
	return err
}

// ownersOf are the Close ids of what a record cannot be without.
func ownersOf(o *mapping.Object, rec mapping.Record) []string {
	var ids []string
	for _, f := range o.Parents() {
		if id, ok := rec.Get(f.Close).Text(); ok && f.Required {
			ids = append(ids, id)
		}
	}
	return ids
}

// tellParted tells, as conflicts that this side won, what a delete of ours took
// along unseen.
func (r *round) tellParted(o *mapping.Object, st *State, c *Claim) {
	last, told := r.lasts[st.ID]
	if !told || st.Status == Detached || c.Retry > 0 || c.Sleep || (st.Outcome != nil && st.Outcome.Status != Deleted) {
		return
	}
	ending, ours := r.endings[st.ID]
	if !ours {
		ending, ours = r.bornUnseen(o, st, last)
	}
	if !ours || ending.Told {
		return
	}
	o.FillMissing(last.held, ending.Seen)
	edits := reconcile.Parted(o, ending.Seen, last.held)
	if len(edits) == 0 {
		return
	}
	if st.Outcome == nil {
		st.Outcome = &Outcome{Status: Deleted, Cause: c.Cause, Whole: true}
	}
	st.Outcome.Plan.Conflicts = append(st.Outcome.Plan.Conflicts, edits...)
	st.Outcome.Parted = ending.Seen != nil
}

// bornUnseen finds the delete of ours that took along a child which nobody here
// has seen: our reading showed every child that there was.
func (r *round) bornUnseen(o *mapping.Object, st *State, last last) (Ending, bool) {
	if st.Base != nil || st.Status == Deleted {
		return Ending{}, false
	}
	for _, owner := range ownersOf(o, last.held) {
		if e, ended := r.ownersEnded[owner]; ended && !last.at.Before(e.Sent) {
			return Ending{}, true
		}
	}
	return Ending{}, false
}
