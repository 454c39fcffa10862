package strictfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// resource answers the calls of leads, contacts and opportunities.
func (s *Server) resource(c *call) *answer {
	kind := c.parts[0]
	if len(c.parts) == 1 {
		switch c.method {
		case "GET":
			return s.list(c, kind)
		case "POST":
			return s.create(c, kind)
		}
		return refuse(405, "Method not allowed")
	}
	r := s.records[c.parts[1]]
	if r == nil || r.kind != kind || len(c.parts) > 2 {
		return refuse(404, "Empty query: %s matching query does not exist.", kind)
	}
	s.known(c, "_fields")
	switch c.method {
	case "GET":
		return &answer{200, s.read(c, r)}
	case "PUT":
		return s.update(c, r)
	case "DELETE":
		s.remove(r, c, nil)
		return &answer{200, map[string]any{}}
	}
	return refuse(405, "Method not allowed")
}

func (s *Server) read(c *call, r *record) map[string]any {
	m := s.data(r, true)
	if !c.query.Has("_fields") {
		return m
	}
	names := strings.Split(c.query.Get("_fields"), ",")
	for _, name := range names {
		if !s.exists(r.kind, name) {
			s.violate("GET %s: _fields names %s, which does not exist", c.path, name)
		}
	}
	return s.only(m, names)
}

func (s *Server) create(c *call, kind string) *answer {
	fields := c.body
	if kind != "lead" && (fields["lead_id"] == nil || fields["lead_id"] == "") {
		s.violate("POST %s: without lead_id Close makes a junk lead", c.path)
		fields["lead_id"] = s.add("lead", map[string]any{}, c).id
	}
	var contacts []any
	if kind == "lead" {
		contacts, _ = fields["contacts"].([]any)
	}
	if a := s.check(c, kind, without(fields, "contacts", kind == "lead")); a != nil {
		return a
	}
	for i, each := range contacts {
		fields, ok := each.(map[string]any)
		if a := s.check(c, "contact", fields); !ok || a != nil {
			return &answer{400, map[string]any{"errors": []any{}, "field-errors": map[string]any{
				"contacts": map[string]any{"errors": map[string]any{fmt.Sprint(i): a.body}}}}}
		}
	}
	r := s.add(kind, fields, c)
	for _, each := range contacts {
		fields := each.(map[string]any)
		fields["lead_id"] = r.id
		s.add("contact", fields, c)
	}
	status := s.opt.Created
	if status == 0 {
		status = http.StatusOK
	}
	return &answer{status, s.data(r, true)}
}

func without(fields map[string]any, name string, drop bool) map[string]any {
	if !drop {
		return fields
	}
	m := map[string]any{}
	for k, v := range fields {
		if k != name {
			m[k] = v
		}
	}
	return m
}

func (s *Server) update(c *call, r *record) *answer {
	fields, a := s.additions(c.body, r)
	if a == nil {
		a = s.check(c, r.kind, fields)
	}
	if a != nil {
		return a
	}
	c.changed = s.change(r, fields, c)
	return &answer{200, s.data(r, true)}
}

// additions turns custom.cf_X.add and .remove into whole lists.
func (s *Server) additions(body map[string]any, r *record) (map[string]any, *answer) {
	fields := map[string]any{}
	for name, v := range body {
		plain, isAdd := strings.CutSuffix(name, ".add")
		other, isRemove := strings.CutSuffix(name, ".remove")
		if !isAdd && !isRemove {
			fields[name] = v
			continue
		}
		if isRemove {
			plain = other
		}
		if f, ok := s.field(r.kind, plain); !ok || !f.Multiple {
			return nil, fieldError(name, "This field does not have multiple values.")
		}
		if _, ok := fields[plain]; !ok {
			fields[plain], _ = clone(r.fields[plain]).([]any)
		}
		list, _ := fields[plain].([]any)
		list = slices.DeleteFunc(list, func(have any) bool { return equal(have, v) })
		if isAdd {
			list = append(list, v)
		}
		fields[plain] = list
	}
	return fields, nil
}

// check refuses what Close cannot store.
func (s *Server) check(c *call, kind string, fields map[string]any) *answer {
	for name, v := range fields {
		if strings.HasPrefix(name, "custom.") {
			if a := s.checkCustom(kind, name, v); a != nil {
				return a
			}
			continue
		}
		if !slices.Contains(written[kind], name) {
			s.violate("%s %s: %s cannot be written", c.method, c.path, name)
			return fieldError(name, "This field does not exist or is read-only.")
		}
		if problem := s.checkField(kind, name, v); problem != "" {
			return fieldError(name, "%s", problem)
		}
	}
	return nil
}

func (s *Server) checkField(kind, name string, v any) string {
	if v == nil {
		if name == "lead_id" || name == "status_id" {
			return "This field is required."
		}
		return ""
	}
	switch name {
	case "addresses", "emails", "phones", "urls":
		return s.checkItems(name, v)
	case "value", "confidence":
		n, ok := v.(json.Number)
		if i, err := n.Int64(); !ok || err != nil || (name == "confidence" && (i < 0 || i > 100)) {
			return "Expected a whole number."
		}
		return ""
	}
	text, ok := v.(string)
	switch {
	case !ok:
		return "Expected a text."
	case strings.ContainsRune(text, 0):
		return "NUL is not allowed."
	case name == "lead_id" && (s.records[text] == nil || s.records[text].kind != "lead"):
		return "No such lead."
	case name == "contact_id" && (s.records[text] == nil || s.records[text].kind != "contact"):
		return "No such contact."
	case name == "user_id" && text != User:
		return "No such user."
	case name == "status_id" && kind == "lead" && statusOf(leadStatuses, text).id == "",
		name == "status_id" && kind == "opportunity" && statusOf(opportunityStatuses, text).id == "":
		return "No such status."
	case name == "value_period" && !slices.Contains([]string{"one_time", "monthly", "annual"}, text):
		return "Expected one_time, monthly or annual."
	case name == "date_won" && !isDate(text):
		return "Expected a date."
	}
	return ""
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

var itemKeys = map[string][]string{
	"addresses": {"label", "address_1", "address_2", "city", "state", "zipcode", "country"},
	"emails":    {"email", "type"}, "phones": {"phone", "type"}, "urls": {"url", "type"},
}

func (s *Server) checkItems(name string, v any) string {
	items, ok := v.([]any)
	if !ok {
		return "Expected a list."
	}
	for _, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			return "Expected a list of objects."
		}
		for key := range m {
			if !slices.Contains(itemKeys[name], key) {
				s.violate("an item of %s holds %s, which is read-only", name, key)
			}
		}
		if email, _ := m["email"].(string); name == "emails" && !strings.Contains(email, "@") {
			return "Invalid email address."
		}
	}
	return ""
}

func (s *Server) checkCustom(kind, name string, v any) *answer {
	f, ok := s.field(kind, name)
	if !ok {
		return fieldError(name, "The Custom Field %q does not exist.", name)
	}
	if v == nil {
		return nil
	}
	list, isList := v.([]any)
	if f.Multiple != isList {
		return fieldError(name, "Expected a list exactly if the field has multiple values.")
	}
	if !isList {
		list = []any{v}
	}
	for _, each := range list {
		text, isText := each.(string)
		_, isNumber := each.(json.Number)
		if (f.Type == "number") != isNumber || (f.Type != "number" && !isText) {
			return fieldError(name, "Expected a %s.", f.Type)
		}
		if f.Type == "choices" && !slices.Contains(f.Choices, text) {
			return fieldError(name, "%q is not a valid choice.", text)
		}
		if f.Type == "date" && !isDate(text) {
			return fieldError(name, "Expected a date.")
		}
	}
	return nil
}

func (s *Server) mergeCall(c *call) *answer {
	source, destination := s.records[fmt.Sprint(c.body["source"])], s.records[fmt.Sprint(c.body["destination"])]
	if source == nil || destination == nil || source.kind != "lead" || destination.kind != "lead" || source == destination {
		return fieldError("source", "No such lead.")
	}
	s.merge(source, destination, c)
	return &answer{200, map[string]any{}}
}
