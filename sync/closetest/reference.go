package closetest

import "slices"

// referenceEndpoint answers what rarely changes: me, organization, users,
// statuses, pipelines, schemas, integration links.
func (s *Server) referenceEndpoint(req *request) ([]byte, *apiError) {
	p := req.parts
	switch {
	case p[0] == "status" && len(p) >= 2:
		return s.statusEndpoint(req)
	case p[0] == "pipeline":
		return s.pipelineEndpoint(req)
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
	case "custom_field_schema":
		if len(p) == 2 && slices.Contains(kinds, p[1]) {
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
