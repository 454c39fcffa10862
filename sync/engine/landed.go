package engine

import (
	"context"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// landed takes into the base what earlier updates without an answer (fault
// S19) are now seen to have done. It needs a reading made after them.
func (r *round) landed(o *mapping.Object, st *State, rd Reading) {
	if !rd.Fresh || rd.Gone || rd.Remote.Record == nil {
		return
	}
	for _, open := range r.updates[st.ID] {
		st.Base = reconcile.Landed(o, st.Base, open.Sent, rd.Remote.Record)
		r.looked = append(r.looked, open.Intent)
	}
}

// closeUpdates ends the intents whose effect was looked for: what did not
// arrive is planned anew.
func (r *round) closeUpdates(ctx context.Context) error {
	for _, intent := range r.looked {
		if err := r.Local.FinishIntent(ctx, intent, "done", "its answer was lost; a reading told what arrived"); err != nil {
			return err
		}
	}
	return nil
}
