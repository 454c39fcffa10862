package engine

import (
	"context"
	"time"
)

// RestFor is how long a record that is being edited right now is left alone: a
// burst of edits shall be one call or two, not as many as fit in.
const RestFor = 250 * time.Millisecond

// leaveRestless gives back the claims of records that were edited again while
// they were read: what would be sent now is old before it arrives.
func (r *round) leaveRestless(ctx context.Context, claims []*Claim) ([]*Claim, error) {
	var edited []*Claim
	for _, c := range claims {
		if !c.LocalAt.IsZero() {
			edited = append(edited, c)
		}
	}
	if len(edited) == 0 {
		return claims, nil
	}
	restless, err := r.Local.Restless(ctx, edited)
	if err != nil || len(restless) == 0 {
		return claims, err
	}
	var kept, left []*Claim
	for _, c := range claims {
		if restless[c.RecordID] {
			left = append(left, c)
			delete(r.claims, c.RecordID)
		} else {
			kept = append(kept, c)
		}
	}
	return kept, r.Local.Release(ctx, left, RestFor)
}
