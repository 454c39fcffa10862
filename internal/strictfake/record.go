package strictfake

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// record is one lead, contact or opportunity.
type record struct {
	kind, id         string
	created, updated time.Time
	fields           map[string]any // what was written, and what follows from it
	versions         []version      // for the search index
}

// version is a state as the index may still know it.
type version struct {
	at     time.Time
	fields map[string]any
}

var prefixes = map[string]string{"lead": "lead_", "contact": "cont_", "opportunity": "oppo_"}

// add makes a record of fields that were checked. by acts, "" is a person.
func (s *Server) add(kind string, fields map[string]any, c *call) *record {
	now := s.now()
	r := &record{kind: kind, id: prefixes[kind] + token(21), created: now, updated: now, fields: maps.Clone(fields)}
	delete(r.fields, "contacts")
	s.records[r.id] = r
	s.order = append(s.order, r.id)
	r.fields["created_by"], r.fields["updated_by"] = User, User
	if kind == "lead" && r.fields["status_id"] == nil {
		r.fields["status_id"] = Potential
	}
	if kind == "opportunity" {
		defaults := map[string]any{"user_id": User, "status_id": Active, "value_period": "one_time", "confidence": 50}
		for name, v := range defaults {
			if r.fields[name] == nil {
				r.fields[name] = v
			}
		}
		r.effects(nil)
	}
	r.index(s)
	s.log(r, "created", nil, c)
	if kind == "contact" && c != nil && c.parts[0] == "contact" {
		// The lead gets an event of its own, as its contact_ids changed.
		if lead := s.records[r.text("lead_id")]; lead != nil {
			s.touch(lead)
		}
	}
	return r
}

// change applies checked fields and tells whether anything differs.
func (s *Server) change(r *record, fields map[string]any, c *call) bool {
	before := s.data(r, false)
	for name, v := range fields {
		if v == nil && strings.HasPrefix(name, "custom.") {
			delete(r.fields, name)
			continue
		}
		r.fields[name] = v
	}
	r.effects(before)
	previous := map[string]any{}
	after := s.data(r, false)
	for _, name := range append(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after))...) {
		if !equal(before[name], after[name]) {
			previous[name] = before[name]
		}
	}
	if len(previous) == 0 {
		return false
	}
	previous["date_updated"] = before["date_updated"]
	s.touch(r)
	s.log(r, "updated", previous, c)
	if r.kind == "contact" {
		if lead := s.records[r.text("lead_id")]; lead != nil {
			s.touch(lead) // contact edits move it, without an event
		}
	}
	return true
}

func (s *Server) touch(r *record) {
	r.updated = s.now()
	r.index(s)
}

// index remembers the state for searches.
func (r *record) index(s *Server) {
	r.versions = append(r.versions, version{time.Now(), s.data(r, true)})
}

// indexed is the state that a search sees; nil if it sees none yet.
func (r *record) indexed(lag time.Duration) map[string]any {
	limit := time.Now().Add(-lag)
	for _, v := range slices.Backward(r.versions) {
		if !v.at.After(limit) {
			return v.fields
		}
	}
	return nil
}

// remove deletes a record and, of a lead, all that belongs to it.
func (s *Server) remove(r *record, c *call, meta map[string]any) {
	for _, id := range slices.Clone(s.order) {
		child := s.records[id]
		if r.kind == "lead" && child != nil && child.kind != "lead" && child.text("lead_id") == r.id {
			s.remove(child, c, meta)
		}
	}
	delete(s.records, r.id)
	s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == r.id })
	e := s.log(r, "deleted", s.data(r, false), c)
	maps.Copy(e.meta, meta)
}

// merge moves what belongs to the source and deletes it.
func (s *Server) merge(source, destination *record, c *call) {
	meta := map[string]any{"merge_source_lead_id": source.id, "merge_destination_lead_id": destination.id}
	for _, id := range s.order {
		child := s.records[id]
		if child.kind != "lead" && child.text("lead_id") == source.id {
			child.fields["lead_id"] = destination.id
			s.touch(child)
			maps.Copy(s.log(child, "updated", map[string]any{"lead_id": source.id}, c).meta, meta)
		}
	}
	s.touch(destination)
	maps.Copy(s.log(destination, "merged", nil, c).meta, meta)
	s.remove(source, c, meta)
}

func (r *record) text(name string) string {
	text, _ := r.fields[name].(string)
	return text
}

// effects are what Close derives from a write.
func (r *record) effects(before map[string]any) {
	if r.kind == "contact" {
		normalisePhones(r.fields)
	}
	if r.kind != "opportunity" {
		return
	}
	st := statusOf(opportunityStatuses, r.text("status_id"))
	if st.kind == "won" && (before == nil || before["status_id"] != st.id) {
		r.fields["confidence"] = 100
		if r.fields["date_won"] == nil {
			r.fields["date_won"] = time.Now().UTC().Format(time.DateOnly)
		}
	}
}

func statusOf(all []status, id string) status {
	for _, st := range all {
		if st.id == id {
			return st
		}
	}
	return status{}
}

// normalisePhones writes numbers as Close reads them back.
func normalisePhones(fields map[string]any) {
	phones, _ := fields["phones"].([]any)
	for _, p := range phones {
		phone, _ := p.(map[string]any)
		text, _ := phone["phone"].(string)
		kept := strings.Map(func(c rune) rune {
			if c == '+' || c >= '0' && c <= '9' {
				return c
			}
			return -1
		}, text)
		phone["phone"], phone["phone_formatted"], phone["country"] = kept, kept, "US"
	}
}
