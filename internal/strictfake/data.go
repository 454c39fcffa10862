package strictfake

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// written are the fields that a caller may write, by object type.
var written = map[string][]string{
	"lead":        {"name", "description", "url", "status_id", "addresses"},
	"contact":     {"lead_id", "name", "title", "emails", "phones", "urls"},
	"opportunity": {"lead_id", "contact_id", "user_id", "status_id", "value", "value_period", "confidence", "note", "date_won"},
}

// data is a record as an event holds it, or whole as a reading does. The
// caller holds mu.
func (s *Server) data(r *record, whole bool) map[string]any {
	m := map[string]any{
		"id": r.id, "organization_id": s.Organization, "date_created": s.stamp(r.created), "date_updated": s.stamp(r.updated),
		"created_by": r.fields["created_by"], "updated_by": r.fields["updated_by"],
	}
	for _, name := range written[r.kind] {
		m[name] = clone(r.fields[name])
	}
	for name, v := range r.fields {
		if strings.HasPrefix(name, "custom.") {
			m[name] = clone(v)
		}
	}
	switch r.kind {
	case "lead":
		s.leadData(m, r, whole)
	case "contact":
		contactData(m)
	case "opportunity":
		st := statusOf(opportunityStatuses, r.text("status_id"))
		m["status_label"], m["status_display_name"], m["status_type"] = st.label, st.label, st.kind
		m["pipeline_id"], m["pipeline_name"], m["value_currency"] = Pipeline, "Sales", "EUR"
		m["date_lost"], m["note_html"], m["attachments"] = nil, nil, []any{}
		if st.kind == "lost" {
			m["date_lost"] = s.stamp(r.updated)
		}
	}
	return m
}

func (s *Server) leadData(m map[string]any, r *record, whole bool) {
	m["display_name"], m["html_url"] = m["name"], "https://app.close.com/lead/"+r.id+"/"
	m["status_label"] = statusOf(leadStatuses, r.text("status_id")).label
	if m["name"] == nil {
		m["display_name"] = "Untitled"
	}
	if m["addresses"] == nil {
		m["addresses"] = []any{}
	}
	ids, contacts, opportunities := []any{}, []any{}, []any{}
	for _, id := range s.order {
		child := s.records[id]
		if child == nil || child.text("lead_id") != r.id {
			continue
		}
		if child.kind == "contact" {
			ids = append(ids, id)
			contacts = append(contacts, s.data(child, true))
		} else {
			opportunities = append(opportunities, s.data(child, true))
		}
	}
	if !whole {
		m["contact_ids"] = ids
		return
	}
	m["contacts"], m["opportunities"], m["tasks"], m["integration_links"] = contacts, opportunities, []any{}, []any{}
	byName := map[string]any{} // deprecated and still sent
	for _, f := range s.fields["lead"] {
		if v, ok := m["custom."+f.ID]; ok {
			byName[f.Name] = v
		}
	}
	m["custom"] = byName
}

func contactData(m map[string]any) {
	for _, name := range []string{"emails", "phones", "urls"} {
		if m[name] == nil {
			m[name] = []any{}
		}
	}
	emails := m["emails"].([]any)
	for _, e := range emails {
		e.(map[string]any)["is_unsubscribed"] = false
	}
	m["display_name"], m["timezone"], m["integration_links"] = m["name"], nil, []any{}
	if m["name"] == nil && len(emails) > 0 {
		m["display_name"] = emails[0].(map[string]any)["email"]
	}
}

// only keeps the fields that _fields names; "custom" stands for all of them.
func (s *Server) only(m map[string]any, names []string) map[string]any {
	if s.opt.AllFields || slices.Contains(names, "_all") {
		return m
	}
	kept := map[string]any{}
	for name, v := range m {
		if slices.Contains(names, name) || (strings.HasPrefix(name, "custom.") && slices.Contains(names, "custom")) {
			kept[name] = v
		}
	}
	if slices.Contains(names, "contact_ids") {
		kept["contact_ids"] = contactIDs(m)
	}
	return kept
}

func contactIDs(m map[string]any) []any {
	ids := []any{}
	contacts, _ := m["contacts"].([]any)
	for _, c := range contacts {
		ids = append(ids, c.(map[string]any)["id"])
	}
	return ids
}

// exists reports whether an object type has a field to read.
func (s *Server) exists(kind, name string) bool {
	if strings.HasPrefix(name, "custom.") {
		_, ok := s.field(kind, name)
		return ok
	}
	also := []string{"id", "organization_id", "date_created", "date_updated", "created_by", "updated_by", "custom", "_all"}
	switch kind {
	case "lead":
		also = append(also, "display_name", "html_url", "status_label", "contacts", "opportunities", "tasks", "contact_ids", "integration_links")
	case "contact":
		also = append(also, "display_name", "timezone", "integration_links")
	case "opportunity":
		also = append(also, "status_label", "status_display_name", "status_type", "pipeline_id", "pipeline_name", "value_currency",
			"date_lost", "note_html", "attachments", "lead_name", "contact_name", "user_name")
	}
	return slices.Contains(also, name) || slices.Contains(written[kind], name)
}

// clone copies JSON.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := maps.Clone(v)
		for name := range m {
			m[name] = clone(m[name])
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i := range v {
			l[i] = clone(v[i])
		}
		return l
	}
	return v
}

// equal compares as JSON.
func equal(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}
