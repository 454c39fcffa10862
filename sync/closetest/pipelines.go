package closetest

import (
	"slices"
	"strings"
)

func (s *Server) pipelines() []any {
	var out []any
	for _, p := range s.cat.pipelines {
		out = append(out, s.pipelineShape(p))
	}
	return out
}

func (s *Server) pipelineShape(p *pipeline) map[string]any {
	statuses := []any{}
	for _, st := range p.statuses {
		statuses = append(statuses, st.shape(false))
	}
	at := zoneless(s.cat.created)
	return map[string]any{"id": p.id, "name": p.name, "organization_id": s.cat.orgID,
		"statuses": statuses, "created_by": nil, "updated_by": nil, "date_created": at, "date_updated": at}
}

// pipelineEndpoint lists, adds, renames, reorders and deletes pipelines. There
// are no events of them.
func (s *Server) pipelineEndpoint(req *request) ([]byte, *apiError) {
	if req.method != "GET" && req.key.role != RoleAdmin {
		return nil, sentence(403, "You do not have permission to manage pipelines.")
	}
	name, _ := req.body["name"].(string)
	if len(req.parts) == 1 {
		switch req.method {
		case "GET":
			return encode(listed(s.pipelines())), nil
		case "POST":
			if strings.TrimSpace(name) == "" {
				return nil, fieldErrors{"name": "This field is required."}.err()
			}
			s.addPipeline(name, "Open")
			return encode(s.pipelineShape(s.cat.pipelines[len(s.cat.pipelines)-1])), nil
		}
		return nil, sentence(405, "Method not allowed")
	}
	p := s.cat.pipeline(req.parts[1])
	if p == nil {
		return nil, notFound("pipeline")
	}
	switch req.method {
	case "PUT":
		s.changePipeline(p, name, req.body["statuses"])
	case "DELETE":
		return s.deletePipeline(p)
	}
	return encode(s.pipelineShape(p)), nil
}

func (s *Server) changePipeline(p *pipeline, name string, order any) {
	s.materialise()
	if name != "" {
		p.name = name
	}
	if list, ok := order.([]any); ok {
		place := func(st *status) int {
			return slices.IndexFunc(list, func(e any) bool { m, _ := e.(map[string]any); return m["id"] == st.id })
		}
		slices.SortStableFunc(p.statuses, func(a, b *status) int { return place(a) - place(b) })
	}
	for _, r := range s.records {
		if unquoted(member(s.text(r.live), "pipeline_id")) == p.id {
			s.rederive(r)
		}
	}
}

// deletePipeline answers 204 without a body, unlike other deletes.
func (s *Server) deletePipeline(p *pipeline) ([]byte, *apiError) {
	for _, r := range s.records {
		if unquoted(member(s.text(r.live), "pipeline_id")) == p.id {
			return nil, badRequest("The pipeline still has opportunities.")
		}
	}
	if len(s.cat.pipelines) == 1 {
		return nil, badRequest("The last pipeline cannot be deleted.")
	}
	s.cat.pipelines = slices.DeleteFunc(s.cat.pipelines, func(x *pipeline) bool { return x == p })
	return nil, nil
}
