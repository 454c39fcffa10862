package strictfake

import (
	"bytes"
	"encoding/json"
	"slices"
)

// What a person does in the app: no key, no call.

// Add makes a record and gives its id.
func (s *Server) Add(kind string, fields map[string]any) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(kind, tidy(fields), nil).id
}

// Edit changes fields of a record.
func (s *Server) Edit(id string, fields map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.change(s.records[id], tidy(fields), nil)
}

// Remove deletes a record.
func (s *Server) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.records[id], nil, nil)
}

// Merge merges the source lead into the destination.
func (s *Server) Merge(source, destination string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.merge(s.records[source], s.records[destination], nil)
}

// Get gives a record as a reading by its id would; nil if there is none.
func (s *Server) Get(id string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[id]; r != nil {
		return s.data(r, true)
	}
	return nil
}

// All lists the ids of an object type in the order of creation.
func (s *Server) All(kind string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, id := range s.order {
		if s.records[id].kind == kind {
			ids = append(ids, id)
		}
	}
	return ids
}

// Find gives the first record with that value, nil if there is none.
func (s *Server) Find(kind, field string, value any) map[string]any {
	for _, id := range s.All(kind) {
		if m := s.Get(id); equal(m[field], value) {
			return m
		}
	}
	return nil
}

// Event gives the newest event of a record with that action as a delivery
// would carry it; nil if there is none.
func (s *Server) Event(object, action string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.events) {
		if e.object == object && e.action == action {
			return s.eventJSON(e)
		}
	}
	return nil
}

// Hooks tells the status of each webhook subscription.
func (s *Server) Hooks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, h := range s.hooks {
		list = append(list, h.status)
	}
	return list
}

// tidy makes JSON of Go values, as a call would bring it.
func tidy(fields map[string]any) map[string]any {
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		panic(err)
	}
	return m
}
