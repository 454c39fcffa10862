package closetest

import "strings"

// referenceEndpoint answers what rarely changes: me, organization, users,
// statuses, pipelines, schemas, integration links.
func (s *Server) referenceEndpoint(req *request) ([]byte, *apiError) {
	p := req.parts
	if p[0] == "status" && len(p) >= 2 {
		return s.statusEndpoint(req)
	}
	if req.method != "GET" {
		return nil, sentence(405, "Method not allowed")
	}
	switch p[0] {
	case "me":
		return encode(s.me(req.key)), nil
	case "organization":
		if len(p) == 2 && p[1] == s.cat.orgID {
			return encode(s.organization()), nil
		}
		return nil, notFound("organization")
	case "user":
		return s.userEndpoint(req)
	case "pipeline":
		return encode(listed(s.pipelines())), nil
	case "custom_field_schema":
		if len(p) == 2 {
			return encode(s.schema(p[1])), nil
		}
	case "integration_link":
		return encode(map[string]any{"data": s.cat.links, "has_more": false}), nil
	}
	return nil, sentence(404, "Not found")
}

func listed(rows []any) map[string]any {
	if rows == nil {
		rows = []any{}
	}
	return map[string]any{"data": rows, "has_more": false}
}

func (s *Server) userBase(u *user) map[string]any {
	at := zoned(s.cat.created)
	return map[string]any{"id": u.id, "first_name": u.first, "last_name": u.last, "email": u.email,
		"email_verified_at": at, "image": nil, "google_profile_image_url": nil,
		"last_used_timezone": "Europe/Berlin", "date_created": at, "date_updated": at}
}

func (s *Server) userEndpoint(req *request) ([]byte, *apiError) {
	rows := []any{}
	for _, u := range s.cat.users {
		m := s.userBase(u)
		m["organizations"] = []any{s.cat.orgID}
		if len(req.parts) == 2 && u.id == req.parts[1] {
			return encode(m), nil
		}
		if u.active {
			rows = append(rows, m)
		}
	}
	if len(req.parts) == 2 {
		return nil, notFound("user")
	}
	return encode(listed(rows)), nil
}

func (s *Server) permissions(role string) []any {
	p := []any{"delete_own_opportunities"}
	if role != RoleRestricted {
		p = append(p, "view_all_leads", "merge_leads", "delete_leads")
	}
	if role == RoleAdmin {
		p = append(p, "export", "manage_organization", "manage_others_opportunities")
	}
	return p
}

func (s *Server) me(k *apiKey) map[string]any {
	u := s.cat.user(k.userID)
	m := s.userBase(u)
	m["memberships"] = []any{map[string]any{"id": u.memberID, "user_id": u.id, "organization_id": s.cat.orgID,
		"role_id": k.role, "role": k.role, "permissions_granted": s.permissions(k.role), "auto_record_calls": "unset"}}
	m["organizations"] = []any{s.organization()}
	return m
}

func (s *Server) organization() map[string]any {
	var members, gone []any
	for _, u := range s.cat.users {
		m := map[string]any{"id": u.memberID, "user_id": u.id, "user_full_name": u.name(), "user_email": u.email,
			"user_first_name": u.first, "user_last_name": u.last}
		if u.active {
			members = append(members, m)
		} else {
			gone = append(gone, m)
		}
	}
	return map[string]any{"id": s.cat.orgID, "name": s.cat.orgName, "currency": s.cat.currency, "currency_symbol": "€",
		"status": "active", "lead_statuses": s.leadStatuses(), "opportunity_statuses": s.opportunityStatuses(false),
		"pipelines": s.pipelines(), "lead_custom_fields": []any{}, "memberships": members, "inactive_memberships": gone,
		"created_by": nil, "updated_by": nil, "date_created": zoned(s.cat.created), "date_updated": zoned(s.cat.created)}
}

func (s *Server) leadStatuses() []any {
	var out []any
	for _, st := range s.cat.leadStatuses {
		out = append(out, map[string]any{"id": st.id, "label": st.label})
	}
	return out
}

func (st *status) shape(withPipeline bool) map[string]any {
	m := map[string]any{"id": st.id, "label": st.label, "type": st.kind}
	if withPipeline {
		m["pipeline_id"] = st.pipeline.id
	}
	return m
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

func (s *Server) pipelines() []any {
	var out []any
	for _, p := range s.cat.pipelines {
		statuses := []any{}
		for _, st := range p.statuses {
			statuses = append(statuses, st.shape(false))
		}
		at := zoneless(s.cat.created)
		out = append(out, map[string]any{"id": p.id, "name": p.name, "organization_id": s.cat.orgID,
			"statuses": statuses, "created_by": nil, "updated_by": nil, "date_created": at, "date_updated": at})
	}
	return out
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
	label, _ := req.body["label"].(string)
	if len(req.parts) == 2 && req.method == "POST" {
		return s.addStatus(kind, label, req.body)
	}
	if len(req.parts) != 3 {
		return nil, sentence(405, "Method not allowed")
	}
	if req.method == "DELETE" {
		return []byte("{}"), s.deleteStatus(kind, req.parts[2])
	}
	return []byte("{}"), s.renameStatus(req.parts[2], label)
}

func (s *Server) addStatus(kind, label string, body map[string]any) ([]byte, *apiError) {
	if strings.TrimSpace(label) == "" {
		return nil, fieldErrors{"label": "This field is required."}.err()
	}
	st := &status{id: s.longID("stat"), label: label}
	if kind == kindLead {
		s.cat.leadStatuses = append(s.cat.leadStatuses, st)
		return encode(map[string]any{"id": st.id, "label": label}), nil
	}
	id, _ := body["pipeline_id"].(string)
	if st.pipeline = s.cat.pipeline(id); st.pipeline == nil {
		st.pipeline = s.cat.pipelines[0]
	}
	if st.kind, _ = body["type"].(string); st.kind == "" {
		st.kind = "active"
	}
	st.pipeline.statuses = append(st.pipeline.statuses, st)
	return encode(st.shape(true)), nil
}

func (s *Server) anyStatus(id string) *status {
	if st := s.cat.leadStatus(withID(id)); st != nil {
		return st
	}
	return s.cat.opportunityStatus(withID(id))
}

func (s *Server) renameStatus(id, label string) *apiError {
	st := s.anyStatus(id)
	if st == nil {
		return notFound("status")
	}
	s.materialise()
	st.label = label
	for _, r := range s.records {
		if unquoted(member(s.text(r.live), "status_id")) == id {
			s.rederive(r)
		}
	}
	return nil
}

// deleteStatus takes a status away; records that still have it keep the id,
// as Close only says they "should" be moved first.
func (s *Server) deleteStatus(kind, id string) *apiError {
	st := s.anyStatus(id)
	if st == nil {
		return notFound("status")
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
	if kind == kindLead {
		s.cat.leadStatuses = without(s.cat.leadStatuses)
	} else {
		st.pipeline.statuses = without(st.pipeline.statuses)
	}
	return nil
}

// RenameStatus and DeleteStatus act as an admin in the app.
func (s *Server) RenameStatus(id, label string) error {
	s.lock()
	defer s.mu.Unlock()
	return orNil(s.renameStatus(id, label))
}

// DeleteStatus removes a lead's or an opportunity's status.
func (s *Server) DeleteStatus(id string) error {
	s.lock()
	defer s.mu.Unlock()
	kind := kindOpportunity
	if s.cat.leadStatus(withID(id)) != nil {
		kind = kindLead
	}
	return orNil(s.deleteStatus(kind, id))
}
