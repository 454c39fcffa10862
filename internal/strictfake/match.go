package strictfake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// matcher evaluates the query of a search.
type matcher struct {
	s       *Server
	kinds   []string
	problem string
}

func (q *matcher) bad(format string, args ...any) bool {
	q.problem = fmt.Sprintf(format, args...)
	return false
}

// types collects the object types that a query names at its own level.
func (q *matcher) types(n map[string]any) {
	if n["type"] == "object_type" {
		kind, _ := n["object_type"].(string)
		if !slices.Contains(q.kinds, kind) {
			q.kinds = append(q.kinds, kind)
		}
	}
	list, _ := n["queries"].([]any)
	for _, each := range list {
		m, _ := each.(map[string]any)
		q.types(m)
	}
}

var nodeKeys = map[string][]string{
	"and": {"queries"}, "or": {"queries"}, "id": {"value", "object_type"}, "object_type": {"object_type"}, "text": {"value", "mode"},
	"field_condition": {"field", "condition"}, "has_related": {"this_object_type", "related_object_type", "related_query"}, "match_all": {},
}

func (q *matcher) match(n map[string]any, r *record, state map[string]any) bool {
	kind, _ := n["type"].(string)
	keys, ok := nodeKeys[kind]
	if !ok {
		return q.bad("no node of type %q", kind)
	}
	for key := range n {
		if key != "type" && key != "negate" && !slices.Contains(keys, key) {
			return q.bad("a node of type %s has no key %s", kind, key)
		}
	}
	return q.node(kind, n, r, state) != (n["negate"] == true)
}

func (q *matcher) node(kind string, n map[string]any, r *record, state map[string]any) bool {
	switch kind {
	case "and", "or":
		list, ok := n["queries"].([]any)
		if !ok {
			return q.bad("%s without queries", kind)
		}
		for _, each := range list {
			m, _ := each.(map[string]any)
			if q.match(m, r, state) != (kind == "and") {
				return kind == "or"
			}
		}
		return kind == "and"
	case "id":
		return n["value"] == r.id
	case "object_type":
		return n["object_type"] == r.kind
	case "text":
		text, _ := n["value"].(string)
		name, _ := state["name"].(string)
		return strings.Contains(strings.ToLower(name), strings.ToLower(text))
	case "field_condition":
		return q.condition(n, r, state)
	case "has_related":
		return q.related(n, r)
	}
	return true
}

func (q *matcher) related(n map[string]any, r *record) bool {
	query, _ := n["related_query"].(map[string]any)
	for _, id := range q.s.order {
		other := q.s.records[id]
		belongs := other.text("lead_id") == r.id || r.text("lead_id") == other.id
		if state := other.indexed(q.s.opt.Lag); belongs && other.kind == n["related_object_type"] && state != nil && q.match(query, other, state) {
			return true
		}
	}
	return false
}

func (q *matcher) condition(n map[string]any, r *record, state map[string]any) bool {
	field, _ := n["field"].(map[string]any)
	var v any
	switch field["type"] {
	case "regular_field":
		name, _ := field["field_name"].(string)
		if field["object_type"] != r.kind || !q.s.exists(r.kind, name) {
			return q.bad("no field %v", field)
		}
		v = state[name]
	case "custom_field":
		id, _ := field["custom_field_id"].(string)
		if _, ok := q.s.field(r.kind, "custom."+id); !ok {
			return q.bad("no custom field %s", id)
		}
		v = state["custom."+id]
	default:
		return q.bad("no field of type %v", field["type"])
	}
	c, _ := n["condition"].(map[string]any)
	switch c["type"] {
	case "exists":
		return v != nil && v != ""
	case "boolean":
		return v == c["value"]
	case "text":
		have, _ := v.(string)
		want, _ := c["value"].(string)
		return strings.Contains(strings.ToLower(have), strings.ToLower(want))
	case "term":
		return in(c["values"], v)
	case "reference":
		return in(c["object_ids"], v)
	case "number_range":
		return inRange(c, v)
	case "moment_range":
		return q.moment(c, v)
	}
	return q.bad("no condition of type %v", c["type"])
}

func in(list, v any) bool {
	values, _ := list.([]any)
	return slices.ContainsFunc(values, func(each any) bool { return equal(each, v) })
}

func inRange(c map[string]any, v any) bool {
	n, ok := v.(json.Number)
	if !ok {
		return false
	}
	have, _ := n.Float64()
	for op, bound := range c {
		n, ok := bound.(json.Number)
		if !ok {
			continue
		}
		b, _ := n.Float64()
		if (op == "gt" && have <= b) || (op == "gte" && have < b) || (op == "lt" && have >= b) || (op == "lte" && have > b) {
			return false
		}
	}
	return true
}

// moment compares with on_or_after and before, given as fixed_utc moments.
func (q *matcher) moment(c map[string]any, v any) bool {
	text, _ := v.(string)
	have, err := parse(text)
	if err != nil {
		return false
	}
	for key, bound := range c {
		if key == "type" || bound == nil {
			continue
		}
		m, _ := bound.(map[string]any)
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(m["value"]))
		if m["type"] != "fixed_utc" || err != nil || (key != "on_or_after" && key != "before") {
			return q.bad("moment_range with %s %v", key, bound)
		}
		if (key == "on_or_after" && have.Before(at)) || (key == "before" && !have.Before(at)) {
			return false
		}
	}
	return true
}

// parse reads a date of a record, with or without a zone.
func parse(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	return time.Parse("2006-01-02T15:04:05.999999", text)
}
