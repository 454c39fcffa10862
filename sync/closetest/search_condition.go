package closetest

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

type condition struct {
	Type          string            `json:"type"`
	Value         json.RawMessage   `json:"value"`
	Mode          string            `json:"mode"`
	Values        []json.RawMessage `json:"values"`
	ReferenceType string            `json:"reference_type"`
	ObjectIDs     []string          `json:"object_ids"`
	GT            *float64          `json:"gt"`
	GTE           *float64          `json:"gte"`
	LT            *float64          `json:"lt"`
	LTE           *float64          `json:"lte"`
	OnOrAfter     *moment           `json:"on_or_after"`
	Before        *moment           `json:"before"`
}

// moment is one of Close's ways to name an instant.
type moment struct {
	Type      string             `json:"type"`
	Value     string             `json:"value"`
	Which     string             `json:"which"`
	Direction string             `json:"direction"`
	Moment    *moment            `json:"moment"`
	Offset    map[string]float64 `json:"offset"`
	DayEnd    string             `json:"which_day_end"`
}

func (c compiler) fieldCondition(n *node, required bool) (test, *apiError) {
	if n.Condition == nil {
		return nil, badRequest("A field_condition needs a condition.")
	}
	if n.Condition.Type == "moment_range" {
		return c.momentRange(n, required)
	}
	c.q.boundsOnly = false
	if n.Field.Type == "custom_field" && c.s.customs[n.Field.Custom] == nil {
		return nil, badRequest("Custom field %q does not exist.", n.Field.Custom)
	}
	raw, err := c.rawTest(n.Condition)
	if err != nil {
		return nil, err
	}
	return func(v subject) bool { return raw(c.s.fieldOf(v, n.Field)) }, nil
}

// fieldOf is a raw value, nil when unset.
func (s *Server) fieldOf(v subject, f fieldName) []byte {
	text := v.part
	if text == nil {
		text = s.text(v.ver)
	}
	for count, list := range map[string]string{"addresses_count": "addresses", "emails_count": "emails",
		"phones_count": "phones", "urls_count": "urls"} {
		if f.Name == count {
			n := 0
			eachItem(member(text, list), func([]byte) bool { n++; return true })
			return strconv.AppendInt(nil, int64(n), 10)
		}
	}
	if f.Name == "all_urls_count" && v.kind == kindLead {
		return strconv.AppendInt(nil, int64(s.allURLs(v.ver)), 10)
	}
	return member(text, f.key())
}

// allURLs counts a lead's own address and those of its contacts.
func (s *Server) allURLs(v *version) int {
	n := len(s.relatives(v, "contact_url"))
	if len(unquoted(member(s.text(v), "url"))) > 0 {
		n++
	}
	for _, c := range s.relatives(v, kindContact) {
		n += len(s.relatives(c.ver, "contact_url"))
	}
	return n
}

// anyOf tests a value, or each item of a multi-value.
func anyOf(raw []byte, f func([]byte) bool) bool {
	if len(raw) == 0 || raw[0] != '[' {
		return f(raw)
	}
	found := false
	eachItem(raw, func(item []byte) bool {
		found = f(item)
		return !found
	})
	return found
}

func (c compiler) rawTest(k *condition) (func([]byte) bool, *apiError) {
	switch k.Type {
	case "boolean":
		return func(raw []byte) bool { return string(raw) == string(k.Value) }, nil
	case "exists":
		return func(raw []byte) bool {
			return len(raw) > 0 && string(raw) != "null" && string(raw) != "[]" && string(raw) != `""`
		}, nil
	case "current_user":
		return func(raw []byte) bool {
			return anyOf(raw, func(b []byte) bool { return unquoted(b) == c.req.key.userID })
		}, nil
	case "text":
		var want string
		_ = json.Unmarshal(k.Value, &want)
		return func(raw []byte) bool {
			return anyOf(raw, func(b []byte) bool { return textMatches(decodedText(b), want, k.Mode) })
		}, nil
	case "term":
		return func(raw []byte) bool { return anyOf(raw, func(b []byte) bool { return termIn(k.Values, b) }) }, nil
	case "reference":
		return func(raw []byte) bool {
			return anyOf(raw, func(b []byte) bool { return slices.Contains(k.ObjectIDs, unquoted(b)) })
		}, nil
	case "number_range":
		return func(raw []byte) bool {
			n, err := strconv.ParseFloat(string(raw), 64)
			return err == nil && (k.GT == nil || n > *k.GT) && (k.GTE == nil || n >= *k.GTE) &&
				(k.LT == nil || n < *k.LT) && (k.LTE == nil || n <= *k.LTE)
		}, nil
	}
	return nil, badRequest("Unknown condition type %q.", k.Type)
}

func termIn(values []json.RawMessage, raw []byte) bool {
	have := decodedText(raw)
	return slices.ContainsFunc(values, func(v json.RawMessage) bool { return decodedText(v) == have })
}

// decodedText is a string value's text, any other value as written.
func decodedText(raw []byte) string {
	var t string
	if json.Unmarshal(raw, &t) == nil && len(raw) > 0 && raw[0] == '"' {
		return t
	}
	return string(raw)
}

func (c compiler) momentRange(n *node, required bool) (test, *apiError) {
	r := span{-always, always}
	var err *apiError
	if m := n.Condition.OnOrAfter; m != nil {
		if r.lo, err = c.instant(m); err != nil {
			return nil, err
		}
	}
	if m := n.Condition.Before; m != nil {
		if r.hi, err = c.instant(m); err != nil {
			return nil, err
		}
	}
	at := func(v subject) (int64, bool) {
		return parseInstant(unquoted(c.s.fieldOf(v, n.Field)))
	}
	switch n.Field.key() {
	case "date_created":
		at = func(v subject) (int64, bool) { return v.ver.created, true }
		if required {
			c.q.created.narrow(r)
		}
	case "date_updated":
		at = func(v subject) (int64, bool) { return v.ver.updated, true }
		if required {
			c.q.updated.narrow(r)
		}
	default:
		c.q.boundsOnly = false
	}
	c.q.boundsOnly = c.q.boundsOnly && required && (c.q.created.open() || c.q.updated.open())
	return func(v subject) bool {
		us, ok := at(v)
		return ok && us >= r.lo && us < r.hi
	}, nil
}

func (a *span) narrow(b span) { a.lo, a.hi = max(a.lo, b.lo), min(a.hi, b.hi) }
func (a span) open() bool     { return a.lo == -always && a.hi == always }

func (c compiler) instant(m *moment) (int64, *apiError) {
	hours := time.Duration(c.req.tzOffset * float64(time.Hour))
	switch m.Type {
	case "now":
		return c.s.nowMicros(), nil
	case "fixed_utc":
		if us, ok := parseInstant(m.Value); ok {
			return us, nil
		}
	case "fixed_local_date":
		if us, ok := parseInstant(m.Value); ok {
			if m.Which == "end" {
				us += 24 * 3600_000_000
			}
			return us - hours.Microseconds(), nil
		}
	case "offset":
		from := c.s.nowMicros()
		if m.Moment != nil {
			var err *apiError
			if from, err = c.instant(m.Moment); err != nil {
				return 0, err
			}
		}
		return c.dayEnd(shifted(from, m), m.DayEnd), nil
	}
	return 0, badRequest("Invalid moment of type %q.", m.Type)
}

// dayEnd moves an instant to an end of its day in the caller's zone.
func (c compiler) dayEnd(us int64, which string) int64 {
	if which == "" {
		return us
	}
	zone := int64(c.req.tzOffset * 3600_000_000)
	day := int64(24 * 3600_000_000)
	start := (us+zone)/day*day - zone
	if which == "end" {
		start += day
	}
	return start
}

func shifted(from int64, m *moment) int64 {
	sign := 1
	if m.Direction == "past" {
		sign = -1
	}
	n := func(unit string) int { return sign * int(m.Offset[unit]) }
	t := time.UnixMicro(from).UTC().AddDate(n("years"), n("months"), n("weeks")*7+n("days"))
	t = t.Add(time.Duration(n("hours"))*time.Hour + time.Duration(n("minutes"))*time.Minute + time.Duration(n("seconds"))*time.Second)
	return micros(t)
}
