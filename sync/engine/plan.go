package engine

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// PlanItem is one thing that a full compare would change on one side.
type PlanItem struct {
	ID         string        `json:"id"` // names the record: Close id, else "local:KEY"
	ObjectType string        `json:"object_type"`
	CloseID    string        `json:"close_id,omitempty"`
	LocalKey   string        `json:"local_key,omitempty"`
	Side       string        `json:"side"`   // "local" or "close": the side that changes
	Action     string        `json:"action"` // create, update, delete, detach, flag, or "check"
	Field      string        `json:"field,omitempty"`
	Old        mapping.Value `json:"-"`
	New        mapping.Value `json:"-"`
	OldValue   any           `json:"old_value,omitempty"`
	NewValue   any           `json:"new_value,omitempty"`
	Rule       string        `json:"rule,omitempty"`
	Calls      int           `json:"api_calls"`
}

// Previewer is what Plan needs of the local side beyond Local.
type Previewer interface {
	Preview(ctx context.Context, b Batch, decide func(Present, []*State) error) error
	Unlinked(ctx context.Context, objectType string) ([]string, error)
}

// Plan says what a full compare would change, per record and field, with the
// rule that decides and the calls it would cost. It decides with the same code
// as the cycle and writes nothing anywhere.
func (e *Engine) Plan(ctx context.Context, types []string) ([]PlanItem, error) {
	local, ok := e.Local.(Previewer)
	if !ok {
		return nil, fmt.Errorf("engine.Plan: the local side cannot preview")
	}
	now, err := e.Remote.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("engine.Plan: %w", err)
	}
	p := &planning{Engine: e, local: local, shown: &idSet{ids: map[uint64]struct{}{}}}
	types = wanted(e, types)
	for _, t := range types {
		w := &walk{Engine: e, objectType: t, field: "date_created", apply: p.page}
		if err := w.run(ctx, time.Time{}, now.Add(time.Minute)); err != nil {
			return nil, fmt.Errorf("engine.Plan: %w", err)
		}
		if err := p.rest(ctx, t, now); err != nil {
			return nil, fmt.Errorf("engine.Plan: %w", err)
		}
	}
	sort.SliceStable(p.items, func(i, j int) bool { return p.items[i].ID < p.items[j].ID })
	return p.items, nil
}

type planning struct {
	*Engine
	local Previewer
	shown *idSet
	mu    sync.Mutex
	items []PlanItem
}

func (p *planning) page(ctx context.Context, page Page, _ *Checkpoint) error {
	p.shown.add(page.Records)
	byID := map[string]mapping.Remote{}
	batch := Batch{CloseIDs: map[string][]string{}}
	for _, r := range page.Records {
		byID[r.ID] = r
		batch.CloseIDs[r.Type] = append(batch.CloseIDs[r.Type], r.ID)
	}
	return p.local.Preview(ctx, batch, func(_ Present, states []*State) error {
		for _, st := range states {
			remote, ok := byID[st.CloseID]
			if !ok || st.Status == Deleted {
				continue
			}
			o := p.Objects[st.Type]
			o.FillMissing(remote.Record, st.Base, st.Local.Record)
			p.add(st, reconcile.Merge(o, reconcile.Input{Base: st.Base, Local: st.Local,
				Remote: reconcile.Side{Exists: true, Record: remote.Record, At: remote.Version}}))
		}
		return nil
	})
}

// rest adds the rows that Close does not have and the records it did not show.
func (p *planning) rest(ctx context.Context, objectType string, now time.Time) error {
	keys, err := p.local.Unlinked(ctx, objectType)
	if err != nil {
		return err
	}
	if p.Objects[objectType].Direction != mapping.FromClose {
		for _, key := range keys {
			p.put(PlanItem{ID: "local:" + key, ObjectType: objectType, LocalKey: key, Side: "close", Action: "create", Rule: "only here", Calls: 1})
		}
	}
	ids, err := p.Local.Unseen(ctx, objectType, now)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !p.shown.has(id) {
			p.put(PlanItem{ID: id, ObjectType: objectType, CloseID: id, Side: "local", Action: "check", Rule: "not shown by Close; a GET decides", Calls: 1})
		}
	}
	return nil
}

func (p *planning) put(item PlanItem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items = append(p.items, item)
}

func (p *planning) add(st *State, plan reconcile.Plan) {
	item := PlanItem{ID: st.CloseID, ObjectType: st.Type, CloseID: st.CloseID, LocalKey: st.LocalKey, Rule: string(plan.Record())}
	if plan.Local != reconcile.None {
		item.Side, item.Action = "local", string(plan.Local)
		p.fields(item, plan, plan.LocalSet, st.Local.Record, 0)
	}
	if plan.Remote != reconcile.None {
		item.Side, item.Action = "close", string(plan.Remote)
		p.fields(item, plan, plan.RemoteSet, st.Base, 2)
	}
}

// fields adds an item a field for updates, one for the whole record else. The
// calls of a record are counted on its first item.
func (p *planning) fields(item PlanItem, plan reconcile.Plan, set, old mapping.Record, calls int) {
	item.Calls = calls
	if item.Action != string(reconcile.Update) {
		p.put(item)
		return
	}
	names := make([]string, 0, len(set))
	for f := range set {
		names = append(names, f)
	}
	sort.Strings(names)
	for _, f := range names {
		one := item
		one.Field, one.Old, one.New = f, old.Get(f), set[f]
		one.OldValue, one.NewValue = one.Old.Any(), one.New.Any()
		if reason, ok := plan.Reasons[f]; ok {
			one.Rule = string(reason)
		}
		p.put(one)
		item.Calls = 0
	}
}
