package closetest

import "time"

// catalogue is what an organization has besides records and custom fields.
type catalogue struct {
	orgID, orgName, currency string
	users                    []*user
	leadStatuses             []*status
	pipelines                []*pipeline
	links                    []map[string]any
	created                  int64
}

type user struct {
	id, first, last, email string
	active                 bool
	created                int64
	memberID               string
}

func (u *user) name() string { return u.first + " " + u.last }

// status is a lead's or an opportunity's; kind is active, won or lost.
type status struct {
	id, label, kind string
	pipeline        *pipeline
}

type pipeline struct {
	id, name string
	statuses []*status
}

// seedCatalogue makes users, statuses, pipelines, an integration link and the
// custom fields: the same small sales team for every seed, with other ids.
func (s *Server) seedCatalogue() {
	c := &s.cat
	c.orgID, c.orgName, c.currency = s.longID("orga"), "Tidewater Sales", "EUR"
	c.created = micros(s.opt.Now().Add(-400*24*time.Hour).Truncate(time.Second)) + 648000
	bot := s.addUser("Api", "Bot", true)
	s.addUser("Tomas", "Reyes", true)
	s.addUser("Ada", "Lindqvist", true)
	s.addUser("Former", "Colleague", false)
	for _, label := range []string{"Potential", "Qualified", "Customer"} {
		c.leadStatuses = append(c.leadStatuses, &status{id: s.longID("stat"), label: label})
	}
	s.addPipeline("New business", "Proposal sent", "Negotiation")
	s.addPipeline("Renewals", "Open", "Negotiation")
	s.admin = s.addKey(RoleAdmin, bot.id)
	c.links = []map[string]any{{
		"id": s.shortID("intlink"), "name": "Open in ops tool", "type": kindLead,
		"url": "https://ops.example/close/{{id}}", "organization_id": c.orgID,
		"created_by": bot.id, "updated_by": bot.id,
		"date_created": zoneless(c.created), "date_updated": zoneless(c.created),
	}}
	s.seedCustomFields()
}

func (s *Server) addUser(first, last string, active bool) *user {
	u := &user{id: s.longID("user"), first: first, last: last, active: active, created: s.cat.created,
		email: lower(first+"."+last) + "@ops.example", memberID: s.longID("memb")}
	s.cat.users = append(s.cat.users, u)
	return u
}

func (s *Server) addPipeline(name string, active ...string) {
	p := &pipeline{id: s.shortID("pipe"), name: name}
	for _, label := range active {
		p.statuses = append(p.statuses, &status{s.longID("stat"), label, "active", p})
	}
	p.statuses = append(p.statuses, &status{s.longID("stat"), "Won", "won", p}, &status{s.longID("stat"), "Lost", "lost", p})
	s.cat.pipelines = append(s.cat.pipelines, p)
}

func (c *catalogue) user(id string) *user {
	for _, u := range c.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

func (c *catalogue) userName(id any) any {
	if t, ok := id.(string); ok {
		if u := c.user(t); u != nil {
			return u.name()
		}
	}
	return nil
}

func (c *catalogue) leadStatus(match func(*status) bool) *status {
	for _, st := range c.leadStatuses {
		if match(st) {
			return st
		}
	}
	return nil
}

func (c *catalogue) opportunityStatus(match func(*status) bool) *status {
	for _, p := range c.pipelines {
		for _, st := range p.statuses {
			if match(st) {
				return st
			}
		}
	}
	return nil
}

func (c *catalogue) pipeline(id string) *pipeline {
	for _, p := range c.pipelines {
		if p.id == id {
			return p
		}
	}
	return nil
}

func withID(id any) func(*status) bool {
	return func(st *status) bool { return st.id == id }
}

func withLabel(label any) func(*status) bool {
	return func(st *status) bool { return st.label == label }
}
