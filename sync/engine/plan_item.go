package engine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// PlanItem is one thing that a full compare would change on one side.
type PlanItem struct {
	ID         string        `json:"id"` // names the record: Close id, else "local:KEY"
	ObjectType string        `json:"object_type"`
	CloseID    string        `json:"close_id,omitempty"`
	LocalKey   string        `json:"local_key,omitempty"`
	Side       string        `json:"side"`   // "local" or "close": the side that changes; "both" for what waits for a person
	Action     string        `json:"action"` // create, update, delete, detach, flag, hide, conflict, park or wait
	Field      string        `json:"field,omitempty"`
	Old        mapping.Value `json:"-"`
	New        mapping.Value `json:"-"`
	OldValue   any           `json:"old_value,omitempty"`
	NewValue   any           `json:"new_value,omitempty"`
	Rule       string        `json:"rule,omitempty"`
	Hold       string        `json:"hold,omitempty"` // why it is not carried out yet; "" if it is
	Calls      int           `json:"api_calls"`      // of the whole record, on its first item
	Reads      int           `json:"reads"`          // of which so many only read
	ETA        float64       `json:"eta_seconds"`    // until it is done, under the present limits of Close
	Seen       string        `json:"seen"`           // changes when the record does, on either side
}

// What changes.
const (
	sideLocal = "local"
	sideClose = "close"
	sideBoth  = "both"
)

// itemList gathers the items of a rehearsal by record.
type itemList struct {
	records map[string][]PlanItem
	pages   map[string]bool // records that a page settled
}

func (l *itemList) set(key string, items []PlanItem) {
	if l.records == nil {
		l.records = map[string][]PlanItem{}
	}
	l.records[key] = items
}

// settled reports whether a page decided about a claimed record.
func (l *itemList) settled(c *Claim) bool { return c.CloseID != "" && l.pages[c.Type+" "+c.CloseID] }

func (l *itemList) sorted() []PlanItem {
	all := []PlanItem{}
	for _, key := range slices.Sorted(maps.Keys(l.records)) {
		all = append(all, l.records[key]...)
	}
	order := map[string]int{}
	for i, t := range mapping.Types() {
		order[t] = i
	}
	slices.SortStableFunc(all, func(a, b PlanItem) int { return cmp.Compare(order[a.ObjectType], order[b.ObjectType]) })
	return all
}

// paged notes what a page decided about a record.
func (l *itemList) paged(o *mapping.Object, st *State, remote mapping.Record) {
	if l.pages == nil {
		l.pages = map[string]bool{}
	}
	l.pages[st.Type+" "+st.CloseID] = true
	n := newNoter(o, st, remote)
	n.outcome(st.Outcome)
	l.set(n.key(), n.items)
}

// first notes the rows of before the first load that would be held.
func (l *itemList) first(objectType string, keys []string) {
	for _, key := range keys {
		id := "local:" + key
		l.set(objectType+" "+id, []PlanItem{{ID: id, ObjectType: objectType, LocalKey: key, Side: sideClose, Action: string(reconcile.Create),
			Rule: FirstStart, Hold: FirstStartReason}})
	}
}

// cycled notes what a cycle decided about a record.
func (l *itemList) cycled(r *round, st *State) {
	c, rd := r.claims[st.ID], r.readings[st.ID]
	if c == nil {
		return
	}
	n := newNoter(r.Objects[st.Type], st, rd.Remote.Record)
	switch {
	case st.Outcome != nil:
		n.outcome(st.Outcome)
		l.family(r, st, rd)
	case c.Retry > 0 && r.gone[st.ID].Parent == nil:
		n.add(PlanItem{Side: sideBoth, Action: "wait", Hold: "cannot be decided now; the worker looks again"})
	}
	if c.Sleep && st.Outcome == nil {
		n.add(PlanItem{Side: sideBoth, Action: "wait", Hold: "an operator has paused it"})
	}
	if _, read := r.readings[st.ID]; read && len(n.items) > 0 {
		n.items[0].Calls, n.items[0].Reads = n.items[0].Calls+1, 1
	}
	if len(n.items) > 0 {
		l.set(n.key(), n.items)
	}
}

// family notes the children that Close deletes along with a record, or whose
// rows come back with it.
func (l *itemList) family(r *round, st *State, rd Reading) {
	side, action := sideClose, reconcile.Delete
	if st.Outcome.Plan.Local == reconcile.Create {
		side, action = sideLocal, reconcile.Create
	} else if st.Outcome.Intent == nil || st.Outcome.Intent.Action != reconcile.Delete {
		return
	}
	for _, child := range rd.Remote.Nested {
		rel, known := r.relatives[child.ID]
		if !known || !slices.Contains(st.Outcome.Family, rel.ID) {
			continue
		}
		n := newNoter(r.Objects[child.Type], &State{Type: child.Type, CloseID: child.ID}, child.Record)
		n.add(PlanItem{Side: side, Action: string(action), Rule: "with its " + st.Type})
		l.set(n.key(), n.items)
	}
}

// noter makes the items of one record.
type noter struct {
	st     *State
	common PlanItem
	items  []PlanItem
}

func newNoter(o *mapping.Object, st *State, remote mapping.Record) *noter {
	n := &noter{st: st, common: PlanItem{ID: st.CloseID, ObjectType: st.Type, CloseID: st.CloseID, LocalKey: st.LocalKey}}
	if n.common.ID == "" {
		n.common.ID = "local:" + st.LocalKey
	}
	n.common.Seen = fingerprint(o, st.Local.Record) + "-" + fingerprint(o, remote)
	return n
}

// fingerprint is of what people may edit: the rest moves by itself.
func fingerprint(o *mapping.Object, r mapping.Record) string {
	edited := mapping.Record{}
	for name, v := range r {
		if f, ok := o.Field(name); ok && !f.ReadOnly {
			edited[name] = v
		}
	}
	return strconv.FormatUint(uint64(mapping.Hash(edited)), 36)
}

func (n *noter) key() string { return n.common.ObjectType + " " + n.common.ID }

func (n *noter) add(item PlanItem) {
	item.ID, item.ObjectType, item.CloseID, item.LocalKey, item.Seen = n.common.ID, n.common.ObjectType, n.common.CloseID, n.common.LocalKey, n.common.Seen
	if item.Rule == "" && n.st.Outcome != nil {
		item.Rule = n.st.Outcome.Plan.Rule(item.Field)
	}
	item.OldValue, item.NewValue = item.Old.Any(), item.New.Any()
	n.items = append(n.items, item)
}

func (n *noter) outcome(out *Outcome) {
	n.local(out)
	if in := out.Intent; in != nil {
		if from := len(n.items); n.write(sideClose, in.Action, in.Sent, in.Seen) > 0 {
			n.items[from].Calls = 1
		}
	}
	for _, h := range out.Holds {
		if h.Status == HoldOpen {
			n.held(h)
		}
	}
	for _, c := range out.Plan.Conflicts {
		if c.Open {
			n.add(PlanItem{Side: sideBoth, Action: "conflict", Field: c.Field, Old: c.Local, New: c.Remote, Rule: c.Rule, Hold: "waits for a decision between the local value and Close's"})
		}
	}
	switch {
	case out.Status == Errored && n.st.Status != Errored:
		n.add(PlanItem{Side: sideBoth, Action: "park", Hold: out.Error})
	case out.WaitsFor != "" && n.st.CloseID == "" && out.Intent == nil:
		n.add(PlanItem{Side: sideClose, Action: string(reconcile.Create), Hold: "waits for the record it belongs to"})
	}
}

// local notes what is done to the row.
func (n *noter) local(out *Outcome) {
	switch {
	case out.Plan.Local != reconcile.None:
		n.write(sideLocal, out.Plan.Local, out.Plan.LocalSet, n.st.Local.Record)
	case out.Status == Hidden && n.st.Status != Hidden:
		n.add(PlanItem{Side: sideLocal, Action: "hide", Rule: "not visible to the key"})
	case out.Status == Detached && n.st.Status != Detached:
		n.add(PlanItem{Side: sideLocal, Action: string(reconcile.Detach), Rule: "out of the filter"})
	}
}

// write adds an item a field for updates, one for the whole record else, and
// says how many.
func (n *noter) write(side string, action reconcile.Action, set, old mapping.Record) int {
	if action != reconcile.Update {
		n.add(PlanItem{Side: side, Action: string(action)})
		return 1
	}
	for _, f := range slices.Sorted(maps.Keys(set)) {
		n.add(PlanItem{Side: side, Action: string(action), Field: f, Old: old.Get(f), New: set.Get(f)})
	}
	return len(set)
}

// held notes what a guard keeps back.
func (n *noter) held(h Hold) {
	item := PlanItem{Side: sideClose, Action: string(h.Kind), Field: h.Field, Hold: h.Reason}
	switch h.Kind {
	case HoldClear:
		item.Action, item.Old, item.New = string(reconcile.Update), n.st.Base.Get(h.Field), mapping.Null
	case HoldFirst:
		item.Action = string(reconcile.Create)
	case HoldInbound:
		item.Side, item.Action = sideLocal, string(reconcile.Delete)
	}
	n.add(item)
}
