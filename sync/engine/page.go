package engine

import (
	"context"
	"fmt"

	"closesync/mapping"
)

// applyPage takes in a page of records of Close, which is itself a fresh
// reading: no further GET. What the page says as it is known already is passed
// over by hash. Edits of ours that turn up are left to a cycle.
func (e *Engine) applyPage(ctx context.Context, records []mapping.Remote, cause Cause, run int64, silent bool, cp *Checkpoint) (int, error) {
	byType := map[string]map[string]mapping.Remote{}
	flatten(byType, records)
	if err := e.dropNeedless(ctx, byType, silent); err != nil {
		return 0, err
	}
	return e.applyTypes(ctx, byType, cause, run, silent, cp)
}

// applyFlat is applyPage for records that are known to need a decision.
func (e *Engine) applyFlat(ctx context.Context, records []mapping.Remote, cause Cause, run int64, silent bool, cp *Checkpoint) (int, error) {
	byType := map[string]map[string]mapping.Remote{}
	flatten(byType, records)
	return e.applyTypes(ctx, byType, cause, run, silent, cp)
}

func (e *Engine) applyTypes(ctx context.Context, byType map[string]map[string]mapping.Remote, cause Cause, run int64, silent bool, cp *Checkpoint) (changed int, err error) {
	batch := Batch{CloseIDs: map[string][]string{}, Checkpoint: cp, Run: run, Lazy: silent}
	for objectType, byID := range byType {
		if len(byID) > 0 {
			batch.CloseIDs[objectType] = keys(byID)
		}
	}
	decided := map[string]bool{}
	err = e.isolate(ctx, batch, func(part Batch, refused *Refusal) error {
		return e.Local.Decide(ctx, part, func(now Present, states []*State) error {
			if now.FromClosePaused {
				return ErrPaused
			}
			now.Tally = nil // what is to be sent is left to a cycle
			r := &round{Engine: e, present: now}
			for _, st := range states {
				if refused != nil {
					e.notePanic(refused.Err, st.Type, st.CloseID)
					refused.park(st)
					e.Logger.Warn("Postgres refused a record of a page", "object_type", st.Type, "close_id", st.CloseID, "error", refused.Reason)
					continue
				}
				r.decidePage(st, byType[st.Type][st.CloseID], cause, silent)
				decided[st.Type+st.CloseID] = st.Outcome != nil
			}
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("engine.applyPage: %w", err)
	}
	for _, d := range decided {
		if d {
			changed++
		}
	}
	return changed, nil
}

func flatten(byType map[string]map[string]mapping.Remote, records []mapping.Remote) {
	for _, r := range records {
		if byType[r.Type] == nil {
			byType[r.Type] = make(map[string]mapping.Remote, len(records))
		}
		if seen, ok := byType[r.Type][r.ID]; !ok || seen.Version.Before(r.Version) {
			byType[r.Type][r.ID] = r
		}
		flatten(byType, r.Nested)
	}
}

// dropNeedless leaves out what needs no decision.
func (e *Engine) dropNeedless(ctx context.Context, byType map[string]map[string]mapping.Remote, silent bool) error {
	shown := map[string]bool{}
	for _, byID := range byType {
		for id := range byID {
			shown[id] = true
		}
	}
	for _, objectType := range keys(byType) {
		byID := byType[objectType]
		if !silent { // at the first load nothing is known yet
			if err := e.dropUnchanged(ctx, objectType, byID); err != nil {
				return err
			}
		}
		if err := e.dropOutOfScope(ctx, objectType, byID, shown); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) dropUnchanged(ctx context.Context, objectType string, byID map[string]mapping.Remote) error {
	ids := keys(byID)
	hashes := make([]int64, len(ids))
	for i, id := range ids {
		hashes[i] = mapping.Hash(byID[id].Record)
	}
	same, err := e.Local.Unchanged(ctx, objectType, ids, hashes)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if same[i] {
			delete(byID, id)
		}
	}
	return nil
}

// decidePage decides on one record of a page.
func (r *round) decidePage(st *State, remote mapping.Remote, cause Cause, silent bool) {
	if st.Status == Deleted || remote.ID == "" {
		return // the search index may still show what is gone (fault A27)
	}
	if st.Busy {
		st.Outcome = &Outcome{Mark: true, Fetch: true, After: untilFree(0), Cause: cause}
		return
	}
	if len(st.Meets) > 0 && !st.Local.Exists { // it waits for a person
		if st.rekeyed(r.Objects[st.Type], remote.Record) {
			st.Outcome = &Outcome{Mark: true, Fetch: true, Cause: cause}
		}
		return
	}
	if st.Base != nil && !st.Local.Exists {
		// Deleted here, and its children with it: a cycle looks at all of them,
		// once they are not held.
		if st.Status == Held {
			return
		}
		st.Outcome = &Outcome{Mark: true, Fetch: true, Cause: cause}
		return
	}
	if st.Unanswered {
		// The base does not hold yet what that write did: an edit made here since
		// would be taken for old and what was sent for news of Close (fault S19).
		st.Outcome = &Outcome{Mark: true, Fetch: true, Cause: cause}
		return
	}
	c := &Claim{RecordID: st.ID, Type: st.Type, Cause: cause}
	_ = r.merge(r.Objects[st.Type], st, c, Reading{Remote: remote, Cause: cause}) // only a tally fails, and there is none
	if st.Outcome == nil && c.Retry > 0 {
		st.Outcome = &Outcome{Mark: true, Fetch: true, After: c.Retry, Cause: cause}
		return
	}
	if o := st.Outcome; o != nil {
		o.Silent = silent && st.ID == 0
		if len(o.Plan.Conflicts) > 0 && st.Base != nil {
			// A cycle knows more: when the row was edited, what an operator chose,
			// which answers were lost. There is nothing of that about a row that
			// meets its record for the first time.
			st.Outcome = &Outcome{Mark: true, Fetch: true, Cause: cause}
			return
		}
		if o.Intent != nil || c.Retry > 0 {
			o.Intent, o.Mark, o.Fetch, o.After, o.Whole, o.Done = nil, true, true, c.Retry, false, nil
			if o.Status == Held {
				o.Status = ""
			}
		}
	}
}
