package sim

import (
	"time"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// oneBackoff is more than the first pause after a failed try.
const oneBackoff = time.Second

// checkIsolation is I-15: a record of which every call fails delays no other by
// more than one backoff step, and arrives once its calls work again. It makes
// edits of its own, after everything else was checked.
func (w *World) checkIsolation(s *sides) {
	sound := w.sound(s)
	if len(sound) < 2 {
		return
	}
	w.lane.advance(time.Hour) // nothing rests any more
	poison, others := sound[0], sound[1:]
	w.Close.Fault(closetest.Fault{Name: "poison", Kind: "status", Path: "/" + poison.Type + "/" + poison.closeID, Status: 500})
	for _, r := range sound {
		w.tokens++
		w.localStep(Step{Who: "local", Do: "set", Rec: r.Name, Field: written[r.Type][0].name, N: w.tokens})
	}
	for range 2 {
		w.must("w1", "cycle")
		w.lane.advance(oneBackoff)
	}
	for _, r := range others {
		if !w.arrived(r) {
			w.violate("I-15", "an edit of %s waits although only the calls for %s fail", r.Name, poison.Name)
		}
	}
	if w.arrived(poison) {
		w.violate("sim", "the calls for %s did not fail", poison.Name)
	}
	w.Close.ClearFaults()
	if !w.drain(w.runs+100, w.lane.now.Add(24*time.Hour)) || !w.arrived(poison) {
		w.violate("I-15", "an edit of %s did not arrive after its calls worked again: %s", poison.Name, w.waiting())
	}
}

// sound lists the records that live on both sides with nothing to wait for and
// whose first field a local program may write.
func (w *World) sound(s *sides) []*rec {
	var list []*rec
	for _, r := range w.recs {
		local, there := s.final(r)
		l := s.linkOf(r.Type, r.closeID)
		if local != nil && there != nil && l != nil && l.state == "synced" && len(l.conflicts)+len(l.parked) == 0 && !l.marked {
			list = append(list, r)
		}
	}
	return list
}

// arrived reports whether Close holds the last value of a record's first field.
func (w *World) arrived(r *rec) bool {
	record, there := w.Close.Get(r.closeID)
	if !there || len(r.writes) == 0 {
		return false
	}
	x, name := r.writes[len(r.writes)-1], written[r.Type][0].name
	f, _ := w.objects[r.Type].Field(w.closeName(r.Type, name))
	return x.field == name && mapping.Same(f, w.canon(r.Type, name, record[w.closeName(r.Type, name)]), x.value)
}
