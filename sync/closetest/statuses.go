package closetest

import "strings"

func (s *Server) leadStatuses() []any {
	var out []any
	for _, st := range s.cat.leadStatuses {
		out = append(out, st.shape(false))
	}
	return out
}

func (s *Server) opportunityStatuses(withPipeline bool) []any {
	var out []any
	for _, p := range s.cat.pipelines {
		for _, st := range p.statuses {
			out = append(out, st.shape(withPipeline))
		}
	}
	return out
}

func (st *status) shape(withPipeline bool) map[string]any {
	m := map[string]any{"id": st.id, "label": st.label}
	if st.pipeline != nil {
		m["type"] = st.kind
		if withPipeline {
			m["pipeline_id"] = st.pipeline.id
		}
	}
	return m
}

// eventType is the object type of a status's own events.
func (st *status) eventType() string {
	if st.pipeline != nil {
		return "status.opportunity"
	}
	return "status.lead"
}

// statusEndpoint lists, adds, renames and deletes statuses. A rename reaches
// every record that repeats the label, without moving date_updated.
func (s *Server) statusEndpoint(req *request) ([]byte, *apiError) {
	kind := req.parts[1]
	if kind != kindLead && kind != kindOpportunity {
		return nil, sentence(404, "Not found")
	}
	if len(req.parts) == 2 && req.method == "GET" {
		if kind == kindLead {
			return encode(listed(s.leadStatuses())), nil
		}
		return encode(map[string]any{"data": s.opportunityStatuses(true)}), nil
	}
	if len(req.parts) == 3 && req.method == "GET" {
		st := s.anyStatus(req.parts[2])
		if st == nil || (st.pipeline == nil) != (kind == kindLead) {
			return nil, notFound("status")
		}
		return encode(st.shape(true)), nil
	}
	if req.key.role != RoleAdmin {
		return nil, sentence(403, "You do not have permission to manage statuses.")
	}
	label, _ := req.body["label"].(string)
	if len(req.parts) == 2 && req.method == "POST" {
		st, err := s.addStatus(&req.call, kind, label, req.body)
		if err != nil {
			return nil, err
		}
		return encode(st.shape(true)), nil
	}
	if len(req.parts) != 3 {
		return nil, sentence(405, "Method not allowed")
	}
	switch {
	case req.method == "DELETE":
		return []byte("{}"), s.deleteStatus(&req.call, req.parts[2])
	case req.method != "PUT":
		return nil, sentence(405, "Method not allowed")
	case strings.TrimSpace(label) == "":
		return nil, fieldErrors{"label": "This field is required."}.err()
	}
	if err := s.renameStatus(&req.call, req.parts[2], label); err != nil {
		return nil, err
	}
	return encode(s.anyStatus(req.parts[2]).shape(true)), nil
}

func (s *Server) addStatus(c *call, kind, label string, body map[string]any) (*status, *apiError) {
	if strings.TrimSpace(label) == "" {
		return nil, fieldErrors{"label": "This field is required."}.err()
	}
	st := &status{id: s.longID("stat"), label: label}
	if kind == kindLead {
		s.cat.leadStatuses = append(s.cat.leadStatuses, st)
	} else {
		id, _ := body["pipeline_id"].(string)
		if st.pipeline = s.cat.pipeline(id); st.pipeline == nil {
			st.pipeline = s.cat.pipelines[0]
		}
		if st.kind, _ = body["type"].(string); st.kind == "" {
			st.kind = "active"
		}
		st.pipeline.statuses = append(st.pipeline.statuses, st)
	}
	s.emitThing(c, st.eventType(), st.id, "created", st.shape(true), map[string]any{})
	return st, nil
}

func (s *Server) anyStatus(id string) *status {
	if st := s.cat.leadStatus(withID(id)); st != nil {
		return st
	}
	return s.cat.opportunityStatus(withID(id))
}

func (s *Server) renameStatus(c *call, id, label string) *apiError {
	st := s.anyStatus(id)
	if st == nil {
		return notFound("status")
	}
	s.materialise()
	old := st.label
	st.label = label
	for _, r := range s.records {
		if unquoted(member(s.text(r.live), "status_id")) == id {
			s.rederive(r)
		}
	}
	s.emitThing(c, st.eventType(), id, "updated", st.shape(true), map[string]any{"label": old})
	return nil
}

// deleteStatus takes a status away; records that still have it keep the id,
// as Close only says they "should" be moved first.
func (s *Server) deleteStatus(c *call, id string) *apiError {
	st := s.anyStatus(id)
	if st == nil {
		return notFound("status")
	}
	if len(s.cat.leadStatuses) == 1 && st == s.cat.leadStatuses[0] || st.pipeline != nil && len(st.pipeline.statuses) == 1 {
		return badRequest("The last status cannot be deleted.")
	}
	s.materialise()
	without := func(list []*status) (out []*status) {
		for _, x := range list {
			if x != st {
				out = append(out, x)
			}
		}
		return out
	}
	if st.pipeline == nil {
		s.cat.leadStatuses = without(s.cat.leadStatuses)
	} else {
		st.pipeline.statuses = without(st.pipeline.statuses)
	}
	s.emitThing(c, st.eventType(), id, "deleted", nil, st.shape(true))
	return nil
}

// AddStatus makes a status of leads or opportunities as an admin in the app;
// the body is that of POST /status/{object type}/.
func (s *Server) AddStatus(objectType string, body map[string]any) (string, error) {
	c := s.asAdmin("POST", "/api/v1/status/"+objectType+"/")
	defer s.mu.Unlock()
	label, _ := body["label"].(string)
	st, err := s.addStatus(c, objectType, label, body)
	if err != nil {
		return "", err
	}
	return st.id, nil
}

// RenameStatus changes a lead's or an opportunity's status's label.
func (s *Server) RenameStatus(id, label string) error {
	c := s.asAdmin("PUT", "/api/v1/status/"+id+"/")
	defer s.mu.Unlock()
	return orNil(s.renameStatus(c, id, label))
}

// DeleteStatus removes a lead's or an opportunity's status.
func (s *Server) DeleteStatus(id string) error {
	c := s.asAdmin("DELETE", "/api/v1/status/"+id+"/")
	defer s.mu.Unlock()
	return orNil(s.deleteStatus(c, id))
}
