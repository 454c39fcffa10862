package closetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// keyOrder is the order of members in answers, as in recorded ones. Custom
// fields follow, sorted.
var keyOrder = map[string][]string{
	kindLead: {"id", "organization_id", "name", "display_name", "description", "url", "html_url",
		"status_id", "status_label", "addresses", "integration_links",
		"created_by", "created_by_name", "updated_by", "updated_by_name", "date_created", "date_updated"},
	kindContact: {"id", "organization_id", "lead_id", "name", "display_name", "title", "emails", "phones", "urls",
		"timezone", "timezone_source", "integration_links",
		"created_by", "updated_by", "date_created", "date_updated"},
	kindOpportunity: {"id", "organization_id", "lead_id", "lead_name", "contact_id", "contact_name",
		"user_id", "user_name", "pipeline_id", "pipeline_name",
		"status_id", "status_label", "status_display_name", "status_type",
		"value", "value_period", "value_currency", "value_formatted",
		"confidence", "expected_value", "annualized_value", "annualized_expected_value",
		"date_won", "date_lost", "note", "note_html", "attachments", "integration_links",
		"created_by", "created_by_name", "updated_by", "updated_by_name", "date_created", "date_updated"},
	kindTask: {"_type", "id", "organization_id", "lead_id", "lead_name", "text", "date", "due_date",
		"is_complete", "assigned_to", "assigned_to_name", "contact_id", "contact_name",
		"created_by", "created_by_name", "updated_by", "updated_by_name", "date_created", "date_updated"},
}

const customPrefix = "custom."

// encodeFields prints a record's own fields in their fixed order.
func encodeFields(kind string, f map[string]any) []byte {
	dst := []byte{'{'}
	for _, k := range keyOrder[kind] {
		dst = appendMember(dst, k, f[k])
	}
	var custom []string
	for k := range f {
		if strings.HasPrefix(k, customPrefix) {
			custom = append(custom, k)
		}
	}
	slices.Sort(custom)
	for _, k := range custom {
		dst = appendMember(dst, k, f[k])
	}
	return append(dst, '}')
}

func appendMember(dst []byte, key string, v any) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(append(append(dst, '"'), key...), '"', ':')
	return append(dst, encode(v)...)
}

// encode prints v without escaping HTML. Values come from decoded JSON, so it
// cannot fail.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("closetest: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// decodeObject keeps numbers to the digit.
func decodeObject(raw []byte) (map[string]any, error) {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err := d.Decode(&m)
	if err != nil {
		return m, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return m, nil
}

// fields is the record's own fields, decoded anew: the caller may change them.
func (s *Server) fields(v *version) map[string]any {
	m, err := decodeObject(s.text(v))
	if err != nil {
		panic("closetest: stored text of " + v.rec.id + ": " + err.Error())
	}
	return m
}

// appendFull appends the record as GET answers it: a lead with its nested
// objects and the old dictionary of custom fields by name.
func (s *Server) appendFull(dst []byte, v *version) []byte {
	start := len(dst)
	dst = s.appendText(dst, v)
	if v.rec.kind != kindLead {
		return dst
	}
	customs := s.appendCustomByName(nil, dst[start:])
	dst = dst[:len(dst)-1]
	for _, k := range []string{kindContact, kindOpportunity, kindTask} {
		dst = append(append(append(dst, `,"`...), plural[k]...), `":`...)
		dst = s.appendChildren(dst, v.rec, k)
	}
	dst = append(dst, `,"custom":`...)
	return append(append(dst, customs...), '}')
}

var plural = map[string]string{kindContact: "contacts", kindOpportunity: "opportunities", kindTask: "tasks"}

// appendChildren appends the list of a lead's live children of one kind; of
// tasks only those not complete (since 2024-06-07).
func (s *Server) appendChildren(dst []byte, lead *record, kind string) []byte {
	dst = append(dst, '[')
	n := len(dst)
	for _, c := range lead.children {
		if c.kind != kind || c.live == nil || (kind == kindTask && string(member(s.text(c.live), "is_complete")) == "true") {
			continue
		}
		if len(dst) > n {
			dst = append(dst, ',')
		}
		dst = s.appendText(dst, c.live)
	}
	return append(dst, ']')
}

func (s *Server) appendCustomByName(dst, raw []byte) []byte {
	dst = append(dst, '{')
	eachMember(raw, func(k, v []byte) bool {
		if len(k) <= len(customPrefix) || string(k[:len(customPrefix)]) != customPrefix {
			return true
		}
		if def := s.customs[string(k[len(customPrefix):])]; def != nil {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(append(dst, def.nameJSON...), ':')
			dst = append(dst, v...)
		}
		return true
	})
	return append(dst, '}')
}

// contactIDs is the list in lead events and in answers asked for it.
func (r *record) contactIDs() []string {
	ids := []string{}
	for _, c := range r.children {
		if c.kind == kindContact && c.live != nil {
			ids = append(ids, c.id)
		}
	}
	return ids
}

// eventText is the record as event data carries it: its own fields, for a
// lead with contact_ids and without nested objects.
func (s *Server) eventText(v *version) []byte {
	raw := s.text(v)
	if v.rec.kind != kindLead {
		return raw
	}
	dst := []byte{'{'}
	eachMember(raw, func(k, val []byte) bool {
		if string(k) != "integration_links" {
			dst = appendRaw(dst, k, val)
		}
		return true
	})
	return append(appendMember(dst, "contact_ids", v.rec.contactIDs()), '}')
}
