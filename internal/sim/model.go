package sim

import (
	"closesync/mapping"
)

// Side of a write.
type Side string

// The sides.
const (
	Close Side = "close"
	Local Side = "local"
)

// write is something that somebody other than the worker did to a field: an
// element of E in the invariants.
type write struct {
	n      int // order among all writes
	side   Side
	rec    *rec
	field  string // "" for what concerns the record: create, delete
	do     string // set, clear, add, remove, create, delete, move, merge
	token  int    // of set and add; 0 for none
	value  mapping.Value
	before mapping.Value  // what this side held
	last   mapping.Record // of a delete: what this side held
	step   int            // of the script
}

// rec is a record of the world with what the model knows of it.
type rec struct {
	Rec
	closeID  string // known to people of Close
	localKey string // of the row that a local program made, or that was found last
	born     Side
	birth    int // token of the create
	into     *rec
	writes   []*write
}

func (w *World) rec(name string) *rec {
	for _, r := range w.recs {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// wrote notes a write.
func (w *World) wrote(x write) *write {
	w.writes++
	x.n, x.step = w.writes, w.at
	x.rec.writes = append(x.rec.writes, &x)
	return &x
}

func (w *World) wroteAll(list []write) {
	for _, x := range list {
		w.wrote(x)
	}
}
