package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// A database that was restored from a backup, or failed over to a copy that
// lacked the last commits, has forgotten creates that Close holds (faults C4,
// C5). Its checkpoints are as old as the rest, so that following the event log
// again brings everything back; but a row without a Close id would be created
// once more. So after a start, and after the database's server was started or
// the worker's tables were replaced, nothing is created on either side before
// the event log was asked what this key has created since the checkpoint. What
// of it the database does not know belongs to the row with its content.

// verify does that once for each epoch of the database.
func (e *Engine) verify(ctx context.Context) error {
	epoch, err := e.Local.Epoch(ctx)
	if err != nil {
		return err
	}
	return e.verifyIn(ctx, epoch)
}

// verifyIn is verify for an epoch that was read just now.
func (e *Engine) verifyIn(ctx context.Context, epoch string) error {
	if e.isVerified(epoch) {
		return nil
	}
	cp, err := e.Local.Checkpoint(ctx, StreamEvents)
	if err != nil {
		return err
	}
	if cp.Watermark.IsZero() { // nothing was ever loaded, so nothing is forgotten
		e.verified.Store(&epoch)
		return nil
	}
	if err := e.refuseWhenPaused(ctx); err != nil {
		return err
	}
	if err := e.absorbAll(ctx); err != nil {
		return err
	}
	for _, objectType := range wanted(e, nil) {
		found, err := e.Remote.Created(ctx, objectType, cp.Watermark.Add(-eventOverlap))
		if err != nil {
			return err
		}
		if err := e.recall(ctx, objectType, found); err != nil {
			return err
		}
	}
	e.verified.Store(&epoch)
	return nil
}

func (e *Engine) isVerified(epoch string) bool {
	known := e.verified.Load()
	return known != nil && *known == epoch
}

// tryVerify reports a failure that concerns everything. After any other one
// only creates wait; see mayCreate.
func (e *Engine) tryVerify(ctx context.Context) error {
	err := e.verify(ctx)
	call, _ := errors.AsType[*CallError](err)
	switch {
	case err == nil || errors.Is(err, ErrPaused):
		return nil
	case call != nil && call.Class != "unauthorized" && call.Class != "limited":
		e.Logger.Warn("creates wait: Close cannot be asked what was created before", "error", err)
		return nil
	}
	return err
}

func ignorePause(err error) error {
	if errors.Is(err, ErrPaused) {
		return nil
	}
	return err
}

// mayCreate reports whether records may be created on either side now. What a
// walk brings was asked for before it, and a rehearsal creates nothing.
func (r *round) mayCreate() bool {
	return r.claims == nil || r.rehearses || r.isVerified(r.present.Epoch)
}

// absorbAll makes a record of every row that was captured.
func (e *Engine) absorbAll(ctx context.Context) error {
	for {
		if n, err := e.absorb(ctx); err != nil || n == 0 {
			return err
		}
	}
}

// recall links rows without a Close id to the records that they were created
// as, as far as the content tells.
func (e *Engine) recall(ctx context.Context, objectType string, found []Found) error {
	forgotten, err := e.forgotten(ctx, objectType, found)
	if err != nil || len(forgotten) == 0 {
		return err
	}
	rows, err := e.Local.Unsent(ctx, objectType)
	if err != nil || len(rows) == 0 {
		return err
	}
	e.Logger.Warn("Close holds records that this key created and this database does not know: it seems to be restored from a backup",
		"object_type", objectType, "records", len(forgotten), "rows_without_id", len(rows))
	o := e.Objects[objectType]
	return e.Local.Decide(ctx, Batch{IDs: map[string][]int64{objectType: rows}}, func(_ Present, states []*State) error {
		claims := claimForgotten(o, states, forgotten)
		for _, c := range claims {
			c.decide(claims)
		}
		return nil
	})
}

// forgotten leaves out what this database knows, or may know as the effect of
// a create that has no answer yet.
func (e *Engine) forgotten(ctx context.Context, objectType string, found []Found) ([]Found, error) {
	var ids []string
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	known, err := e.Local.Heard(ctx, objectType, ids)
	if err != nil {
		return nil, err
	}
	open, err := e.Local.AllCreates(ctx, objectType)
	return slices.DeleteFunc(found, func(f Found) bool {
		return !f.Ours || known[f.ID] || slices.ContainsFunc(open, func(c OpenCreate) bool { return matches(e.Objects[objectType], c.Sent, f.Record) })
	}), err
}

// claimOf is what rows of the same content may have been created as.
type claimOf struct {
	rows    []*State // by record number
	records []Found  // in the order of their creation
	strange bool     // their parent is not known, and could tell more
}

func claimForgotten(o *mapping.Object, states []*State, forgotten []Found) map[string]*claimOf {
	claims := map[string]*claimOf{}
	for _, st := range states {
		if !st.Local.Exists || st.CloseID != "" {
			continue
		}
		content := string(mapping.EncodeBase(st.Local.Record))
		c := claims[content]
		if c == nil {
			c = &claimOf{strange: len(st.Awaits) > 0}
			known := maps.Clone(st.Local.Record)
			maps.DeleteFunc(known, func(_ string, v mapping.Value) bool { return mapping.IsLocalRef(v) })
			for _, f := range forgotten {
				if matches(o, known, f.Record) {
					c.records = append(c.records, f)
				}
			}
			slices.SortFunc(c.records, func(a, b Found) int { return a.Created.Compare(b.Created) })
			claims[content] = c
		}
		c.rows = append(c.rows, st)
	}
	return claims
}

// decide shares records out among the rows of one content. Where there are more
// records than rows, or rows of other content may be them, a person decides.
func (c *claimOf) decide(all map[string]*claimOf) {
	contested := c.strange || len(c.records) > len(c.rows)
	for _, other := range all {
		contested = contested || (other != c && slices.ContainsFunc(other.records, func(f Found) bool { return c.has(f.ID) }))
	}
	for i, st := range c.rows {
		switch {
		case len(c.records) == 0:
		case contested:
			st.Outcome = &Outcome{Status: Errored, Class: Ambiguous, Unmark: true, Plan: reconcile.Plan{Base: st.Base},
				Error: "the database was restored, and this row may be in Close already, as " + c.names() +
					"; write the right id into the row, or edit the row to create another"}
		case i < len(c.records):
			st.Outcome = &Outcome{CloseID: c.records[i].ID, Status: Synced, Mark: true, Fetch: true, Cause: Cause{"source": "restored"},
				Plan: reconcile.Plan{Base: st.Base}}
		}
	}
}

func (c *claimOf) has(id string) bool {
	return slices.ContainsFunc(c.records, func(f Found) bool { return f.ID == id })
}

func (c *claimOf) names() string {
	var ids []string
	for _, f := range c.records[:min(10, len(c.records))] {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, " or ")
}
