package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// Close deletes a lead's children with it, and a foreign key does so here. A
// child that went with its parent is therefore no delete of its own: what
// becomes of the parent becomes of it. Deleted in Close, it is gone there
// without a call; restored here, it is read again. Whichever of them is looked
// at first, the parent decides.

// Gone is what is known of a claimed record whose row was deleted here.
type Gone struct {
	// Parent is the record it hung at, if that one's row is gone as well and it
	// is not decided yet what becomes of it in Close.
	Parent *Parent
}

// Parent is a record without which another cannot be.
type Parent struct {
	Status  Status
	Error   string
	Pending bool // it is about to be decided
}

// Relative is the record of a child that Close shows inside its parent.
type Relative struct {
	ID      int64
	Base    mapping.Record
	Version time.Time
	// Row is where its row is now: RowGone, RowHere at the same parent, or
	// RowElsewhere at another one.
	Row   string
	Stuck bool // Close refused to move it
	Busy  bool // a write of ours to it is under way
	// WaitsFor names the parent that it waits for, see CloseName.
	WaitsFor string
}

// The places of a Relative's row.
const (
	RowGone      = "gone"
	RowHere      = "here"
	RowElsewhere = "elsewhere"
)

// bears reports whether records of a type have children that cannot be
// without them.
func (e *Engine) bears(objectType string) bool {
	for _, o := range e.Objects {
		if _, ok := ownerOf(o, objectType); ok {
			return true
		}
	}
	return false
}

// ownerOf is the field by which records of o hang at ones of the parent type.
func ownerOf(o *mapping.Object, parent string) (mapping.Field, bool) {
	for _, f := range o.Parents() {
		if f.Required && f.Parent == parent {
			return f, true
		}
	}
	return mapping.Field{}, false
}

// goesWith reports whether a record's parent decides about it.
func (r *round) goesWith(st *State, c *Claim) bool {
	g, ok := r.gone[st.ID]
	if !ok || g.Parent == nil || st.Local.Exists {
		return false
	}
	switch p := g.Parent; {
	case p.Pending:
		c.Retry = backoff(min(c.Attempts, 4))
	case p.Status != Synced && (st.Status != p.Status || st.Error == ""):
		st.Outcome = &Outcome{Status: p.Status, Class: "parent", Error: "was deleted together with its parent, which waits: " + p.Error}
	}
	return true
}

// knowRelatives looks up the records of the children that the readings of
// deleted parents show.
func (r *round) knowRelatives(ctx context.Context) error {
	ids := map[string][]string{}
	for record := range r.gone {
		for _, child := range r.readings[record].Remote.Nested {
			ids[child.Type] = append(ids[child.Type], child.ID)
		}
	}
	r.relatives, r.making = map[string]Relative{}, map[string]bool{}
	for _, objectType := range keys(ids) {
		found, creating, err := r.Local.Relatives(ctx, objectType, ids[objectType])
		if err != nil {
			return err
		}
		maps.Copy(r.relatives, found)
		r.making[objectType] = creating
	}
	return nil
}

// kin is what the children of a deleted parent say about its delete.
type kin struct {
	went   []Parting // records of the children that went with it
	stuck  []int64   // of those that belong elsewhere here, and that Close does not move
	edited bool      // someone works on them in Close: the parent comes back
	busy   bool      // a write of ours to one of them has to end first
}

// kin judges the children by the reading of their parent. What Close does not
// show inside it was moved or deleted there and is decided alone.
func (r *round) kin(st *State, rd Reading) kin {
	var k kin
	if _, gone := r.gone[st.ID]; !gone {
		return k
	}
	for _, child := range rd.Remote.Nested {
		rel, known := r.relatives[child.ID]
		switch {
		case !known || rel.Base == nil:
			// Nobody here has seen it yet. One outside its own filter never will.
			k.busy = k.busy || r.making[child.Type]
			k.edited = k.edited || len(r.Objects[child.Type].Filter) == 0
		case rel.Busy, child.Version.Before(rel.Version):
			k.busy = true
		case rel.WaitsFor == CloseName(st.Type, st.CloseID):
			k.edited = true // it came to this parent in Close
		case rel.Row == RowElsewhere && !rel.Stuck:
			k.busy = true
		default:
			k.judge(r.Objects[child.Type], rel, child, rd.Remote.Nested)
		}
	}
	return k
}

func (k *kin) judge(o *mapping.Object, rel Relative, child mapping.Remote, all []mapping.Remote) {
	switch rel.Row {
	case RowGone:
		k.went = append(k.went, Parting{rel.ID, child.Record})
	case RowElsewhere:
		k.stuck = append(k.stuck, rel.ID)
		k.edited = true // it must not go with a parent that it shall leave
	}
	o.FillMissing(child.Record, rel.Base)
	k.edited = k.edited || reconcile.Edited(o, withoutGone(o, rel.Base, child.Record, all), child.Record)
}

// withoutGone is a base without the references that Close has emptied because
// what they referred to is gone: nobody edited them.
func withoutGone(o *mapping.Object, base, held mapping.Record, all []mapping.Remote) mapping.Record {
	base = base.Clone()
	for _, f := range o.Parents() {
		id, _ := base.Get(f.Close).Text()
		lives := slices.ContainsFunc(all, func(r mapping.Remote) bool { return r.ID == id })
		if !f.Required && held.Get(f.Close).IsNull() && !lives {
			base[f.Close] = mapping.Null
		}
	}
	return base
}

func (k *kin) ids() []int64 {
	var ids []int64
	for _, p := range k.went {
		ids = append(ids, p.Record)
	}
	return ids
}

// homeless reports whether Close refused to move a child to another parent.
func homeless(o *mapping.Object, parked map[string]string) bool {
	for _, f := range o.Parents() {
		if f.Required && parked[f.Close] != "" {
			return true
		}
	}
	return false
}

// putHome undoes a move that Close refused (contract.md §4): a child that
// hangs elsewhere here than there would be deleted with the wrong parent.
func putHome(o *mapping.Object, parked map[string]string, in reconcile.Input, plan *reconcile.Plan) {
	for _, f := range o.Parents() {
		home := in.Remote.Record.Get(f.Close)
		if !f.Required || parked[f.Close] == "" || home.IsNull() || !in.Local.Exists || mapping.Same(f, home, in.Local.Record.Get(f.Close)) {
			continue
		}
		plan.Local = reconcile.Update
		if plan.LocalSet == nil {
			plan.LocalSet = mapping.Record{}
		}
		plan.LocalSet[f.Close] = home
	}
}
