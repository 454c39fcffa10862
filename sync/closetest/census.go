package closetest

import (
	"encoding/json"
	"slices"
)

// Born is a record's birth. It is kept when the record is deleted.
type Born struct {
	ID, Kind string
	By       Actor
	Fields   map[string]any // as the creating call gave them
}

// Census lists every record ever made by a call, in order; with NoHistory none.
func (s *Server) Census() []Born {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.history.born)
}

// EventLog is the whole log, oldest first, as an admin's key would read it.
func (s *Server) EventLog() []json.RawMessage {
	s.lock()
	defer s.mu.Unlock()
	out := make([]json.RawMessage, 0, len(s.log))
	for _, e := range s.log {
		out = append(out, s.encodeEvent(nil, e, false))
	}
	return out
}
