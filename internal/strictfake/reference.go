package strictfake

// The catalogue of every organization of the package.
const (
	User        = "user_strict1111111111111111111111111111111111111111"
	Pipeline    = "pipe_strict11111111111111"
	Potential   = "stat_potential11111111111111111111111111111111111111"
	Qualified   = "stat_qualified11111111111111111111111111111111111111"
	Active      = "stat_active111111111111111111111111111111111111111111"
	Won         = "stat_won11111111111111111111111111111111111111111111"
	Lost        = "stat_lost1111111111111111111111111111111111111111111"
	formerUser  = "user_former1111111111111111111111111111111111111111"
	createdLong = "2024-01-10T09:22:10.931820"
)

type status struct{ id, label, kind string }

var (
	leadStatuses        = []status{{Potential, "Potential", ""}, {Qualified, "Qualified", ""}}
	opportunityStatuses = []status{{Active, "Proposal sent", "active"}, {Won, "Won", "won"}, {Lost, "Lost", "lost"}}
)

// customField is a definition.
type customField struct {
	ID, Name, Type string
	Choices        []string
	Multiple       bool
}

// Define adds a custom field to an object type and gives its key in records.
func (s *Server) Define(objectType, name, kind string, multiple bool, choices ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := customField{ID: "cf_" + token(21), Name: name, Type: kind, Choices: choices, Multiple: multiple}
	s.fields[objectType] = append(s.fields[objectType], f)
	return "custom." + f.ID
}

// Undefine removes a custom field with all its values, as Close does.
func (s *Server) Undefine(objectType, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []customField
	for _, f := range s.fields[objectType] {
		if "custom."+f.ID != key {
			left = append(left, f)
		}
	}
	s.fields[objectType] = left
	for _, r := range s.records {
		delete(r.fields, key)
		r.index(s)
	}
}

func (s *Server) field(objectType, key string) (customField, bool) {
	for _, f := range s.fields[objectType] {
		if "custom."+f.ID == key {
			return f, true
		}
	}
	return customField{}, false
}

func list(data []any) map[string]any { return map[string]any{"data": data, "has_more": false} }

func (s *Server) reference(c *call) *answer {
	s.known(c, "_fields", "_skip", "_limit", "_expand")
	switch {
	case c.path == "me/":
		return &answer{200, s.me()}
	case c.path == "organization/"+s.Organization+"/":
		return &answer{200, s.organization()}
	case c.path == "user/":
		return &answer{200, list([]any{s.user()})}
	case c.path == "status/lead/":
		return &answer{200, list(statuses(leadStatuses, false))}
	case c.path == "status/opportunity/":
		return &answer{200, list(statuses(opportunityStatuses, true))}
	case c.path == "pipeline/":
		return &answer{200, list([]any{s.pipeline()})}
	case len(c.parts) == 2 && (c.parts[0] == "custom_field" || c.parts[0] == "custom_field_schema"):
		key := "data"
		if c.parts[0] == "custom_field_schema" {
			key = "fields"
		}
		return &answer{200, map[string]any{key: s.definitions(c.parts[1]), "has_more": false}}
	}
	return refuse(404, "Not found")
}

func statuses(all []status, withType bool) []any {
	var data []any
	for _, st := range all {
		m := map[string]any{"id": st.id, "label": st.label}
		if withType {
			m["type"], m["pipeline_id"] = st.kind, Pipeline
		}
		data = append(data, m)
	}
	return data
}

func (s *Server) user() map[string]any {
	return map[string]any{"id": User, "first_name": "Api", "last_name": "Bot", "email": "bot@strict.example", "organizations": []any{s.Organization}}
}

func (s *Server) pipeline() map[string]any {
	var stages []any
	for _, st := range opportunityStatuses {
		stages = append(stages, map[string]any{"id": st.id, "label": st.label, "type": st.kind})
	}
	return map[string]any{"id": Pipeline, "name": "Sales", "organization_id": s.Organization, "statuses": stages, "date_created": createdLong, "date_updated": createdLong}
}

func (s *Server) me() map[string]any {
	m := s.user()
	m["organizations"] = []any{s.organization()}
	m["memberships"] = []any{map[string]any{"user_id": User, "organization_id": s.Organization, "role_id": "admin",
		"permissions_granted": []string{"delete_leads", "merge_leads", "view_all_leads"}}}
	return m
}

func (s *Server) organization() map[string]any {
	return map[string]any{
		"id": s.Organization, "name": "Strict", "currency": "EUR", "lead_statuses": statuses(leadStatuses, false), "pipelines": []any{s.pipeline()},
		"memberships":          []any{map[string]any{"user_id": User, "user_full_name": "Api Bot"}},
		"inactive_memberships": []any{map[string]any{"user_id": formerUser, "user_full_name": "Former Colleague", "user_email": "former@strict.example"}},
	}
}

func (s *Server) definitions(objectType string) []any {
	data := []any{}
	for _, f := range s.fields[objectType] {
		m := map[string]any{"id": f.ID, "name": f.Name, "type": f.Type, "accepts_multiple_values": f.Multiple,
			"editable_with_roles": []any{}, "is_shared": objectType == "shared", "description": nil}
		if f.Type == "choices" {
			m["choices"] = f.Choices
		}
		data = append(data, m)
	}
	return data
}
