package engine

import (
	"context"
	"slices"

	"closesync/sync/reconcile"
)

// presume spares a mass change that is held anyway one GET a record: where a
// hold of the type is open, edits made here are first decided as if Close still
// held what it held last. What would be held is, and leaves the round; the
// operator's approval brings it back with a fresh reading. All else goes on.
func (r *round) presume(ctx context.Context, claims []*Claim) ([]*Claim, error) {
	open, err := r.Local.HeldTypes(ctx)
	if err != nil || len(open) == 0 {
		return claims, err
	}
	batch := Batch{IDs: map[string][]int64{}}
	for _, c := range claims {
		if slices.Contains(open, c.Type) && !c.LocalAt.IsZero() && c.Cause["source"] == "local" && len(c.Events) == 0 {
			batch.IDs[c.Type] = append(batch.IDs[c.Type], c.RecordID)
			batch.Claims = append(batch.Claims, c)
		}
	}
	if len(batch.Claims) == 0 {
		return claims, nil
	}
	err = r.Local.Decide(ctx, batch, func(now Present, states []*State) error {
		r.present = now
		for _, st := range states {
			c := r.claims[st.ID]
			c.begin()
			if err := r.presumeOne(st, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	kept := claims[:0:0]
	for _, c := range claims {
		if c.Keep || !slices.Contains(batch.Claims, c) {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

func (r *round) presumeOne(st *State, c *Claim) error {
	c.Keep = true
	if st.Busy || st.Base == nil || st.Mislabelled || len(st.Parked) > 0 || len(st.Absent) > 0 || r.gone[st.ID].Parent != nil || r.choices[st.ID] != nil || (st.Status != Synced && st.Status != Held) {
		return nil
	}
	paused, sure := r.resting(st)
	if !sure {
		return nil
	}
	plan := reconcile.Merge(r.Objects[st.Type], reconcile.Input{Base: st.Base, Local: st.Local, Paused: paused,
		Remote: reconcile.Side{Exists: true, Record: st.Base.Clone(), At: st.Version}})
	if plan.Local != reconcile.None || plan.Remote == reconcile.None {
		return nil
	}
	out := &Outcome{Plan: plan, Status: Synced, Cause: c.Cause, Whole: true}
	left, err := r.keepBack(st, out)
	if err != nil || left {
		return err
	}
	st.Outcome, c.Keep = out, false
	return nil
}
