package strictfake

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// cursor is a place in a search or in the event log.
type cursor struct {
	query  string // what it belongs to
	offset int
	issued time.Time
	at     time.Time
	id     string
}

func (s *Server) remember(c cursor) string {
	token := token(12)
	s.cursors[token] = c
	return token
}

// search answers Advanced Filtering.
func (s *Server) search(c *call) *answer {
	for name := range c.body {
		if !slices.Contains([]string{"query", "_fields", "sort", "_limit", "cursor", "results_limit", "include_counts"}, name) {
			s.violate("POST data/search/: no key %s", name)
		}
	}
	query, _ := c.body["query"].(map[string]any)
	q := &matcher{s: s}
	q.types(query)
	if len(q.kinds) != 1 {
		s.violate("POST data/search/: object types %v, want one", q.kinds)
		return refuse(400, "exactly one object_type is needed")
	}
	kind := q.kinds[0]
	if prefixes[kind] == "" || slices.Contains(s.opt.NoSearch, kind) {
		return refuse(400, "object_type %s cannot be searched", kind)
	}
	limit, a := s.searchLimit(c)
	if a != nil {
		return a
	}
	var found []hit
	order := slices.Clone(s.order)
	if s.opt.NoOrder {
		slices.Reverse(order)
	}
	for _, id := range order {
		r := s.records[id]
		state := r.indexed(s.opt.Lag)
		if r.kind == kind && state != nil && q.match(query, r, state) {
			found = append(found, hit{r, state})
		}
	}
	if q.problem != "" {
		s.violate("POST data/search/: %s", q.problem)
		return refuse(400, "%s", q.problem)
	}
	if a := s.sortHits(c, kind, found); a != nil {
		return a
	}
	return s.searchPage(c, kind, found, limit)
}

func (s *Server) searchLimit(c *call) (int, *answer) {
	most := cmp.Or(s.opt.SearchLimit, 200)
	if c.body["_limit"] == nil {
		return min(100, most), nil
	}
	n, _ := c.body["_limit"].(json.Number)
	limit, err := n.Int64()
	switch {
	case err != nil || limit < 1:
		s.violate("POST data/search/: _limit %v", c.body["_limit"])
		return 0, fieldError("_limit", "Expected a whole number.")
	case int(limit) > most && s.opt.Clip:
		return most, nil
	case int(limit) > most:
		return 0, refuse(400, "The limit you set is larger than the maximum limit for this resource (max_limit = %d).", most)
	}
	return int(limit), nil
}

type hit struct {
	r     *record
	state map[string]any
}

func (s *Server) sortHits(c *call, kind string, found []hit) *answer {
	rules, _ := c.body["sort"].([]any)
	for _, rule := range rules {
		m, _ := rule.(map[string]any)
		field, _ := m["field"].(map[string]any)
		name, _ := field["field_name"].(string)
		if field["type"] != "regular_field" || field["object_type"] != kind || (name != "date_created" && name != "date_updated") ||
			(m["direction"] != "asc" && m["direction"] != "desc") {
			s.violate("POST data/search/: sort by %v", rule)
			return refuse(400, "cannot be sorted by this")
		}
		if s.opt.NoOrder {
			continue
		}
		slices.SortStableFunc(found, func(a, b hit) int {
			n := strings.Compare(a.state[name].(string), b.state[name].(string))
			if m["direction"] == "desc" {
				n = -n
			}
			return n
		})
	}
	return nil
}

const (
	cursorLife  = 30 * time.Second
	chainLength = 10_000
)

func (s *Server) searchPage(c *call, kind string, found []hit, limit int) *answer {
	total, offset := len(found), 0
	identity, _ := json.Marshal([]any{c.body["query"], c.body["sort"], c.body["_fields"]})
	if token, _ := c.body["cursor"].(string); token != "" {
		at, ok := s.cursors[token]
		switch {
		case !ok || at.query != string(identity):
			s.violate("POST data/search/: a cursor of another query")
			return refuse(400, "Invalid cursor")
		case time.Since(at.issued) > cursorLife:
			return refuse(400, "The cursor has expired")
		}
		offset = at.offset
	}
	limited := min(total, chainLength)
	if n, ok := c.body["results_limit"].(json.Number); ok {
		most, _ := n.Int64()
		limited = min(limited, int(most))
	}
	page := found[min(offset, limited):min(offset+limit, limited)]
	data := []any{}
	for _, h := range page {
		data = append(data, s.row(c, kind, h))
	}
	body := map[string]any{"data": data, "cursor": nil}
	if offset+len(page) < limited {
		body["cursor"] = s.remember(cursor{query: string(identity), offset: offset + len(page), issued: time.Now()})
	}
	if c.body["include_counts"] == true && !s.opt.NoCounts {
		body["count"] = map[string]any{"limited": limited, "total": total}
	}
	return &answer{200, body}
}

// row is one hit: only its id unless fields were asked for.
func (s *Server) row(c *call, kind string, h hit) map[string]any {
	asked, _ := c.body["_fields"].(map[string]any)
	names, _ := asked[kind].([]any)
	for other := range asked {
		if other != kind {
			s.violate("POST data/search/: _fields of %s in a search of %s", other, kind)
		}
	}
	want := []string{"id"}
	for _, n := range names {
		name, _ := n.(string)
		if !s.exists(kind, name) {
			s.violate("POST data/search/: _fields names %v, which does not exist", n)
		}
		want = append(want, name)
	}
	state := maps.Clone(h.state)
	if kind == "lead" {
		state["contacts"], state["opportunities"] = s.children(h.r, "contact"), s.children(h.r, "opportunity")
	}
	if s.opt.AllFields && names != nil {
		want = append(want, "_all")
	}
	m := maps.Clone(s.only(state, want))
	if s.opt.NoNested {
		delete(m, "contacts")
		delete(m, "opportunities")
	}
	m["__object_type"] = kind
	return m
}

// children are a lead's records of a type as the index has them.
func (s *Server) children(lead *record, kind string) []any {
	list := []any{}
	for _, id := range s.order {
		child := s.records[id]
		if child.kind != kind || child.text("lead_id") != lead.id {
			continue
		}
		if state := child.indexed(s.opt.Lag); state != nil {
			list = append(list, state)
		}
	}
	return list
}
