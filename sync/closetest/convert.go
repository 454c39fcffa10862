package closetest

import (
	"encoding/json"
	"slices"
	"strings"
)

// multiTypes are the types of which a field may hold several values.
var multiTypes = []string{"choices", "user", "contact", "custom_object"}

// startConversion begins to turn a field into another type: meanwhile, and
// after it, only values that the new type can hold are there.
func (s *Server) startConversion(d *customField, to string) {
	d.convertingTo = to
	s.eachWith(d, func(r *record, f map[string]any, key string) {
		if _, fits := s.converted(d, to, r, f[key]); !fits {
			delete(f, key)
		}
	})
	s.after(s.opt.ConvertDelay, func() { s.endConversion(d, to) })
}

func (s *Server) endConversion(d *customField, to string) {
	s.eachWith(d, func(r *record, f map[string]any, key string) {
		if v, fits := s.converted(d, to, r, f[key]); fits {
			f[key] = v
		} else {
			delete(f, key)
		}
	})
	d.kind, d.convertingTo = to, ""
	d.multi = d.multi && slices.Contains(multiTypes, to)
	s.chooseSeedCustoms()
}

// converted is a value in the form of another type, if that can hold it.
func (s *Server) converted(d *customField, to string, r *record, v any) (any, bool) {
	list, many := v.([]any)
	if many && slices.Contains(multiTypes, to) {
		kept := []any{}
		for _, e := range list {
			if item, fits := s.converted(d, to, r, e); fits {
				kept = append(kept, item)
			}
		}
		return kept, len(kept) > 0
	}
	text := asText(v)
	switch to {
	case "text", "textarea", "hidden":
		return text, true
	case "number":
		n := json.Number(text)
		_, err := n.Float64()
		return n, err == nil && json.Valid([]byte(text))
	}
	target := *d
	target.kind = to
	item, msg := s.customItem(&target, r, text)
	return item, msg == ""
}

func asText(v any) string {
	switch t := v.(type) {
	case string:
		return t
	case []any:
		parts := make([]string, len(t))
		for i, e := range t {
			parts[i] = asText(e)
		}
		return strings.Join(parts, ", ")
	}
	return string(encode(v))
}
