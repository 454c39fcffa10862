package closetest

import (
	"slices"
	"strings"
)

// Person makes changes as one actor, past the HTTP layer: no limits, no
// faults, no request history.
type Person struct {
	s     *Server
	actor Actor
}

// As returns an actor's hands. A zero Actor is the organization's second
// user, working in the app.
func (s *Server) As(a Actor) *Person {
	if a.UserID == "" && a.APIKeyID != "" {
		s.mu.Lock()
		for _, k := range s.keys {
			if k.id == a.APIKeyID {
				a.UserID = k.userID
			}
		}
		s.mu.Unlock()
	}
	if a.UserID == "" {
		a.UserID = s.cat.users[1].id
	}
	return &Person{s, a}
}

func (p *Person) begin(method, path string) *call {
	p.s.lock()
	return &call{actor: p.actor, requestID: p.s.requestID(), method: method, path: path}
}

// asAdmin is the organization's first user at work; the caller unlocks.
func (s *Server) asAdmin(method, path string) *call {
	return s.As(Actor{UserID: s.cat.users[0].id}).begin(method, path)
}

// Create makes a record and returns its id. fields are those of a POST body,
// lead_id included; errors are those of the API.
func (p *Person) Create(objectType string, fields map[string]any) (string, error) {
	c := p.begin("POST", "/api/v1/"+objectType+"/")
	defer p.s.mu.Unlock()
	if !slices.Contains(kinds, objectType) {
		return "", badRequest("Unknown object type %q.", objectType)
	}
	r, err := p.s.postRecord(c, objectType, plainJSON(fields))
	if err != nil {
		return "", err
	}
	return r.id, nil
}

// Update patches the record with this id, as a PUT would.
func (p *Person) Update(id string, fields map[string]any) error {
	c := p.begin("PUT", "/api/v1/"+kindOfID(id)+"/"+id+"/")
	defer p.s.mu.Unlock()
	r := p.s.records[id]
	if r == nil {
		return notFound(kindOfID(id))
	}
	return orNil(p.s.putRecord(c, r, plainJSON(fields)))
}

// Delete removes the record with this id and, below a lead, its children.
func (p *Person) Delete(id string) error {
	c := p.begin("DELETE", "/api/v1/"+kindOfID(id)+"/"+id+"/")
	defer p.s.mu.Unlock()
	r := p.s.records[id]
	if r == nil {
		return notFound(kindOfID(id))
	}
	p.s.deleteRecord(c, r)
	return nil
}

// Merge merges the lead src into dst.
func (p *Person) Merge(src, dst string) error {
	c := p.begin("POST", "/api/v1/lead/merge/")
	defer p.s.mu.Unlock()
	return orNil(p.s.merge(c, src, dst))
}

// Create, Update, Delete and Merge act as a person working in the app.
func (s *Server) Create(objectType string, fields map[string]any) (string, error) {
	return s.As(Actor{}).Create(objectType, fields)
}

// Update: see Person.Update.
func (s *Server) Update(id string, fields map[string]any) error {
	return s.As(Actor{}).Update(id, fields)
}

// Delete: see Person.Delete.
func (s *Server) Delete(id string) error { return s.As(Actor{}).Delete(id) }

// Merge: see Person.Merge.
func (s *Server) Merge(src, dst string) error { return s.As(Actor{}).Merge(src, dst) }

// Get is the record as GET would answer it, hidden or not. Numbers are
// json.Number.
func (s *Server) Get(id string) (map[string]any, bool) {
	s.lock()
	defer s.mu.Unlock()
	r := s.records[id]
	if r == nil {
		return nil, false
	}
	m, err := decodeObject(s.appendFull(nil, r.live))
	return m, err == nil
}

// List is every record of an object type, oldest first.
func (s *Server) List(objectType string) []map[string]any {
	s.lock()
	defer s.mu.Unlock()
	var out []map[string]any
	if x := s.live.created[objectType]; x != nil {
		for _, v := range x.rows {
			m, _ := decodeObject(s.appendFull(nil, v))
			out = append(out, m)
		}
	}
	return out
}

// Count is how many records of an object type there are.
func (s *Server) Count(objectType string) int {
	s.lock()
	defer s.mu.Unlock()
	if x := s.live.created[objectType]; x != nil {
		return len(x.rows)
	}
	return 0
}

// Hide takes a lead and its children out of every key's sight, or back.
func (s *Server) Hide(leadID string, hidden bool) error {
	s.lock()
	defer s.mu.Unlock()
	r := s.find(kindLead, leadID)
	if r == nil {
		return notFound(kindLead)
	}
	if r.hidden != hidden {
		r.hidden = hidden
		s.hiddenLeads += map[bool]int{true: 1, false: -1}[hidden]
	}
	return nil
}

func (s *Server) anyHidden() bool { return s.hiddenLeads > 0 }

func orNil(err *apiError) error {
	if err == nil {
		return nil
	}
	return err
}

func kindOfID(id string) string {
	prefix, _, _ := strings.Cut(id, "_")
	for kind, p := range prefixes {
		if p == prefix {
			return kind
		}
	}
	return "object"
}

// plainJSON turns Go values into what decoding a body gives.
func plainJSON(fields map[string]any) map[string]any {
	m, err := decodeObject(encode(fields))
	if err != nil || m == nil {
		return map[string]any{}
	}
	return m
}
