package closetest

func taskDefaults(_ *Server, c *call, _ *record, f map[string]any) {
	f["_type"], f["is_complete"], f["assigned_to"] = "lead", false, c.actor.UserID
}

func setTask(s *Server, _ *call, r *record, f map[string]any, key string, v any) (wrong any, known bool) {
	var msg string
	switch key {
	case "text":
		f[key], msg = normalText(v)
	case "date", "due_date":
		f["date"], msg = plainDate(v)
	case "is_complete":
		b, ok := v.(bool)
		if !ok {
			return "This field must be a boolean.", true
		}
		f[key] = b
	case "assigned_to":
		if v != nil && v != f[key] && !s.activeUser(v) {
			return "User does not exist.", true
		}
		f[key] = v
	case "contact_id":
		msg = s.setOpportunityContact(r, f, v)
	default:
		return nil, false
	}
	return msg, true
}

func deriveTask(s *Server, r *record, f map[string]any) {
	f["lead_id"], f["lead_name"] = r.lead.id, displayName(r.lead, s)
	f["due_date"] = f["date"]
	f["assigned_to_name"] = s.cat.userName(f["assigned_to"])
	f["created_by_name"], f["updated_by_name"] = s.cat.userName(f["created_by"]), s.cat.userName(f["updated_by"])
	f["contact_name"] = nil
	if id, ok := f["contact_id"].(string); ok {
		if ct := s.find(kindContact, id); ct != nil {
			f["contact_name"] = displayName(ct, s)
		}
	}
}
