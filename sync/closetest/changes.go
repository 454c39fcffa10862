package closetest

import (
	"encoding/json"
	"slices"
	"time"
)

// Change is one change of one field of a record, and who made it. A created or
// deleted record is one Change without Field: New or Old is the whole record.
type Change struct {
	Time       time.Time       `json:"time"`
	Actor      Actor           `json:"actor"`
	RequestID  string          `json:"request_id"`
	ObjectType string          `json:"object_type"`
	ID         string          `json:"id"`
	Action     string          `json:"action"` // created, updated, deleted, merged
	Field      string          `json:"field"`
	Old        json.RawMessage `json:"old"`
	New        json.RawMessage `json:"new"`
}

// Changes is everything that happened to a record since the start, oldest
// first, also after it is gone; all records for an empty id. What the event
// log folds into one event is still apart here.
func (s *Server) Changes(id string) []Change {
	s.lock()
	defer s.mu.Unlock()
	if id == "" {
		return slices.Clone(s.history.changes)
	}
	var out []Change
	for _, c := range s.history.changes {
		if c.ID == id {
			out = append(out, c)
		}
	}
	return out
}

// LastWriter is who last set a field of a record, and when; false if nobody
// did since the record was seeded.
func (s *Server) LastWriter(id, field string) (Change, bool) {
	s.lock()
	defer s.mu.Unlock()
	for _, c := range slices.Backward(s.history.changes) {
		if c.ID == id && (c.Field == field || c.Action == "created") {
			return c, true
		}
	}
	return Change{}, false
}

// note keeps a change; prev holds the old values of an update, last the text
// of a deleted record.
func (s *Server) note(c *call, r *record, action string, changed []string, prev map[string]any, last []byte) {
	if s.opt.NoHistory {
		return
	}
	one := Change{Time: s.opt.Now().UTC(), Actor: c.actor, RequestID: c.requestID, ObjectType: r.kind, ID: r.id, Action: action}
	if action != "updated" {
		one.Old = last
		if r.live != nil {
			one.New = s.text(r.live)
		}
		s.history.changes = append(s.history.changes, one)
		return
	}
	text := s.eventText(r.live)
	for _, field := range changed {
		one.Field, one.Old, one.New = field, encode(prev[field]), slices.Clone(member(text, field))
		s.history.changes = append(s.history.changes, one)
	}
}
