package closetest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// caps are the largest _limit and _skip of the offset lists.
var caps = map[string]struct{ limit, skip int }{
	kindLead: {200, 250_000}, kindContact: {200, 250_000}, kindOpportunity: {250, 250_000}, kindTask: {1000, 250_000},
}

func limits(q url.Values, maxLimit, maxSkip int) (limit, skip int, err *apiError) {
	limit = min(100, maxLimit)
	if n, e := strconv.Atoi(q.Get("_limit")); e == nil && n >= 0 {
		limit = n
	}
	if n, e := strconv.Atoi(q.Get("_skip")); e == nil && n >= 0 {
		skip = n
	}
	if limit > maxLimit {
		return 0, 0, badRequest("The limit you set is larger than the maximum limit for this resource (max_limit = %d).", maxLimit)
	}
	if skip > maxSkip {
		return 0, 0, badRequest("The skip you set is larger than the maximum skip for this resource (max_skip = %d). Please refine your search query.", maxSkip)
	}
	return limit, skip, nil
}

// listEndpoint walks the index from the newest: leads by date_updated, contacts
// and tasks by date_created.
func (s *Server) listEndpoint(req *request, kind string) ([]byte, *apiError) {
	limit, skip, err := limits(req.query, caps[kind].limit, caps[kind].skip)
	if err != nil {
		return nil, err
	}
	if kind == kindOpportunity {
		return s.opportunityList(req, limit, skip)
	}
	rows := s.live.created[kind].rows
	if kind == kindLead {
		rows = s.live.updated[kind].rows
	}
	keep := s.listFilter(req, kind)
	p := s.newPage(req, limit)
	for i, seen := len(rows)-1, 0; i >= 0 && !p.full(); i-- {
		if keep == nil && seen < skip && i >= skip {
			i, seen = len(rows)-1-skip, skip
		}
		if keep != nil && !keep(rows[i]) {
			continue
		}
		if seen++; seen > skip {
			p.add(rows[i])
		}
	}
	total := -1
	if kind != kindContact {
		total = s.countRows(rows, keep)
	}
	return p.end(total), nil
}

func taskFilters() []string {
	names := []string{"lead_id", "_type", "_type__in", "is_complete", "assigned_to", "view", "_order_by"}
	for _, d := range []string{"date", "due_date", "date_created", "date_updated"} {
		names = append(names, d+"__lt", d+"__lte", d+"__gt", d+"__gte")
	}
	return names
}

func (s *Server) countRows(rows []*version, keep func(*version) bool) int {
	if keep == nil {
		return len(rows)
	}
	n := 0
	for _, v := range rows {
		if keep(v) {
			n++
		}
	}
	return n
}

// listFilter is nil when everything is wanted and visible.
func (s *Server) listFilter(req *request, kind string) func(*version) bool {
	known := map[string][]string{kindLead: {"query"}, kindContact: {"lead_id"}, kindTask: taskFilters()}
	s.checkParams(&req.call, req.query, known[kind]...)
	var tests []func(*version) bool
	if id := req.query.Get("lead_id"); id != "" && kind != kindLead {
		tests = append(tests, func(v *version) bool { return v.rec.lead.id == id })
	}
	for _, k := range []string{"date", "due_date", "date_created", "date_updated"} {
		if lo, hi := s.rangeOf(req.query, k); kind == kindTask && (lo != -always || hi != always) {
			tests = append(tests, func(v *version) bool {
				at, ok := parseInstant(unquoted(member(s.text(v), k)))
				return ok && at >= lo && at < hi
			})
		}
	}
	for _, k := range []string{"is_complete", "assigned_to"} {
		if want := req.query.Get(k); want != "" && kind == kindTask {
			tests = append(tests, func(v *version) bool { return strings.Trim(string(member(s.text(v), k)), `"`) == want })
		}
	}
	if q := strings.ToLower(req.query.Get("query")); q != "" && kind == kindLead {
		tests = append(tests, func(v *version) bool { return strings.Contains(strings.ToLower(string(s.text(v))), q) })
	}
	if s.anyHidden() || req.key.role == RoleRestricted {
		tests = append(tests, func(v *version) bool { return s.visible(req.key, v.rec.leadRecord()) })
	}
	if tests == nil {
		return nil
	}
	return func(v *version) bool {
		return !slices.ContainsFunc(tests, func(t func(*version) bool) bool { return !t(v) })
	}
}

// page collects rows until one more than the limit was offered.
type page struct {
	s       *Server
	want    *fieldSet
	limit   int
	n       int
	more    bool
	out     []byte
	scratch []byte
}

func (s *Server) newPage(req *request, limit int) *page {
	return &page{s: s, want: newFieldSet(req.query.Get("_fields")), limit: limit, out: []byte(`{"data":[`)}
}

func (p *page) full() bool { return p.more }

func (p *page) add(v *version) {
	if p.n == p.limit {
		p.more = true
		return
	}
	if p.n > 0 {
		p.out = append(p.out, ',')
	}
	p.n++
	if p.want == nil {
		p.out = p.s.appendFull(p.out, v)
		return
	}
	p.scratch = p.s.appendFull(p.scratch[:0], v)
	p.out = p.s.project(p.out, p.scratch, v.rec, p.want)
}

// end closes the answer; total below zero means the list has none.
func (p *page) end(total int) []byte {
	p.out = append(p.out, `],"has_more":`...)
	p.out = strconv.AppendBool(p.out, p.more)
	if total >= 0 {
		p.out = strconv.AppendInt(append(p.out, `,"total_results":`...), int64(total), 10)
	}
	return append(p.out, '}')
}
