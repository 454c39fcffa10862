package closetest

import (
	"encoding/json"
	"slices"
)

// BulkEdit sets fields of every lead that a search query (Close's JSON; nil
// for all) matches, as a person's bulk action does: one event a lead, all with
// the same meta.bulk_action_id. Only a status or a custom field can be set by
// Close; here any field can. It returns how many leads matched.
func (s *Server) BulkEdit(query any, fields map[string]any) (int, error) {
	return s.bulk("bulk_action.edit", query, func(c *call, r *record) *apiError {
		return s.updateRecord(c, r, plainJSON(fields))
	})
}

// BulkDelete deletes every lead that a search query matches.
func (s *Server) BulkDelete(query any) (int, error) {
	return s.bulk("bulk_action.delete", query, func(c *call, r *record) *apiError {
		s.deleteRecord(c, r)
		return nil
	})
}

func (s *Server) bulk(objectType string, query any, do func(*call, *record) *apiError) (int, error) {
	p := s.As(Actor{})
	c := p.begin("", "")
	defer s.mu.Unlock()
	var raw json.RawMessage
	if query != nil {
		raw = encode(query)
	}
	q, err := s.compile(&request{call: call{key: s.admin}}, raw)
	if err != nil {
		return 0, err
	}
	id := s.shortID("bulk")
	s.emitThing(c, objectType, id, "created", map[string]any{"id": id, "status": "created"}, map[string]any{})
	by := *c
	by.meta = map[string]any{"bulk_action_id": id}
	n := 0
	for _, v := range slices.Clone(s.search.created[kindLead].rows) {
		if v.rec.live == nil || !q.match(v) {
			continue
		}
		if err := do(&by, v.rec); err != nil {
			return n, err
		}
		n++
	}
	s.emitThing(c, objectType, id, "completed", map[string]any{"id": id, "status": "done"}, map[string]any{"status": "created"})
	return n, nil
}
