package strictfake

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var spans = []string{"__lt", "__lte", "__gt", "__gte"}

// list answers an offset list.
func (s *Server) list(c *call, kind string) *answer {
	names := []string{"_skip", "_limit", "_fields"}
	limitCap := 200
	switch kind {
	case "contact":
		names = append(names, "lead_id")
	case "opportunity":
		limitCap = 250
		names = append(names, "lead_id", "user_id", "status_id", "status_type", "_order_by")
		for _, date := range []string{"date_created", "date_updated", "date_won"} {
			for _, op := range spans {
				names = append(names, date+op)
			}
		}
	}
	s.known(c, names...)
	skip, limit, a := s.offsets(c, limitCap)
	if a != nil {
		return a
	}
	var found []*record
	for _, id := range s.order {
		if r := s.records[id]; r.kind == kind && s.listed(c, r) {
			found = append(found, r)
		}
	}
	s.sortList(c, kind, found)
	total := len(found)
	found = found[min(skip, total):min(skip+limit, total)]
	data := make([]any, len(found))
	for i, r := range found {
		data[i] = s.read(c, r)
	}
	body := map[string]any{"data": data}
	more := skip+len(found) < total
	if more || !s.opt.NoHasMore {
		body["has_more"] = more
	}
	if kind != "contact" && !s.opt.NoCounts {
		body["total_results"] = total
	}
	return &answer{200, body}
}

func (s *Server) offsets(c *call, limitCap int) (skip, limit int, a *answer) {
	limit = 100
	for name, to := range map[string]*int{"_skip": &skip, "_limit": &limit} {
		if !c.query.Has(name) {
			continue
		}
		n, err := strconv.Atoi(c.query.Get(name))
		if err != nil || n < 0 {
			return 0, 0, fieldError(name, "Expected a whole number.")
		}
		*to = n
	}
	if limit > limitCap {
		return 0, 0, refuse(400, "The limit you set is larger than the maximum limit for this resource (max_limit = %d).", limitCap)
	}
	if s.opt.Clip {
		limit = min(limit, 50)
	}
	if s.opt.SkipCap > 0 && skip > s.opt.SkipCap {
		return 0, 0, refuse(400, "The skip you set is larger than the maximum skip for this resource (max_skip = %d). Please refine your search query.", s.opt.SkipCap)
	}
	return skip, limit, nil
}

// listed applies the filters of a list.
func (s *Server) listed(c *call, r *record) bool {
	for name := range c.query {
		want := c.query.Get(name)
		switch {
		case name == "lead_id", name == "user_id", name == "status_id":
			if r.text(name) != want {
				return false
			}
		case name == "status_type":
			if statusOf(opportunityStatuses, r.text("status_id")).kind != want {
				return false
			}
		case strings.HasPrefix(name, "date_created__"):
			if !within(r.created, name, want, s) {
				return false
			}
		case strings.HasPrefix(name, "date_updated__"):
			if !within(r.updated, name, want, s) {
				return false
			}
		}
	}
	return true
}

func within(at time.Time, name, want string, s *Server) bool {
	bound, err := time.Parse(time.RFC3339Nano, want)
	if err != nil {
		s.violate("%s=%s: no timestamp with a zone", name, want)
		return true
	}
	switch name[strings.Index(name, "__"):] {
	case "__lt":
		return at.Before(bound)
	case "__lte":
		return !at.After(bound)
	case "__gt":
		return at.After(bound)
	}
	return !at.Before(bound)
}

func (s *Server) sortList(c *call, kind string, found []*record) {
	by := func(r *record) time.Time { return r.updated }
	if kind == "contact" {
		by = func(r *record) time.Time { return r.created }
	}
	order, descending := c.query.Get("_order_by"), true
	if order != "" && kind == "opportunity" && !s.opt.NoOrder {
		order, descending = strings.TrimPrefix(order, "-"), strings.HasPrefix(order, "-")
		switch order {
		case "date_created":
			by = func(r *record) time.Time { return r.created }
		case "date_updated":
		default:
			s.violate("GET %s: unexpected order %s", c.path, order)
		}
	}
	slices.SortStableFunc(found, func(a, b *record) int {
		if descending {
			a, b = b, a
		}
		return cmp.Or(by(a).Compare(by(b)), strings.Compare(a.id, b.id))
	})
}
