package closetest

// AddUser makes an active member and returns the user's id.
func (s *Server) AddUser(first, last string) string {
	c := s.asAdmin("", "")
	defer s.mu.Unlock()
	u := s.addUser(first, last, true)
	s.emitMembership(c, u)
	return u.id
}

// SetUserActive takes a user out of the organization, or back in. What they
// own stays theirs, but they can be given nothing new.
func (s *Server) SetUserActive(id string, active bool) error {
	c := s.asAdmin("", "")
	defer s.mu.Unlock()
	u := s.cat.user(id)
	if u == nil {
		return notFound("user")
	}
	if u.active != active {
		u.active = active
		s.emitMembership(c, u)
	}
	return nil
}

func (s *Server) emitMembership(c *call, u *user) {
	action := "deactivated"
	if u.active {
		action = "activated"
	}
	s.emitThing(c, "membership", u.memberID, action,
		map[string]any{"id": u.memberID, "user_id": u.id, "organization_id": s.cat.orgID}, map[string]any{})
}

// activeUser is a member who may be given a record.
func (s *Server) activeUser(v any) bool {
	id, _ := v.(string)
	u := s.cat.user(id)
	return u != nil && u.active
}

// SetCurrency changes the organization's currency. Opportunities show it at
// once; no event tells and no date_updated moves.
func (s *Server) SetCurrency(code string) {
	s.lock()
	defer s.mu.Unlock()
	s.materialise()
	s.cat.currency = code
	for _, r := range s.records {
		if r.kind == kindOpportunity {
			s.rederive(r)
		}
	}
}
