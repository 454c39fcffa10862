package closetest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

func opportunityDefaults(s *Server, c *call, _ *record, f map[string]any) {
	f["user_id"] = c.actor.UserID
	f["status_id"] = s.cat.pipelines[0].statuses[0].id
	f["value_period"], f["confidence"] = "one_time", json.Number("50")
}

func setOpportunity(s *Server, c *call, r *record, f map[string]any, key string, v any) (wrong any, known bool) {
	var msg string
	switch key {
	case "lead_id":
		if r.live != nil && v != r.lead.id {
			msg = "This field cannot be changed."
		}
	case "contact_id":
		msg = s.setOpportunityContact(r, f, v)
	case "user_id":
		if v != nil && v != f[key] && !s.activeUser(v) {
			return "User does not exist.", true
		}
		f[key] = v
	case "pipeline_id":
		msg = s.setPipeline(r, f, v)
	case "status_id", "status":
		msg = s.setOpportunityStatus(c, r, f, key, v)
	case "value":
		if _, ok := integer(v); !ok && v != nil {
			return "This field must be an integer.", true
		}
		f[key] = v
	case "value_period":
		if v != "one_time" && v != "monthly" && v != "annual" {
			return "Value must be one of one_time, monthly, annual.", true
		}
		f[key] = v
	case "confidence":
		if n, ok := integer(v); !ok || n < 0 || n > 100 {
			return "Value must be an integer between 0 and 100.", true
		}
		f[key] = v
	case "date_won":
		f[key], msg = plainDate(v)
	case "note":
		f[key], msg = normalText(v)
		f["note_html"] = noteHTML(f[key])
	case "note_html":
		t, ok := v.(string)
		f[key], f["note"] = nil, nil
		if ok && t != "" {
			f[key], f["note"] = t, notePlain(t)
		}
	default:
		return nil, false
	}
	return msg, true
}

func plainDate(v any) (any, string) {
	if v == nil {
		return nil, ""
	}
	t, _ := v.(string)
	us, ok := parseInstant(t)
	if !ok {
		return nil, "Invalid date."
	}
	return zoneless(us)[:10], ""
}

func (s *Server) setOpportunityContact(r *record, f map[string]any, v any) string {
	if v == nil {
		f["contact_id"] = nil
		return ""
	}
	id, _ := v.(string)
	if ct := s.find(kindContact, id); ct == nil || ct.lead != r.lead {
		return "Contact does not exist on this lead."
	}
	f["contact_id"] = id
	return ""
}

// setPipeline chooses the pipeline's first status on create; later the
// pipeline only follows the status.
func (s *Server) setPipeline(r *record, f map[string]any, v any) string {
	id, _ := v.(string)
	p := s.cat.pipeline(id)
	if p == nil {
		return "Pipeline does not exist."
	}
	if r.live == nil {
		f["status_id"], f["pipeline_id"] = p.statuses[0].id, p.id
	}
	return ""
}

// setOpportunityStatus has Close's side effects: won means confidence 100 and
// a date_won of today (in the caller's zone) when there is none.
func (s *Server) setOpportunityStatus(c *call, r *record, f map[string]any, key string, v any) string {
	match := withID(v)
	if key == "status" {
		match = withLabel(v)
	}
	st := s.cat.opportunityStatus(match)
	if st == nil {
		return "Status does not exist."
	}
	if want := f["pipeline_id"]; r.live == nil && want != nil && want != st.pipeline.id {
		return "Status does not belong to the pipeline."
	}
	if f["status_id"] == st.id && r.live != nil {
		return ""
	}
	f["status_id"] = st.id
	switch st.kind {
	case "won":
		f["confidence"] = json.Number("100")
		if f["date_won"] == nil {
			local := s.opt.Now().Add(time.Duration(c.tzOffset * float64(time.Hour)))
			f["date_won"] = local.UTC().Format(time.DateOnly)
		}
	case "lost":
		f["confidence"] = json.Number("0")
		f["date_lost"] = zoned(s.stamp())
	}
	if st.kind != "lost" {
		f["date_lost"] = nil
	}
	return ""
}

func deriveOpportunity(s *Server, r *record, f map[string]any) {
	f["lead_id"], f["lead_name"] = r.lead.id, displayName(r.lead, s)
	f["contact_name"], f["attachments"], f["integration_links"] = nil, []any{}, s.integrationLinks(r)
	if id, ok := f["contact_id"].(string); ok {
		if ct := s.find(kindContact, id); ct != nil {
			f["contact_name"] = displayName(ct, s)
		}
	}
	if st := s.cat.opportunityStatus(withID(f["status_id"])); st != nil {
		f["status_label"], f["status_display_name"], f["status_type"] = st.label, st.label, st.kind
		f["pipeline_id"], f["pipeline_name"] = st.pipeline.id, st.pipeline.name
	}
	f["user_name"] = s.cat.userName(f["user_id"])
	f["created_by_name"], f["updated_by_name"] = s.cat.userName(f["created_by"]), s.cat.userName(f["updated_by"])
	f["value_currency"] = s.cat.currency
	value, ok := integer(f["value"])
	if !ok {
		for _, k := range []string{"value_formatted", "expected_value", "annualized_value", "annualized_expected_value"} {
			f[k] = nil
		}
		return
	}
	confidence, _ := integer(f["confidence"])
	annual := value
	if f["value_period"] == "monthly" {
		annual *= 12
	}
	period, _ := f["value_period"].(string)
	f["value_formatted"] = money(value) + periodSuffix(period)
	f["expected_value"], f["annualized_value"] = number(value*confidence/100), number(annual)
	f["annualized_expected_value"] = number(annual * confidence / 100)
}

func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

func periodSuffix(period string) string {
	if period == "one_time" || period == "" {
		return ""
	}
	return " " + period
}

// money prints cents: 1250000 is "€12,500", 50 is "€0.50".
func money(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	whole := strconv.FormatInt(cents/100, 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if cents%100 != 0 {
		whole += fmt.Sprintf(".%02d", cents%100)
	}
	return sign + "€" + whole
}
