package closetest

import "strings"

func leadDefaults(s *Server, _ *call, _ *record, f map[string]any) {
	f["name"], f["description"], f["url"] = nil, nil, nil
	f["addresses"] = []any{}
	f["status_id"] = s.cat.leadStatuses[0].id
}

// setLead ignores contacts: those of a POST are made apart, those of a PUT
// are not applied.
func setLead(s *Server, c *call, r *record, f map[string]any, key string, v any) (wrong any, known bool) {
	var msg string
	switch key {
	case "name":
		f[key], msg = normalShortText(v)
	case "description":
		f[key], msg = normalText(v)
	case "url":
		f[key], msg = normalURL(v)
	case "addresses":
		f[key], wrong = normalAddresses(v)
		return wrong, true
	case "status_id", "status":
		match := withID(v)
		if key == "status" {
			match = withLabel(v)
		}
		st := s.cat.leadStatus(match)
		if st == nil {
			return "Status does not exist.", true
		}
		f["status_id"] = st.id
	case "contacts":
		if r.live != nil {
			s.violate(c, "contacts in a PUT of a lead are ignored")
		}
	default:
		return nil, false
	}
	return msg, true
}

func deriveLead(s *Server, r *record, f map[string]any) {
	f["display_name"] = f["name"]
	if f["name"] == nil {
		f["display_name"] = s.untitled(r)
	}
	f["html_url"] = "https://app.close.com/lead/" + r.id + "/"
	f["status_label"] = nil
	if st := s.cat.leadStatus(withID(f["status_id"])); st != nil {
		f["status_label"] = st.label
	}
	f["integration_links"] = s.integrationLinks(r)
	f["created_by_name"] = s.cat.userName(f["created_by"])
	f["updated_by_name"] = s.cat.userName(f["updated_by"])
}

// untitled is what an unnamed lead is shown as: its first contact, if any.
func (s *Server) untitled(r *record) string {
	for _, c := range r.children {
		if c.kind == kindContact && c.live != nil {
			return displayName(c, s)
		}
	}
	return "Untitled"
}

func displayName(r *record, s *Server) string {
	t, _ := s.fields(r.live)["display_name"].(string)
	return t
}

func (s *Server) integrationLinks(r *record) []any {
	out := []any{}
	for _, l := range s.cat.links {
		if l["type"] == r.kind {
			out = append(out, map[string]any{"name": l["name"],
				"url": strings.ReplaceAll(l["url"].(string), "{{id}}", r.id)})
		}
	}
	return out
}

// createLead makes a lead and the contacts of its body. A wrong contact
// refuses the whole.
func (s *Server) createLead(c *call, body map[string]any) (*record, *apiError) {
	var contacts []map[string]any
	if raw := body["contacts"]; raw != nil {
		_, wrong := listOf(raw, func(in map[string]any, f fieldErrors) map[string]any {
			contacts = append(contacts, in)
			probe := &record{kind: kindContact}
			for k, msg := range s.applyBody(c, probe, map[string]any{}, withoutLead(in)) {
				f[k] = msg
			}
			return in
		})
		if wrong != nil {
			return nil, fieldErrors{"contacts": wrong}.err()
		}
	}
	r, err := s.createRecord(c, kindLead, nil, body)
	if err != nil {
		return nil, err
	}
	for _, in := range contacts {
		if _, err := s.createRecord(c, kindContact, r, withoutLead(in)); err != nil {
			return nil, err
		}
	}
	if len(contacts) > 0 {
		s.rederive(r)
		s.refreshEvent(r)
	}
	return r, nil
}

func withoutLead(body map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range body {
		if k != "lead_id" {
			out[k] = v
		}
	}
	return out
}
