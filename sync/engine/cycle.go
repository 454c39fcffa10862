package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Run works until nothing is due, or ctx ends before another claim would, and
// says how many records it worked on. Every noticed change, from whichever side
// and by whichever way, comes through here.
func (e *Engine) Run(ctx context.Context) (int, error) {
	total := 0
	if err := e.tryVerify(ctx); err != nil {
		return total, err
	}
	for {
		absorbed, err := e.absorb(ctx)
		if err != nil {
			return total, err
		}
		n, err := e.Cycle(ctx)
		total += n
		if err != nil {
			return total, err
		}
		if (n == 0 && absorbed == 0) || !e.timeForClaim(ctx) {
			return total, nil
		}
	}
}

// absorb takes captured changes in. For a table that was truncated a full
// compare is owed, which fills it by pages: the marks alone do it too, at a GET a
// record.
func (e *Engine) absorb(ctx context.Context) (int, error) {
	n, truncated, err := e.Local.Absorb(ctx, 2000)
	if len(truncated) > 0 {
		e.emptied.Store(true)
	}
	return n, err
}

// Emptied reports, once, that tables were found truncated: the compare that is
// owed for them should begin soon.
func (e *Engine) Emptied() bool { return e.emptied.Swap(false) }

// Cycle claims a batch of dirty records and brings each one's sides together.
func (e *Engine) Cycle(ctx context.Context) (int, error) {
	// Before the claim, so that it ends before the lease does (fault D5).
	times := e.timesOfClaim()
	work, cancel := context.WithDeadline(ctx, times.end)
	defer cancel()
	began, size := e.Now(), e.pace.size()
	claims, err := e.Local.Claim(ctx, size, e.Lease)
	if err != nil || len(claims) == 0 {
		return 0, err
	}
	defer func() { e.pace.learn(len(claims), size, e.Workers, e.Now().Sub(began), e.Lease) }()
	r := &round{Engine: e, times: times, until: began.Add(e.Lease * 3 / 4), claims: map[int64]*Claim{}, readings: map[int64]Reading{},
		events: map[int64][]heard{}, told: map[int64][]mapping.Event{}}
	for i := range claims {
		r.claims[claims[i].RecordID] = claims[i]
	}
	if err := guarded(func() error { return r.run(work, claims) })(); err != nil {
		if rel := e.Local.Release(context.WithoutCancel(ctx), claims, max(waitOf(err), time.Second)); rel != nil {
			err = errors.Join(err, rel)
		}
		return len(claims), fmt.Errorf("engine.Cycle: %w", err)
	}
	return len(claims), nil
}

// round is one cycle's working memory.
type round struct {
	*Engine
	times       times
	until       time.Time // by Now: a zombie that slept sends nothing later, whatever contexts say
	claims      map[int64]*Claim
	readings    map[int64]Reading
	events      map[int64][]heard         // whose content may be used
	told        map[int64][]mapping.Event // all events in hand, also where a reading is needed
	crossings   map[int64][]Crossing      // writes of ours that those may tell more of
	lasts       map[int64]last            // what events of deletions tell
	endings     map[int64]Ending          // those of them that were ours
	ownersEnded map[string]Ending         // by Close id: owners that deletes of ours were meant for
	creates     map[int64]OpenCreate
	unended     map[int64][]OpenWrite // writes whose answers were lost
	writes      map[int64][]Write
	choices     map[int64]map[string]reconcile.Choice
	gone        map[int64]Gone      // claimed records whose rows were deleted here
	relatives   map[string]Relative // by Close id: children of those
	making      map[string]bool     // types of which a create is under way
	present     Present
	ending      []int64 // records of the present type that Close says are gone
	knows       bool    // the custom fields were listed after the readings
	unlisted    bool    // they could not be
	rehearses   bool    // nothing is carried out
	sends       []*State
	unsettled   []unsettled
}

func (r *round) run(ctx context.Context, claims []*Claim) error {
	if err := r.prepare(ctx, claims); err != nil {
		return err
	}
	claims, err := r.presume(ctx, claims)
	if err != nil || len(claims) == 0 {
		return err
	}
	if claims, err = r.fetch(ctx, claims); err != nil || len(claims) == 0 {
		return err
	}
	if claims, err = r.leaveRestless(ctx, claims); err != nil || len(claims) == 0 {
		return err
	}
	if err := r.knowRelatives(ctx); err != nil {
		return err
	}
	r.knowFields(ctx)
	if err := r.knowScope(ctx, claims); err != nil {
		return err
	}
	err = r.decideClaims(ctx, claims)
	if err == nil {
		r.report(claims)
	}
	// What is decided is sent, even if others were not: its intents are stored.
	return errors.Join(err, r.settle(ctx), r.send(ctx))
}

// decideClaims decides on all claims, each transaction as a whole or not at all.
func (r *round) decideClaims(ctx context.Context, claims []*Claim) error {
	batch := Batch{IDs: map[string][]int64{}, Claims: claims, Owners: r.Guards.InboundDeletes != nil}
	for _, c := range claims {
		batch.IDs[c.Type] = append(batch.IDs[c.Type], c.RecordID)
	}
	return r.isolate(ctx, batch, func(part Batch, refused *Refusal) error {
		// The store reads the claims again after decide filled in what becomes of
		// each, so both share them.
		err := r.Local.Decide(ctx, part, func(now Present, states []*State) error {
			if len(states) == 0 {
				return nil
			}
			r.forget(part.IDs[states[0].Type])
			r.present = now
			if refused == nil {
				return r.decideAll(states)
			}
			r.parkAll(states, refused)
			return nil
		})
		if err != nil {
			for _, ids := range part.IDs {
				r.forget(ids)
			}
		}
		return err
	})
}

func (r *round) parkAll(states []*State, refused *Refusal) {
	for _, st := range states {
		if c := r.claims[st.ID]; c != nil {
			c.begin()
			r.notePanic(refused.Err, st.Type, st.CloseID)
			refused.park(st)
		}
	}
}

// decideAll decides on the states whose claims this round holds.
func (r *round) decideAll(states []*State) error {
	r.noteEnding(states)
	for _, st := range states {
		c := r.claims[st.ID]
		if c == nil {
			continue
		}
		c.begin()
		err := guarded(func() error { return r.decide(st, c) })()
		if r.notePanic(err, st.Type, st.CloseID) {
			c.begin()
			st.Outcome, st.Ended, err = &Outcome{Status: Errored, Class: "panic", Error: err.Error(), Cause: c.Cause}, nil, nil
		}
		if err != nil {
			return err
		}
		if st.Outcome != nil && st.Outcome.Intent != nil {
			r.sends = append(r.sends, st)
		}
	}
	return nil
}

// forget drops what an earlier try of the same transaction decided.
func (r *round) forget(ids []int64) {
	tried := make(map[int64]bool, len(ids))
	for _, id := range ids {
		tried[id] = true
	}
	r.sends = slices.DeleteFunc(r.sends, func(st *State) bool { return tried[st.ID] })
	r.unsettled = slices.DeleteFunc(r.unsettled, func(u unsettled) bool { return tried[u.record] })
}

func (r *round) prepare(ctx context.Context, claims []*Claim) error {
	var events, ids []int64
	for _, c := range claims {
		ids = append(ids, c.RecordID)
		events = append(events, c.Events...)
	}
	bodies, err := r.Local.Bodies(ctx, events)
	if err != nil {
		return err
	}
	for i := range claims {
		c := claims[i]
		var events []heard
		for _, row := range c.Events {
			ev, err := mapping.DecodeEvent(bodies[row].Body)
			if err != nil {
				c.Fetch = true
				continue
			}
			r.told[c.RecordID] = append(r.told[c.RecordID], ev)
			events = append(events, heard{ev, bodies[row].Age})
		}
		if !c.Fetch {
			r.events[c.RecordID] = events
		}
	}
	if err := r.knowCrossings(ctx); err != nil {
		return err
	}
	if err := r.knowEndings(ctx); err != nil {
		return err
	}
	if r.creates, err = r.Local.OpenCreates(ctx, ids); err != nil {
		return err
	}
	if r.unended, err = r.Local.OpenWrites(ctx, ids); err != nil {
		return err
	}
	if r.writes, err = r.Local.Writes(ctx, ids, loopWindow); err != nil {
		return err
	}
	if r.choices, err = r.Local.Choices(ctx, ids); err != nil {
		return err
	}
	if r.gone, err = r.Local.Gone(ctx, ids); err != nil {
		return err
	}
	for id := range r.gone {
		if len(r.unended[id]) > 0 {
			// Its own write has to end first. The parent waits for that, so it must
			// not wait for the parent.
			r.gone[id] = Gone{}
		}
	}
	return nil
}

// read reads a record; one whose row was deleted with its children, because
// Close would delete them with it.
func (r *round) read(ctx context.Context, c *Claim) Reading {
	if _, gone := r.gone[c.RecordID]; gone && r.bears(c.Type) {
		return r.Remote.Family(ctx, c.Type, c.CloseID)
	}
	return r.Remote.Fetch(ctx, c.Type, c.CloseID)
}

func (r *round) needsFetch(c *Claim) bool {
	for _, ev := range r.events[c.RecordID] {
		if ends(ev.Event, c.CloseID) {
			return false
		}
	}
	if c.Status == Deleted {
		return c.Fetch || !c.LocalAt.IsZero()
	}
	if g, gone := r.gone[c.RecordID]; gone {
		return g.Parent == nil // else the parent's reading decides
	}
	if c.Fetch || r.looksFirst(c) || len(r.unended[c.RecordID]) > 0 || r.scopedBy(c.Type) != "" {
		return true
	}
	for _, ev := range r.events[c.RecordID] {
		if ev.Action == "merged" || ev.DataState != mapping.Present {
			return true
		}
	}
	return false
}

// looksFirst reports whether Close is read although nothing demands it: before an
// edit made here is sent, unless push.verify says otherwise.
func (r *round) looksFirst(c *Claim) bool {
	if c.LocalAt.IsZero() {
		return len(c.Events) == 0
	}
	return !r.Optimistic
}

// ends reports whether an event says that the record is no more.
func ends(ev mapping.Event, closeID string) bool {
	return (ev.Action == "deleted" && ev.ObjectID == closeID) || (ev.MergeSource == closeID && ev.MergeInto != "" && ev.Action == "merged")
}

func (r *round) report(claims []*Claim) {
	for _, c := range claims {
		if c.Retry == 0 && c.Wait == 0 && !c.Keep && !c.Sleep && c.LocalAt.IsZero() {
			r.arrived(FromClose, c)
		}
	}
}

func (r *round) arrived(direction Direction, c *Claim) {
	if r.Applied != nil {
		r.Applied(direction, r.Now().Sub(c.MarkedAt))
	}
}
