package closetest

func contactDefaults(_ *Server, _ *call, _ *record, f map[string]any) {
	f["name"], f["title"] = nil, nil
	f["emails"], f["phones"], f["urls"] = []any{}, []any{}, []any{}
}

func setContact(s *Server, c *call, r *record, f map[string]any, key string, v any) (wrong any, known bool) {
	var msg string
	switch key {
	case "name", "title":
		f[key], msg = normalShortText(v)
		return msg, true
	case "emails":
		f[key], wrong = normalEmails(v)
	case "phones":
		f[key], wrong = normalPhones(v)
	case "urls":
		f[key], wrong = normalURLs(v)
	case "lead_id":
		if r.live == nil || v == r.lead.id {
			return nil, true
		}
		if s.opt.RefuseContactMove {
			return "This field cannot be changed.", true
		}
		if id, _ := v.(string); s.find(kindLead, id) == nil {
			return "Lead does not exist.", true
		}
	default:
		return nil, false
	}
	return wrong, true
}

func deriveContact(_ *Server, r *record, f map[string]any) {
	if r.lead != nil {
		f["lead_id"] = r.lead.id
	}
	f["display_name"] = contactDisplay(f)
	f["timezone"], f["timezone_source"] = nil, nil
	f["integration_links"] = []any{}
}

// contactDisplay falls back from the name to the first address or number.
func contactDisplay(f map[string]any) any {
	if f["name"] != nil {
		return f["name"]
	}
	for _, from := range [][2]string{{"emails", "email"}, {"phones", "phone_formatted"}} {
		if list, ok := f[from[0]].([]any); ok && len(list) > 0 {
			if m, ok := list[0].(map[string]any); ok {
				return m[from[1]]
			}
		}
	}
	return ""
}

// moveContact puts a contact below another lead; it keeps its id. Both leads
// get an update of their contact_ids.
func (s *Server) moveContact(c *call, r, to *record) {
	from := r.lead
	s.fixFamily(from)
	beforeFrom, beforeTo := from.contactIDs(), to.contactIDs()
	s.reparent(c, r, to)
	s.contactIDsChanged(c, from, beforeFrom)
	s.contactIDsChanged(c, to, beforeTo)
}

// reparent moves a child record with its event.
func (s *Server) reparent(c *call, r, to *record) {
	old, f := s.fields(r.live), s.fields(r.live)
	r.lead.release(r)
	to.adopt(r)
	f["lead_id"], f["updated_by"] = to.id, c.actor.UserID
	s.save(&version{rec: r, created: r.live.created, updated: s.stamp()}, f)
	s.emitUpdate(c, r, old, s.fields(r.live))
}
