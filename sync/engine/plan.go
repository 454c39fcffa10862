package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Rehearser is what Plan needs of the local side beyond Local: a transaction
// that is always rolled back. do may be called again and asks Close nothing.
type Rehearser interface {
	Rehearse(ctx context.Context, do func(Rehearsal) error) error
}

// Rehearsal is a local side of which everything is undone.
type Rehearsal interface {
	Local
	// Pretend lets records look created in Close, for what waits for them.
	Pretend(ctx context.Context, closeIDs map[int64]string) error
	// Elapse makes due what waits for a moment.
	Elapse(ctx context.Context) error
	// HeldRows are the keys of rows of before the first load that wait for approval.
	HeldRows(ctx context.Context, objectType string) ([]string, error)
	// Undecided lists what of these types open holds and conflicts are about.
	Undecided(ctx context.Context, types []string) ([]Undecided, error)
}

// Plan says what a full compare would change, per record and field, with the
// rule that decides and the calls it would cost. It is a rehearsal of the audit
// and of the cycles after it: the same marks, claims, readings and decisions,
// of which nothing is carried out and nothing stays.
func (e *Engine) Plan(ctx context.Context, types []string) ([]PlanItem, error) {
	local, ok := e.Local.(Rehearser)
	if !ok {
		return nil, errors.New("engine.Plan: the local side cannot rehearse")
	}
	p := &planning{Engine: e, local: local, types: wanted(e, types), shown: &idSet{ids: map[uint64]struct{}{}},
		remote: map[string]mapping.Record{}, readings: map[recordKey]Reading{}}
	for _, step := range []func(context.Context) error{p.walk, p.read, p.decide} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("engine.Plan: %w", err)
		}
	}
	return p.items.sorted(), nil
}

// recordKey names a record from one rehearsal to the next: the number of a
// record that was first seen in a rehearsal is forgotten with it.
type recordKey struct{ objectType, closeID, localKey string }

func (c *Claim) key() recordKey { return recordKey{c.Type, c.CloseID, c.LocalKey} }

type planning struct {
	*Engine
	local     Rehearser
	types     []string
	started   time.Time
	shown     *idSet
	below     children
	mu        sync.Mutex
	pages     [][]mapping.Remote        // what of Close is not known as it is
	remote    map[string]mapping.Record // the same by Close id
	readings  map[recordKey]Reading
	reference Reference
	items     itemList
	waiting   []Undecided // from before the rehearsal, which makes some of its own
}

// walk reads Close as an audit does and keeps what differs.
func (p *planning) walk(ctx context.Context) (err error) {
	if p.started, err = p.Remote.Now(ctx); err != nil {
		return err
	}
	if p.reference, err = p.Remote.Reference(ctx); err != nil {
		return err
	}
	return p.walkSome(ctx, p.types, &p.below, func(ctx context.Context, t string, nested, _ bool) error {
		w := &walk{Engine: p.Engine, objectType: t, field: "date_created", nested: nested, apply: p.keep}
		return w.run(ctx, time.Time{}, p.started.Add(time.Minute))
	})
}

func (p *planning) keep(ctx context.Context, page Page, _ *Checkpoint) error {
	p.shown.add(page.Records)
	p.below.note(page.Records)
	byType := map[string]map[string]mapping.Remote{}
	flatten(byType, page.Records)
	if err := p.dropNeedless(ctx, byType, false); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []mapping.Remote
	for _, objectType := range keys(byType) {
		byID := byType[objectType]
		for _, id := range keys(byID) {
			r := byID[id]
			r.Nested = nil
			list = append(list, r)
			p.remote[id] = r.Record
		}
	}
	if len(list) > 0 {
		p.pages = append(p.pages, list)
	}
	return nil
}

// own copies a page for one rehearsal: deciding fills in what records lack.
func own(page []mapping.Remote) []mapping.Remote {
	list := slices.Clone(page)
	for i := range list {
		list[i].Record = list[i].Record.Clone()
	}
	return list
}

// read rehearses up to the readings, and takes those from Close afterwards.
func (p *planning) read(ctx context.Context) error {
	var r *round
	var claims []*Claim
	err := p.rehearse(ctx, func(e *Engine, _ Rehearsal) (err error) {
		r, claims, err = p.begin(ctx, e)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := r.fetch(ctx, claims); err != nil {
		return err
	}
	if err := r.knowScope(ctx, claims); err != nil {
		return err
	}
	for _, c := range claims {
		if rd, ok := r.readings[c.RecordID]; ok {
			p.readings[c.key()] = rd
		}
	}
	// What is missing in the readings is empty or removed: only now it can be told.
	p.reference, err = p.Remote.Reference(ctx)
	return err
}

// decide rehearses again, now with the readings, and notes what is decided.
func (p *planning) decide(ctx context.Context) error {
	return p.rehearse(ctx, func(e *Engine, l Rehearsal) error {
		r, claims, err := p.begin(ctx, e)
		if err != nil {
			return err
		}
		for _, c := range claims {
			if rd, ok := p.readings[c.key()]; ok {
				rd.Remote.Record = rd.Remote.Record.Clone()
				r.readings[c.RecordID] = rd
			}
		}
		if err := r.knowRelatives(ctx); err != nil {
			return err
		}
		for objectType, list := range byType(claims) {
			for part := range slices.Chunk(list, maxBatch) {
				if err := p.decidePart(ctx, r, l, objectType, part); err != nil {
					return err
				}
			}
		}
		for _, u := range p.waiting {
			p.items.waiting(u)
		}
		return nil
	})
}

// decidePart decides on records of one type as a cycle does. The claims stay,
// so that guards count the records of all parts.
func (p *planning) decidePart(ctx context.Context, r *round, l Rehearsal, objectType string, claims []*Claim) error {
	batch := Batch{IDs: map[string][]int64{}, Owners: p.Guards.InboundDeletes != nil}
	for _, c := range claims {
		batch.IDs[objectType] = append(batch.IDs[objectType], c.RecordID)
	}
	created := map[int64]string{}
	err := l.Decide(ctx, batch, func(now Present, states []*State) error {
		r.present = now
		if err := r.decideAll(states); err != nil {
			return err
		}
		for _, st := range states {
			p.items.cycled(r, st)
			if o := st.Outcome; o != nil && o.Intent != nil && o.Intent.Action == reconcile.Create {
				created[st.ID] = "new:" + st.LocalKey
			}
			st.Outcome = nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.Pretend(ctx, created)
}

// rehearse gives do an engine on a local side of which nothing stays, after
// all that an audit would have marked is marked.
func (p *planning) rehearse(ctx context.Context, do func(*Engine, Rehearsal) error) error {
	return p.local.Rehearse(ctx, func(l Rehearsal) (err error) {
		p.items = itemList{}
		if p.waiting, err = l.Undecided(ctx, p.types); err != nil {
			return err
		}
		o := p.Options
		o.Local = &onlooker{l, p}
		e := New(o)
		e.catalogue.set(p.reference.CustomFields, p.reference.Incomplete)
		if err := e.refuseWhenPaused(ctx); err != nil {
			return err
		}
		if err := p.load(ctx, e, l); err != nil {
			return err
		}
		if err := p.mark(ctx, e); err != nil {
			return err
		}
		if err := l.Elapse(ctx); err != nil {
			return err
		}
		return do(e, l)
	})
}

// load is the first load of types that had none, out of what was read.
func (p *planning) load(ctx context.Context, e *Engine, l Rehearsal) error {
	types, err := e.NotLoaded(ctx)
	if err != nil || len(types) == 0 {
		return err
	}
	if err := e.Local.BeginLoad(ctx, types); err != nil {
		return err
	}
	loads, err := e.Local.FirstLoads(ctx)
	if err != nil {
		return err
	}
	if staged(loads, types) {
		for _, page := range p.pages {
			lists := map[string][]mapping.Remote{}
			for _, r := range page {
				lists[r.Type] = append(lists[r.Type], r)
			}
			if err := e.Local.Stage(ctx, lists, nil); err != nil {
				return err
			}
		}
	}
	if err := e.Local.Match(ctx, types); err != nil {
		return err
	}
	for _, t := range types {
		keys, err := l.HeldRows(ctx, t)
		if err != nil {
			return err
		}
		p.items.first(t, keys)
	}
	return e.Local.EndLoad(ctx, types)
}

// mark does what an audit does with what it read.
func (p *planning) mark(ctx context.Context, e *Engine) error {
	for {
		n, _, err := e.Local.Absorb(ctx, 2000)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for _, page := range p.pages {
		if _, err := e.applyFlat(ctx, own(page), Cause{"source": "audit"}, 0, false, nil); err != nil {
			return err
		}
	}
	for _, t := range p.types {
		if _, err := e.Local.AuditRows(ctx, t); err != nil {
			return err
		}
		if err := e.markUnseen(ctx, t, p.started, p.shown); err != nil {
			return err
		}
	}
	return nil
}

// begin claims all that is due and prepares it as a cycle does. What a page
// settled already is left out.
func (p *planning) begin(ctx context.Context, e *Engine) (*round, []*Claim, error) {
	hour := time.Now().Add(time.Hour) // nothing is claimed for others to wait for
	r := &round{Engine: e, times: times{read: hour, send: hour, end: hour}, claims: map[int64]*Claim{}, readings: map[int64]Reading{}, events: map[int64][]heard{}, knows: true, rehearses: true}
	var claims []*Claim
	for {
		list, err := e.Local.Claim(ctx, 10*maxBatch, time.Hour)
		if err != nil {
			return nil, nil, err
		}
		if len(list) == 0 {
			break
		}
		for _, c := range list {
			if slices.Contains(p.types, c.Type) && (len(c.Events) > 0 || !p.items.settled(c)) {
				claims = append(claims, c)
				r.claims[c.RecordID] = c
			}
		}
	}
	if len(claims) == 0 {
		return r, nil, nil
	}
	if err := r.prepare(ctx, claims); err != nil {
		return nil, nil, err
	}
	claims, err := r.presume(ctx, claims)
	return r, claims, err
}

// byType gives the claims of each type, parents first.
func byType(claims []*Claim) func(yield func(string, []*Claim) bool) {
	return func(yield func(string, []*Claim) bool) {
		for _, t := range mapping.Types() {
			list := slices.DeleteFunc(slices.Clone(claims), func(c *Claim) bool { return c.Type != t })
			slices.SortFunc(list, func(a, b *Claim) int { return cmp.Compare(a.RecordID, b.RecordID) })
			if len(list) > 0 && !yield(t, list) {
				return
			}
		}
	}
}

// onlooker notes what is decided about the records of pages, and lets nothing
// of it be written but the marks.
type onlooker struct {
	Rehearsal
	p *planning
}

func (l *onlooker) Decide(ctx context.Context, b Batch, decide func(Present, []*State) error) error {
	marks := map[string][]string{}
	b.Claims, b.Checkpoint = nil, nil
	err := l.Rehearsal.Decide(ctx, b, func(now Present, states []*State) error {
		clear(marks)
		if err := decide(now, states); err != nil {
			return err
		}
		for _, st := range states {
			switch o := st.Outcome; {
			case o == nil:
			case o.Mark && st.CloseID != "":
				marks[st.Type] = append(marks[st.Type], st.CloseID)
			default:
				l.p.items.paged(l.p.Objects[st.Type], st, l.p.remote[st.CloseID])
			}
			st.Outcome = nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	for objectType, ids := range marks {
		if err := l.Rehearsal.Mark(ctx, objectType, ids, Cause{"source": "audit"}, 0); err != nil {
			return err
		}
	}
	return nil
}
