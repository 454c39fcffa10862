package engine

import (
	"context"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// settleCreate leaves a record alone whose create was sent without an answer;
// SettleCreates looks for its effect.
func (r *round) settleCreate(st *State, c *Claim, open OpenCreate) {
	c.Retry = time.Second
	r.unsettled = append(r.unsettled, unsettled{st.ID, st.Type, open})
}

type unsettled struct {
	record int64
	typ    string
	OpenCreate
}

// settle looks for the effects of creates whose answer was lost (fault S16):
// in the event log, among what this key created since. One candidate is
// adopted; none after the settle time means that nothing was created and the
// row is sent again; more candidates than open creates are left to a person.
func (r *round) settle(ctx context.Context) error {
	for _, u := range r.unsettled {
		found, err := r.Remote.Created(ctx, u.typ, u.Created.Add(-5*time.Minute))
		if err != nil {
			return err
		}
		var ids []string
		byID := map[string]mapping.Remote{}
		for _, remote := range found {
			if matches(r.Objects[u.typ], u.Sent, remote.Record) {
				ids = append(ids, remote.ID)
				byID[remote.ID] = remote
			}
		}
		linked, err := r.Local.Linked(ctx, u.typ, ids)
		if err != nil {
			return err
		}
		var free []string
		for _, id := range ids {
			if !linked[id] {
				free = append(free, id)
			}
		}
		if err := r.settleOne(ctx, u, free, byID); err != nil {
			return err
		}
	}
	return nil
}

func (r *round) settleOne(ctx context.Context, u unsettled, free []string, byID map[string]mapping.Remote) error {
	c := r.claims[u.record]
	st := &State{ID: u.record, Type: u.typ}
	switch {
	case len(free) == 0 && r.Now().Sub(u.Created) < r.Settle:
		return nil
	case len(free) == 0:
		if err := r.Local.FinishIntent(ctx, u.Intent, "failed", "no such record appeared in Close"); err != nil {
			return err
		}
		return r.again1(ctx, st, c, func(*State) { c.Retry = time.Microsecond })
	case len(free) > u.Twins:
		return r.again1(ctx, st, c, func(now *State) {
			now.Outcome = &Outcome{Status: Errored, Class: "ambiguous",
				Error: "the answer to the create was lost and several records in Close could be its effect; link one by hand", Plan: reconcile.Plan{Base: now.Base}}
		})
	}
	adopted := byID[free[0]]
	err := r.again1(ctx, st, c, func(now *State) {
		in := &Intent{ID: u.Intent, Action: reconcile.Create, Sent: u.Sent}
		r.takeAnswer(r.Objects[u.typ], now, c, in, adopted)
		now.Outcome.Mark, now.Outcome.Fetch = true, true
	})
	if err != nil {
		return err
	}
	return r.Local.FinishIntent(ctx, u.Intent, "done", "")
}

// matches reports whether a record of Close may be the effect of a create:
// every sent field is there as it was sent, or in the form Close gives it.
func matches(o *mapping.Object, sent, record mapping.Record) bool {
	same := 0
	for name, v := range sent {
		f, ok := o.Field(name)
		if !ok || v.IsNull() {
			continue
		}
		if name == "lead_id" || name == "name" || name == "note" || name == "value" {
			if !mapping.Same(f, v, record.Get(name)) {
				return false
			}
		}
		if mapping.Same(f, v, record.Get(name)) {
			same++
		}
	}
	return same > 0 || len(sent) == 0
}
