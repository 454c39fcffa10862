package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// settleCreate leaves a record alone whose create was sent without an answer;
// settle looks for its effect.
func (r *round) settleCreate(st *State, c *Claim, open OpenCreate) {
	if r.present.FromClosePaused {
		c.Sleep = true
		return
	}
	c.Wait = time.Second // no try that failed: what follows may wait longer after those
	r.unsettled = append(r.unsettled, unsettled{st.ID, st.Type, open})
}

// Creating tells which creates of a type have no answer yet.
type Creating struct {
	Markers    map[string]bool // of those that carry one
	Candidates map[string]bool // Close ids that a person must choose from
	unmarked   bool
	since      time.Time // Close's time before the first unmarked one; zero: not known
}

// AddUnmarked adds a create without a marker that was sent after since, in
// Close's time; the zero time if that is not known.
func (c *Creating) AddUnmarked(since time.Time) {
	if !c.unmarked || since.Before(c.since) {
		c.since = since
	}
	c.unmarked = true
}

// mayBe reports whether a record may be the effect of one of them. A reading
// that is not of the record itself may lack its marker. What Close made before
// the create was sent is not its effect: people's own new records do not wait.
func (c Creating) mayBe(rd Reading) bool {
	if c.Candidates[rd.Remote.ID] {
		return true
	}
	if rd.Remote.Marker != "" {
		return c.Markers[rd.Remote.Marker]
	}
	older := !c.since.IsZero() && !rd.Remote.Created.IsZero() && rd.Remote.Created.Before(c.since.Add(-2*time.Second))
	return (c.unmarked && !older) || (len(c.Markers) > 0 && !rd.Fresh)
}

// waitForCreate puts off a record of Close that may be the effect of a create
// of ours: until its answer is known, or until a person has chosen.
func waitForCreate(st *State, c *Claim) {
	if !st.Creating.Candidates[st.CloseID] {
		c.Wait = 500 * time.Millisecond
		return
	}
	st.Outcome = &Outcome{Status: Errored, Class: Ambiguous, Cause: c.Cause,
		Error: "may be the effect of a create whose answer was lost; a person has to choose among several"}
}

type unsettled struct {
	record int64
	typ    string
	OpenCreate
}

// settle looks for the effects of creates whose answer was lost (fault S16),
// with one look at the event log for all of a type.
func (r *round) settle(ctx context.Context) error {
	byType := map[string][]unsettled{}
	for _, u := range r.unsettled {
		byType[u.typ] = append(byType[u.typ], u)
	}
	var problems []error
	for _, t := range mapping.Types() {
		problems = append(problems, r.settleType(ctx, t, byType[t]))
	}
	return errors.Join(problems...)
}

func (r *round) settleType(ctx context.Context, objectType string, list []unsettled) error {
	if len(list) == 0 {
		return nil
	}
	found, err := r.Remote.Created(ctx, objectType, since(list))
	if err != nil {
		return err
	}
	free, err := r.unlinked(ctx, objectType, found)
	if err != nil {
		return err
	}
	// After the records: one linked meanwhile is then refused to others, instead
	// of counting for nobody.
	rv, err := r.rivalsOf(ctx, objectType, list)
	if err != nil {
		return err
	}
	var problems []error
	for _, u := range list {
		taken, err := r.settleFound(ctx, u, rv, free)
		problems = append(problems, err)
		if taken != "" {
			free = slices.DeleteFunc(free, func(f Found) bool { return f.ID == taken })
			rv.open = slices.DeleteFunc(rv.open, func(o OpenCreate) bool { return o.Intent == u.Intent })
		}
	}
	return errors.Join(problems...)
}

// settleFound settles one create by what was found, and tells the id of the
// record that it took.
func (r *round) settleFound(ctx context.Context, u unsettled, rv rivals, free []Found) (taken string, err error) {
	if u.Marker == "" {
		fits, doubtful := rv.share(u, free)
		return r.settleOne(ctx, u, fits, doubtful)
	}
	fits, err := r.marked(ctx, u, free)
	if err != nil {
		return "", err
	}
	return r.settleOne(ctx, u, fits, nil)
}

// since is where the look at the event log begins, in Close's time: ours may
// be hours apart (fault A30). Zero means everything that the log still holds.
func since(list []unsettled) time.Time {
	first := list[0].Since
	for _, u := range list {
		if u.Since.Before(first) {
			first = u.Since
		}
	}
	if first.IsZero() {
		return first
	}
	return first.Add(-eventOverlap)
}

// unlinked leaves out what already has a row here.
func (r *round) unlinked(ctx context.Context, objectType string, found []Found) ([]Found, error) {
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	linked, err := r.Local.Linked(ctx, objectType, ids)
	return slices.DeleteFunc(found, func(f Found) bool { return linked[f.ID] }), err
}

// marked gives the records that carry a create's marker: nothing else will do.
func (r *round) marked(ctx context.Context, u unsettled, free []Found) ([]Found, error) {
	var fits []Found
	for _, f := range free {
		if f.Ours && f.Marker == "" && matches(r.Objects[u.typ], u.Sent, f.Record) {
			// The event may be without the marker; the record itself tells.
			rd := r.Remote.Fetch(ctx, u.typ, f.ID)
			if rd.Err != nil {
				return nil, rd.Err
			}
			f.Remote = rd.Remote
		}
		if f.Marker == u.Marker {
			fits = append(fits, f)
		}
	}
	return fits, nil
}

// settleOne adopts the candidate and tells its id. None after the settle time
// means that nothing was created and the row is sent again; one that could be
// another's as well is left to a person. Several with one marker are no
// question: the create took effect more than once, the audit tells of it.
func (r *round) settleOne(ctx context.Context, u unsettled, fits, doubtful []Found) (taken string, err error) {
	c := r.claims[u.record]
	st := &State{ID: u.record, Type: u.typ}
	switch {
	case len(fits) == 0 && u.Age < r.Settle:
		return "", nil
	case len(fits) == 0 && len(doubtful) > 0:
		return "", r.askWhich(ctx, u, doubtful)
	case len(fits) == 0:
		fate := Ended{Intent: u.Intent, State: "failed", Problem: "no such record appeared in Close"}
		return "", r.end(ctx, st, c, fate, func(Present, *State) { c.Retry = time.Microsecond })
	}
	adopted := fits[0].Remote
	done := Ended{Intent: u.Intent, State: "done", Problem: "its answer was lost; the record was found", Action: reconcile.Create, Sent: u.Sent}
	return adopted.ID, r.end(ctx, st, c, done, func(present Present, now *State) {
		in := &Intent{ID: u.Intent, Action: reconcile.Create, Sent: u.Sent}
		r.takeAnswer(r.Objects[u.typ], present, now, c, in, adopted)
		now.Outcome.Mark, now.Outcome.Fetch = true, true
	})
}

// askWhich leaves a create to a person, unless what made it doubtful has found its
// own row since: the next look then knows who is left.
func (r *round) askWhich(ctx context.Context, u unsettled, fits []Found) error {
	free, err := r.unlinked(ctx, u.typ, slices.Clone(fits))
	if err != nil || len(free) < len(fits) {
		return err
	}
	return r.ambiguous(ctx, u, fits)
}

// ambiguous parks a row whose create had an effect that cannot be told from
// other records. The candidates get no rows of their own until a person has
// linked one; the create is not repeated before that.
func (r *round) ambiguous(ctx context.Context, u unsettled, fits []Found) error {
	ids := make([]string, len(fits))
	for i, f := range fits {
		ids[i] = f.ID
	}
	slices.Sort(ids)
	if err := r.Local.SetCandidates(ctx, u.Intent, ids); err != nil {
		return err
	}
	gone := false
	err := r.decideOne(ctx, &State{ID: u.record, Type: u.typ}, r.claims[u.record], func(_ Present, now *State) {
		if gone = !now.Local.Exists; gone {
			now.Outcome = &Outcome{Status: Deleted}
			now.Ended = []Ended{{Intent: u.Intent, State: "failed", Problem: "the row is gone"}}
			return
		}
		now.Outcome = &Outcome{Status: Errored, Class: Ambiguous, Plan: reconcile.Plan{Base: now.Base},
			Error: "the answer to the create was lost, and each of these could be its effect: " + strings.Join(ids, ", ") +
				"; write the right one's id into the row, or delete the row and insert it anew if none is"}
	})
	if err != nil || !gone {
		return err
	}
	// Nobody waits for it any more, so that each is a record of its own.
	return r.Local.Mark(ctx, u.typ, ids, Cause{"source": "operator"}, 1)
}
