package closetest

import (
	"encoding/json"
	"slices"
	"strings"
)

// customField is one definition. objects are the types it is used on; a
// shared field may have several.
type customField struct {
	id, name, kind    string
	nameJSON          []byte
	choices           []string
	multi, shared     bool
	objects           []string
	editableWithRoles []string
	convertingTo      string
	created, updated  int64
}

func (d *customField) on(kind string) bool { return slices.Contains(d.objects, kind) }

func (s *Server) addCustomField(d *customField) *customField {
	if d.id == "" {
		d.id = s.longID("cf")
	}
	d.nameJSON = encode(d.name)
	if d.created == 0 {
		d.created = s.stamp()
	}
	d.updated = max(d.updated, d.created)
	s.customs[d.id] = d
	s.order = append(s.order, d)
	return d
}

// seedCustomFields defines one field of each type on leads, a few on
// contacts and opportunities and one shared by all.
func (s *Server) seedCustomFields() {
	at := s.cat.created
	for _, d := range []customField{
		{name: "External ID", kind: "hidden", objects: []string{kindLead}},
		{name: "Segment", kind: "choices", choices: []string{"Transport", "Retail", "Software"}, objects: []string{kindLead}},
		{name: "Tags", kind: "choices", multi: true, choices: []string{"priority", "eu", "trial"}, objects: []string{kindLead}},
		{name: "Account owner", kind: "user", objects: []string{kindLead}},
		{name: "Seats", kind: "number", objects: []string{kindLead}},
		{name: "Renewal", kind: "date", objects: []string{kindLead}},
		{name: "Region note", kind: "text", objects: []string{kindLead}},
		{name: "Last review", kind: "datetime", objects: []string{kindLead}},
		{name: "Preferred channel", kind: "choices", choices: []string{"email", "phone"}, objects: []string{kindContact}},
		{name: "Contact key", kind: "hidden", objects: []string{kindContact}},
		{name: "Deal key", kind: "hidden", objects: []string{kindOpportunity}},
		{name: "Discount", kind: "number", objects: []string{kindOpportunity}},
		{name: "Industry", kind: "choices", shared: true, choices: []string{"Transport", "Retail", "Software"},
			objects: []string{kindLead, kindContact, kindOpportunity}},
	} {
		n := 0
		for _, have := range s.order {
			if have.on(d.objects[0]) {
				n++
			}
		}
		if s.opt.CustomFields < 0 || (s.opt.CustomFields > 0 && n >= s.opt.CustomFields) {
			continue
		}
		d.created = at
		s.addCustomField(&d)
	}
}

// CustomField is the id of the definition with this name on an object type,
// "" when there is none.
func (s *Server) CustomField(objectType, name string) string {
	s.lock()
	defer s.mu.Unlock()
	if d := s.customNamed(objectType, name); d != nil {
		return d.id
	}
	return ""
}

func (s *Server) customNamed(kind, name string) *customField {
	for _, d := range s.order {
		if d.on(kind) && d.name == name {
			return d
		}
	}
	return nil
}

// setCustom applies one "custom.…" member of a body to f and returns what is
// wrong with it, "" if nothing. The key may end in .add or .remove.
func (s *Server) setCustom(c *call, r *record, f map[string]any, key string, v any) string {
	name, op := strings.TrimPrefix(key, customPrefix), ""
	d := s.customs[name]
	if d == nil {
		if i := strings.LastIndexByte(name, '.'); i > 0 && (name[i:] == ".add" || name[i:] == ".remove") {
			name, op = name[:i], name[i+1:]
			d = s.customs[name]
		}
	}
	if d == nil {
		d = s.customNamed(r.kind, name)
	}
	if d == nil || !d.on(r.kind) {
		return `The Custom Field "` + name + `" does not exist.`
	}
	if d.convertingTo != "" {
		return "This Custom Field is being converted to another type."
	}
	if len(d.editableWithRoles) > 0 && c.key != nil && !slices.Contains(d.editableWithRoles, c.key.role) {
		return "You do not have permission to edit this Custom Field."
	}
	if op != "" {
		return s.changeMember(d, r, f, op, v)
	}
	if v == nil {
		delete(f, customPrefix+d.id)
		return ""
	}
	out, msg := s.customValue(d, r, v)
	if msg == "" {
		f[customPrefix+d.id] = out
	}
	return msg
}

func (s *Server) customValue(d *customField, r *record, v any) (any, string) {
	if !d.multi {
		return s.customItem(d, r, v)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := []any{}
	for _, e := range list {
		item, msg := s.customItem(d, r, e)
		if msg != "" {
			return nil, msg
		}
		if !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return out, ""
}

func (s *Server) changeMember(d *customField, r *record, f map[string]any, op string, v any) string {
	if !d.multi {
		return "This Custom Field does not accept multiple values."
	}
	item, msg := s.customItem(d, r, v)
	if msg != "" {
		return msg
	}
	key := customPrefix + d.id
	list, _ := f[key].([]any)
	list = slices.DeleteFunc(slices.Clone(list), func(e any) bool { return e == item })
	if op == "add" {
		list = append(list, item)
	}
	if len(list) == 0 {
		delete(f, key)
		return ""
	}
	f[key] = list
	return ""
}

// customItem checks one value against its type.
func (s *Server) customItem(d *customField, r *record, v any) (any, string) {
	text, isText := v.(string)
	switch d.kind {
	case "number":
		switch n := v.(type) {
		case json.Number, int, int64, float64:
			return n, ""
		}
		return nil, "This field must be a number."
	case "date", "datetime":
		us, ok := parseInstant(text)
		if !isText || !ok {
			return nil, "Invalid " + d.kind + "."
		}
		if d.kind == "date" {
			return zoneless(us)[:10], ""
		}
		return zoned(us), ""
	case "choices":
		if !isText || !slices.Contains(d.choices, text) {
			return nil, "Value is not a valid choice."
		}
		return text, ""
	case "user":
		for _, u := range s.cat.users {
			if isText && (u.id == text || u.name() == text) {
				return u.id, ""
			}
		}
		return nil, "User does not exist."
	case "contact":
		if c := s.find(kindContact, text); c != nil && c.leadRecord() == r.leadRecord() {
			return text, ""
		}
		return nil, "Contact does not exist on this lead."
	}
	if !isText {
		return nil, "This field must be a string."
	}
	if d.kind == "text" {
		text = strings.TrimSpace(text)
	}
	return text, ""
}

func sortByID(defs []*customField) {
	slices.SortFunc(defs, func(a, b *customField) int { return strings.Compare(a.id, b.id) })
}
