package closetest

import (
	"strings"
)

// route finds the endpoint. The lock is held; the returned body is complete.
func (s *Server) route(req *request) ([]byte, *apiError) {
	p := req.parts
	switch p[0] {
	case kindLead:
		if len(p) == 2 && p[1] == "merge" && req.method == "POST" {
			return s.mergeEndpoint(req)
		}
		return s.recordEndpoint(req, kindLead)
	case kindContact, kindOpportunity, kindTask:
		return s.recordEndpoint(req, p[0])
	case "event":
		return s.eventEndpoint(req)
	case "data":
		if len(p) == 2 && p[1] == "search" && req.method == "POST" {
			return s.searchEndpoint(req)
		}
	case "webhook":
		return s.webhookEndpoint(req)
	case "custom_field", "custom_fields":
		return s.customFieldEndpoint(req)
	case "activity":
		if len(p) == 2 && p[1] == "lead_merge" {
			return s.leadMergeList(req)
		}
	case "export":
		return s.exportEndpoint(req)
	default:
		return s.referenceEndpoint(req)
	}
	return nil, sentence(404, "Not found")
}

func (s *Server) recordEndpoint(req *request, kind string) ([]byte, *apiError) {
	switch {
	case len(req.parts) == 1 && req.method == "GET":
		return s.listEndpoint(req, kind)
	case len(req.parts) == 1 && req.method == "POST":
		r, err := s.postRecord(&req.call, kind, req.body)
		if err != nil {
			return nil, err
		}
		return s.one(req, r, r.live), nil
	case len(req.parts) != 2:
		return nil, sentence(404, "Not found")
	}
	r := s.find(kind, req.parts[1])
	if r == nil || !s.visible(req.key, r.leadRecord()) {
		return nil, notFound(kind)
	}
	switch req.method {
	case "GET":
		v := r.live
		if req.stale && r.before != nil {
			v = r.before
		}
		return s.one(req, r, v), nil
	case "PUT":
		if err := s.mayChange(req, r); err != nil {
			return nil, err
		}
		if err := s.putRecord(&req.call, r, req.body); err != nil {
			return nil, err
		}
		return s.one(req, r, r.live), nil
	case "DELETE":
		if kind == kindLead && req.key.role == RoleRestricted {
			return nil, sentence(403, "You do not have permission to delete leads.")
		}
		if err := s.mayChange(req, r); err != nil {
			return nil, err
		}
		s.deleteRecord(&req.call, r)
		return []byte("{}"), nil
	}
	return nil, sentence(405, "Method not allowed")
}

// mayChange: only an admin has manage_others_opportunities.
func (s *Server) mayChange(req *request, r *record) *apiError {
	if r.kind == kindOpportunity && req.key.role != RoleAdmin && unquoted(member(s.text(r.live), "user_id")) != req.key.userID {
		return sentence(403, "You do not have permission to manage others' opportunities.")
	}
	return nil
}

// one prints a record for an answer, limited by _fields.
func (s *Server) one(req *request, r *record, v *version) []byte {
	full := s.appendFull(nil, v)
	if want := newFieldSet(req.query.Get("_fields")); want != nil {
		return s.project(nil, full, r, want)
	}
	return full
}

// postRecord creates; a child without a lead makes a junk lead, which is a
// violation: no sync wants it.
func (s *Server) postRecord(c *call, kind string, body map[string]any) (*record, *apiError) {
	if kind == kindLead {
		return s.createLead(c, body)
	}
	id, _ := body["lead_id"].(string)
	lead := s.find(kindLead, id)
	if id != "" && (lead == nil || !s.visible(c.key, lead)) {
		return nil, fieldErrors{"lead_id": "Lead does not exist."}.err()
	}
	if lead == nil {
		if kind == kindTask {
			return nil, fieldErrors{"lead": "This field is required."}.err()
		}
		s.violate(c, "%s without lead_id makes a junk lead", kind)
		lead, _ = s.createRecord(c, kindLead, nil, map[string]any{"name": body["name"]})
	}
	before := lead.contactIDs()
	r, err := s.createRecord(c, kind, lead, body)
	if err != nil {
		return nil, err
	}
	switch kind {
	case kindContact:
		s.contactIDsChanged(c, lead, before)
	case kindTask:
		s.touchLead(lead)
	}
	return r, nil
}

// putRecord patches; a contact's new lead_id moves it after the other fields
// are applied.
func (s *Server) putRecord(c *call, r *record, body map[string]any) *apiError {
	if err := s.updateRecord(c, r, body); err != nil {
		return err
	}
	if to, _ := body["lead_id"].(string); r.kind == kindContact && to != "" && to != r.lead.id {
		s.moveContact(c, r, s.find(kindLead, to))
	}
	return nil
}

// fieldSet is a parsed _fields; nil means all default fields.
type fieldSet struct {
	names             map[string]bool
	custom, everySort bool
}

func newFieldSet(list string) *fieldSet {
	if list == "" {
		return nil
	}
	return fieldSetOf(strings.Split(list, ","))
}

func fieldSetOf(names []string) *fieldSet {
	w := &fieldSet{names: map[string]bool{}}
	for _, n := range names {
		n = strings.TrimSpace(n)
		w.names[n] = true
		w.custom = w.custom || n == "custom"
		w.everySort = w.everySort || n == "_all"
	}
	return w
}

func (w *fieldSet) has(key []byte) bool {
	return w.everySort || w.names[string(key)] || (w.custom && strings.HasPrefix(string(key), customPrefix))
}

// project appends the wanted members of raw.
func (s *Server) project(dst, raw []byte, r *record, w *fieldSet) []byte {
	dst = append(dst, '{')
	eachMember(raw, func(k, v []byte) bool {
		if w.has(k) {
			dst = appendRaw(dst, k, v)
		}
		return true
	})
	if r.kind == kindLead && (w.everySort || w.names["contact_ids"]) {
		dst = appendMember(dst, "contact_ids", r.contactIDs())
	}
	return append(dst, '}')
}

func appendRaw(dst, k, v []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), k...), `":`...)
	return append(dst, v...)
}
