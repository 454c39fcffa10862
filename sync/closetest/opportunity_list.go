package closetest

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

var opportunityFilters = []string{"lead_id", "user_id", "status_id", "status_type", "status_label", "value_period"}

// opportunityList filters and orders as documented; without _order_by the
// newest come first. An order not allowed is silently dropped.
func (s *Server) opportunityList(req *request, limit, skip int) ([]byte, *apiError) {
	rows := s.opportunityRows(req)
	p := s.newPage(req, limit)
	for _, v := range rows[min(skip, len(rows)):] {
		if p.add(v); p.full() {
			break
		}
	}
	out := p.end(len(rows))
	return s.appendAggregates(out[:len(out)-1], rows), nil
}

func (s *Server) opportunityRows(req *request) []*version {
	q := req.query
	s.checkOpportunityParams(req)
	by, desc := q.Get("_order_by"), false
	if strings.HasPrefix(by, "-") {
		by, desc = by[1:], true
	}
	x := s.live.created[kindOpportunity]
	switch by {
	case "date_updated":
		x = s.live.updated[kindOpportunity]
	case "date_created", "date_won", "confidence", "user_name", "value", "annualized_value", "annualized_expected_value":
	default:
		by, desc = "date_created", true
	}
	base := "date_created"
	if by == "date_updated" {
		base = by
	}
	lo, hi := s.rangeOf(q, base)
	rows := slices.Clone(x.rows[min(x.from(lo), x.from(hi)):x.from(hi)])
	ofLead := s.leadFilter(req)
	rows = slices.DeleteFunc(rows, func(v *version) bool {
		return !s.opportunityMatches(req, v) || ofLead != nil && !ofLead(v.rec.lead.live)
	})
	if by != "date_created" && by != "date_updated" {
		slices.SortStableFunc(rows, func(a, b *version) int { return compareRaw(member(s.text(a), by), member(s.text(b), by)) })
	}
	if desc {
		slices.Reverse(rows)
	}
	return rows
}

func (s *Server) checkOpportunityParams(req *request) {
	known := []string{"_order_by", "organization_id", "query", "status", "is_stalled", "lead_saved_search_id"}
	for _, f := range opportunityFilters {
		known = append(known, f, f+"__in")
	}
	for _, d := range []string{"date_created", "date_updated", "date_won"} {
		known = append(known, d+"__lt", d+"__lte", d+"__gt", d+"__gte")
	}
	s.checkParams(&req.call, req.query, known...)
}

const (
	always = int64(1) << 62
)

// rangeOf is the half-open range [lo, hi) of a date's four filters.
func (s *Server) rangeOf(q url.Values, field string) (lo, hi int64) {
	lo, hi = -always, always
	for _, op := range []string{"gte", "gt", "lt", "lte"} {
		us, ok := parseInstant(q.Get(field + "__" + op))
		if !ok {
			continue
		}
		switch op {
		case "gte":
			lo = max(lo, us)
		case "gt":
			lo = max(lo, us+1)
		case "lt":
			hi = min(hi, us)
		case "lte":
			hi = min(hi, us+1)
		}
	}
	return lo, hi
}

func (s *Server) opportunityMatches(req *request, v *version) bool {
	q := req.query
	if !s.visible(req.key, v.rec.lead) {
		return false
	}
	for field, at := range map[string]int64{"date_created": v.created, "date_updated": v.updated} {
		if lo, hi := s.rangeOf(q, field); at < lo || at >= hi {
			return false
		}
	}
	text := s.text(v)
	if lo, hi := s.rangeOf(q, "date_won"); lo != -always || hi != always {
		at, ok := parseInstant(unquoted(member(text, "date_won")))
		if !ok || at < lo || at >= hi {
			return false
		}
	}
	if org := q.Get("organization_id"); org != "" && org != s.cat.orgID {
		return false
	}
	if label := q.Get("status"); label != "" && label != unquoted(member(text, "status_label")) {
		return false
	}
	for _, f := range opportunityFilters {
		one, in := q.Get(f), q.Get(f+"__in")
		if one == "" && in == "" {
			continue
		}
		val := unquoted(member(text, f))
		if (one != "" && val != one) || (in != "" && !slices.Contains(strings.Split(in, ","), val)) {
			return false
		}
	}
	return true
}

// leadFilter is the part of the filters that is about the lead; nil for none.
// A Smart View that does not exist lists nothing.
func (s *Server) leadFilter(req *request) func(*version) bool {
	id, words := req.query.Get("lead_saved_search_id"), strings.ToLower(req.query.Get("query"))
	if id == "" && words == "" {
		return nil
	}
	saved, err := s.compile(req, s.saved[id])
	return func(lead *version) bool {
		if lead == nil || id != "" && (s.saved[id] == nil || err != nil || !saved.match(lead)) {
			return false
		}
		return strings.Contains(strings.ToLower(string(s.text(lead))), words)
	}
}

// compareRaw orders nulls first, numbers by value, texts by bytes.
func compareRaw(a, b []byte) int {
	x, e1 := strconv.ParseFloat(string(a), 64)
	y, e2 := strconv.ParseFloat(string(b), 64)
	switch {
	case e1 == nil && e2 == nil && x < y:
		return -1
	case e1 == nil && e2 == nil && x > y:
		return 1
	case string(a) == "null" && string(b) != "null":
		return -1
	case string(b) == "null" && string(a) != "null":
		return 1
	}
	return bytes.Compare(a, b)
}

// appendAggregates adds sums over all matches, by value period.
func (s *Server) appendAggregates(dst []byte, rows []*version) []byte {
	counts := map[string]int{}
	total, expected := map[string]int64{}, map[string]int64{}
	for _, v := range rows {
		var o struct {
			Value    *int64 `json:"value"`
			Period   string `json:"value_period"`
			Expected int64  `json:"expected_value"`
			Annual   int64  `json:"annualized_value"`
			AnnualEx int64  `json:"annualized_expected_value"`
		}
		if json.Unmarshal(s.text(v), &o) != nil || o.Value == nil {
			continue
		}
		counts[o.Period]++
		total[o.Period] += *o.Value
		total["annualized"] += o.Annual
		expected[o.Period] += o.Expected
		expected["annualized"] += o.AnnualEx
	}
	dst = appendMember(dst, "count_by_value_period", counts)
	for _, sum := range []struct {
		name string
		by   map[string]int64
	}{{"total_value_", total}, {"expected_value_", expected}} {
		for _, period := range []string{"one_time", "monthly", "annual", "annualized"} {
			dst = appendMember(dst, sum.name+period, sum.by[period])
			var formatted any
			if sum.by[period] != 0 {
				formatted = money(sum.by[period])
			}
			dst = appendMember(dst, sum.name+period+"_formatted", formatted)
		}
	}
	return append(dst, '}')
}
