package closetest

import (
	"encoding/json"
	"slices"
	"strings"
)

// node is one node of a query in Close's JSON.
type node struct {
	Type         string            `json:"type"`
	Negate       bool              `json:"negate"`
	Queries      []json.RawMessage `json:"queries"`
	Value        json.RawMessage   `json:"value"`
	Mode         string            `json:"mode"`
	ObjectType   string            `json:"object_type"`
	Field        fieldName         `json:"field"`
	Condition    *condition        `json:"condition"`
	ThisType     string            `json:"this_object_type"`
	RelatedType  string            `json:"related_object_type"`
	RelatedQuery json.RawMessage   `json:"related_query"`
	SavedID      string            `json:"saved_search_id"`
}

type fieldName struct {
	Type   string `json:"type"`
	Object string `json:"object_type"`
	Name   string `json:"field_name"`
	Custom string `json:"custom_field_id"`
}

func (f fieldName) key() string {
	if f.Type == "custom_field" {
		return customPrefix + f.Custom
	}
	return f.Name
}

// subject is what a test looks at: a record, or a part of one such as an
// address or an e-mail (then ver is the record around it).
type subject struct {
	kind string
	ver  *version
	part []byte
}

type test func(subject) bool

type span struct{ lo, hi int64 }

// query is a compiled search: its object type, what it surely demands of the
// two instants, and the test for all the rest.
type query struct {
	s                *Server
	kind             string
	created, updated span
	boundsOnly       bool
	visible          func(*version) bool
	test             test
}

func (q *query) match(v *version) bool {
	if q.visible != nil && !q.visible(v) {
		return false
	}
	return q.boundsOnly || q.test(subject{q.kind, v, nil})
}

func (s *Server) compile(req *request, raw json.RawMessage) (*query, *apiError) {
	q := &query{s: s, created: span{-always, always}, updated: span{-always, always}, boundsOnly: true}
	c := compiler{s, req, q}
	t, err := c.node(raw, true)
	if err != nil {
		return nil, err
	}
	if q.kind == "" {
		q.kind = kindLead
	}
	if !slices.Contains(kinds, q.kind) {
		return nil, badRequest("Unknown object_type %q.", q.kind)
	}
	q.test = t
	if s.anyHidden() || req.key.role == RoleRestricted {
		q.boundsOnly = false
		q.visible = func(v *version) bool { return s.visible(req.key, v.rec.leadRecord()) }
	}
	return q, nil
}

type compiler struct {
	s   *Server
	req *request
	q   *query
}

// node compiles one node. required tells that every hit must pass it, so its
// date ranges may bound the walk.
func (c compiler) node(raw json.RawMessage, required bool) (test, *apiError) {
	var n node
	if len(raw) == 0 {
		return func(subject) bool { return true }, nil
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return nil, badRequest("Invalid query: %s.", err)
	}
	t, err := c.plain(&n, required && !n.Negate)
	if err != nil || !n.Negate {
		return t, err
	}
	c.q.boundsOnly = false
	return func(v subject) bool { return !t(v) }, nil
}

func (c compiler) plain(n *node, required bool) (test, *apiError) {
	switch n.Type {
	case "and", "or":
		return c.group(n, required)
	case "object_type":
		if required && c.q.kind == "" {
			c.q.kind = n.ObjectType
			return func(subject) bool { return true }, nil
		}
		return func(v subject) bool { return v.kind == n.ObjectType }, nil
	case "match_all":
		return func(subject) bool { return true }, nil
	case "field_condition":
		return c.fieldCondition(n, required)
	}
	c.q.boundsOnly = false
	switch n.Type {
	case "id":
		var id string
		_ = json.Unmarshal(n.Value, &id)
		return func(v subject) bool { return v.ver.rec.id == id }, nil
	case "text":
		var want string
		_ = json.Unmarshal(n.Value, &want)
		return func(v subject) bool { return textMatches(string(c.s.text(v.ver)), want, n.Mode) }, nil
	case "has_related":
		return c.related(n)
	case "saved_search":
		saved := c.s.saved[n.SavedID]
		if saved == nil {
			return nil, badRequest("Saved search %q does not exist.", n.SavedID)
		}
		return c.node(saved, required)
	}
	return nil, badRequest("Unknown query type %q.", n.Type)
}

func (c compiler) group(n *node, required bool) (test, *apiError) {
	if n.Type == "or" {
		c.q.boundsOnly = false
	}
	var tests []test
	for _, raw := range n.Queries {
		t, err := c.node(raw, required && n.Type == "and")
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	if n.Type == "or" {
		return func(v subject) bool {
			return slices.ContainsFunc(tests, func(t test) bool { return t(v) })
		}, nil
	}
	return func(v subject) bool {
		return !slices.ContainsFunc(tests, func(t test) bool { return !t(v) })
	}, nil
}

func (c compiler) related(n *node) (test, *apiError) {
	sub := compiler{c.s, c.req, &query{}}
	t, err := sub.node(n.RelatedQuery, false)
	if err != nil {
		return nil, err
	}
	return func(v subject) bool {
		return slices.ContainsFunc(c.s.relatives(v.ver, n.RelatedType), t)
	}, nil
}

// relatives are the records or parts of the wanted type around a record.
func (s *Server) relatives(v *version, kind string) []subject {
	var out []subject
	list := map[string]string{"address": "addresses", "contact_email": "emails", "contact_phone": "phones", "contact_url": "urls"}[kind]
	if list != "" {
		eachItem(member(s.text(v), list), func(item []byte) bool {
			out = append(out, subject{kind, v, slices.Clone(item)})
			return true
		})
		return out
	}
	lead := v.rec.leadRecord()
	if kind == kindLead {
		if lead.indexed == nil { // its child was moved below it, and is indexed already
			return nil
		}
		return []subject{{kind, lead.indexed, nil}}
	}
	for _, ch := range lead.children {
		if ch.kind == kind && ch.indexed != nil {
			out = append(out, subject{kind, ch.indexed, nil})
		}
	}
	return out
}

func textMatches(have, want, mode string) bool {
	have, want = strings.ToLower(have), strings.ToLower(want)
	if mode == "phrase" || mode == "" {
		return strings.Contains(have, want)
	}
	words := strings.FieldsFunc(have, func(r rune) bool { return strings.ContainsRune(" \t\n\",.;:@-_/(){}[]", r) })
	for _, w := range strings.Fields(want) {
		if !slices.ContainsFunc(words, func(h string) bool {
			return h == w || (mode == "beginning_of_words" && strings.HasPrefix(h, w))
		}) {
			return false
		}
	}
	return true
}
