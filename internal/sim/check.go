package sim

import (
	"fmt"
	"strings"
	"time"

	"closesync/mapping"
)

// check tests the invariants after the rest, then lets some idle cycles pass.
func (w *World) check(idle int) {
	for _, r := range w.recs {
		w.findInClose(r)
	}
	s, err := w.look()
	if err != nil {
		w.violate("sim", "look: %v", err)
		return
	}
	w.checkConvergence(s)
	w.checkLinks(s)
	w.checkLost(s)
	w.checkHistory(s)
	w.checkExplained(s)
	w.checkSecrets()
	w.checkSilence(s, idle)
	w.checkIsolation(s)
}

// checkConvergence is I-1: for each live link and mapped field not parked both
// sides and the base are the same.
func (w *World) checkConvergence(s *sides) {
	for _, r := range s.there {
		l, local := s.linkOf(r.typ, r.closeID), s.byCloseID(r.typ, r.closeID)
		if l == nil || local == nil {
			continue // I-2
		}
		o := w.objects[r.typ]
		for _, name := range fieldNames(r.record, local.record, l.base) {
			f, mapped := o.Field(name)
			if !mapped || l.rests(name) {
				continue
			}
			if !mapping.Same(f, r.record.Get(name), local.record.Get(name)) {
				w.violate("I-1", "%s %s %s: Close has %s, the row %s, the base %s", r.typ, w.nameOf(r.typ, r.closeID), name, r.record.Get(name), local.record.Get(name), l.base.Get(name))
			} else if !mapping.Same(f, r.record.Get(name), l.base.Get(name)) {
				w.violate("I-1", "%s %s %s: both sides have %s, the base %s", r.typ, w.nameOf(r.typ, r.closeID), name, r.record.Get(name), l.base.Get(name))
			}
		}
	}
}

// rests reports whether a field is parked or in open conflict.
func (l *link) rests(field string) bool {
	for _, f := range l.conflicts {
		if f == field {
			return true
		}
	}
	_, parked := l.parked[field]
	return parked
}

func fieldNames(records ...mapping.Record) []string {
	seen := map[string]bool{}
	var names []string
	for _, r := range records {
		for name := range r {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return sorted(names)
}

// checkLinks is I-2: links are one to one, and everything that lives on either
// side has one, or says why not.
func (w *World) checkLinks(s *sides) {
	for _, r := range s.there {
		n := 0
		for _, l := range s.rows {
			if l.typ == r.typ && l.closeID == r.closeID {
				n++
			}
		}
		l := s.linkOf(r.typ, r.closeID)
		switch {
		case n == 1 && l != nil && s.byCloseID(r.typ, r.closeID).key == l.key:
		case n == 0 && l != nil && (l.state == "error" || l.state == "held" || l.state == "hidden"):
		case n == 1 && l != nil:
			w.violate("I-2", "%s %s: its link names row %q, its row is %s", r.typ, w.nameOf(r.typ, r.closeID), l.key, s.byCloseID(r.typ, r.closeID).key)
		default:
			w.violate("I-2", "%s %s lives in Close and has %d rows, link %+v", r.typ, w.nameOf(r.typ, r.closeID), n, l)
		}
	}
	for _, r := range s.rows {
		l := s.linkByKey(r.typ, r.key)
		there := s.inClose(r.typ, r.closeID)
		switch {
		case there != nil:
		case l != nil && (l.state == "error" || l.state == "held" || l.state == "hidden"):
		default:
			w.violate("I-2", "row %s of %s (Close id %q, %s) has no record in Close, link %+v", r.key, r.typ, r.closeID, w.nameOf(r.typ, r.closeID), l)
		}
	}
}

func (s *sides) linkOf(typ, closeID string) *link {
	for i := range s.links {
		if s.links[i].typ == typ && s.links[i].closeID == closeID {
			return &s.links[i]
		}
	}
	return nil
}

func (s *sides) linkByKey(typ, key string) *link {
	for i := range s.links {
		if s.links[i].typ == typ && s.links[i].key == key {
			return &s.links[i]
		}
	}
	return nil
}

func (s *sides) byCloseID(typ, closeID string) *row {
	for i := range s.rows {
		if s.rows[i].typ == typ && s.rows[i].closeID == closeID {
			return &s.rows[i]
		}
	}
	return nil
}

func (s *sides) inClose(typ, closeID string) *row {
	for i := range s.there {
		if s.there[i].typ == typ && s.there[i].closeID == closeID && closeID != "" {
			return &s.there[i]
		}
	}
	return nil
}

// nameOf is the script's name of a record, with its id.
func (w *World) nameOf(typ, closeID string) string {
	for _, r := range w.recs {
		if r.Type == typ && r.closeID != "" && r.closeID == closeID {
			return fmt.Sprintf("%s (%.9s)", r.Name, closeID)
		}
	}
	return closeID
}

// checkSilence is I-7: at rest nothing is written on either side.
func (w *World) checkSilence(before *sides, idle int) {
	asked, conflicts := len(w.requests), w.count("SELECT count(*) FROM closesync.conflict_log")
	for i := range idle {
		w.lane.advance(5 * time.Minute)
		for _, verb := range []string{"tail", "search", "cycle"} {
			w.must("w1", verb)
		}
		if i == idle-1 {
			for _, verb := range []string{"check", "audit", "cycle"} {
				w.must("w1", verb)
			}
		}
	}
	for _, r := range w.requests[asked:] {
		if r.method != "GET" && !strings.Contains(r.path, "/data/search/") {
			w.violate("I-7", "at rest: %s %s %s", r.method, r.path, r.body)
		}
	}
	after, err := w.look()
	if err != nil {
		w.violate("sim", "look: %v", err)
		return
	}
	for _, r := range before.rows {
		now := after.byKey(r.typ, r.key)
		switch {
		case now == nil:
			w.violate("I-7", "at rest row %s of %s was deleted", r.key, r.typ)
		case now.xmin != r.xmin:
			w.violate("I-7", "at rest row %s of %s was written: %v, now %v", r.key, r.typ, r.record, now.record)
		}
	}
	if len(after.rows) != len(before.rows) {
		w.violate("I-7", "at rest %d rows became %d", len(before.rows), len(after.rows))
	}
	if n := w.count("SELECT count(*) FROM closesync.conflict_log"); n != conflicts {
		w.violate("I-7", "at rest %d conflicts became %d", conflicts, n)
	}
}

func (w *World) count(sql string) (n int) {
	if err := w.lane.admin.QueryRow(w.lane.ctx, sql).Scan(&n); err != nil {
		panic(err)
	}
	return n
}
