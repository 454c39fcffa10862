package closetest

import (
	"slices"
	"sort"
)

// index is the versions of one object type in ascending order of one
// instant, ties broken by id. Finding a place is a binary search; putting and
// removing move the pointers behind it, which are few as writes are recent.
type index struct {
	at   func(*version) int64
	rows []*version
}

func (x *index) less(a, b *version) bool {
	if p, q := x.at(a), x.at(b); p != q {
		return p < q
	}
	return a.rec.id < b.rec.id
}

func (x *index) place(v *version) int {
	return sort.Search(len(x.rows), func(i int) bool { return !x.less(x.rows[i], v) })
}

func (x *index) put(v *version) {
	if n := len(x.rows); n == 0 || x.less(x.rows[n-1], v) {
		x.rows = append(x.rows, v)
		return
	}
	x.rows = slices.Insert(x.rows, x.place(v), v)
}

func (x *index) remove(v *version) {
	if i := x.place(v); i < len(x.rows) && x.rows[i] == v {
		x.rows = slices.Delete(x.rows, i, i+1)
	}
}

// from is the position of the first row at or after us.
func (x *index) from(us int64) int {
	return sort.Search(len(x.rows), func(i int) bool { return x.at(x.rows[i]) >= us })
}

// view is one reading of the store: by both instants, for each object type.
// The live view is the primary copy, the search view follows IndexLag later.
type view struct {
	created, updated map[string]*index
}

func newView() *view {
	v := &view{map[string]*index{}, map[string]*index{}}
	for _, k := range kinds {
		v.created[k] = &index{at: func(v *version) int64 { return v.created }}
		v.updated[k] = &index{at: func(v *version) int64 { return v.updated }}
	}
	return v
}

func (w *view) put(v *version) {
	w.created[v.rec.kind].put(v)
	w.updated[v.rec.kind].put(v)
}

func (w *view) remove(v *version) {
	w.created[v.rec.kind].remove(v)
	w.updated[v.rec.kind].remove(v)
}
