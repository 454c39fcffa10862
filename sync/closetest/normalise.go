package closetest

import (
	"encoding/json"
	"html"
	"strings"
)

// What Close does to values on their way in. What is read back differs from
// what was sent, and sending it again changes nothing more.

func lower(s string) string { return strings.ToLower(s) }

const maxText = 1024

// normalText trims; an emptied text is stored as null.
func normalText(v any) (any, string) {
	switch t := v.(type) {
	case nil:
		return nil, ""
	case string:
		if t = strings.TrimSpace(t); t == "" {
			return nil, ""
		}
		return t, ""
	}
	return nil, "This field must be a string."
}

func normalShortText(v any) (any, string) {
	v, msg := normalText(v)
	if t, ok := v.(string); ok && len([]rune(t)) > maxText {
		return nil, "Value must be no more than 1024 characters long."
	}
	return v, msg
}

// normalURL adds the scheme that is missing.
func normalURL(v any) (any, string) {
	v, msg := normalShortText(v)
	t, ok := v.(string)
	if !ok || msg != "" {
		return v, msg
	}
	if strings.ContainsAny(t, " \n") {
		return nil, "Invalid URL."
	}
	if !strings.Contains(t, "://") {
		t = "http://" + t
	}
	return t, ""
}

// normalPhone gives the number in E.164, its printed form and its country
// (nil when the prefix is unknown).
func normalPhone(s string) (number, formatted string, country any, ok bool) {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	if !strings.HasPrefix(strings.TrimSpace(s), "+") {
		if strings.HasPrefix(digits, "00") {
			digits = digits[2:]
		} else if len(digits) == 10 {
			digits = "1" + digits
		}
	}
	if len(digits) < 5 || len(digits) > 15 {
		return "", "", nil, false
	}
	number = "+" + digits
	if digits[0] == '1' && len(digits) == 11 {
		return number, "+1 " + digits[1:4] + "-" + digits[4:7] + "-" + digits[7:], "US", true
	}
	for prefix, c := range map[string]string{"44": "GB", "49": "DE", "33": "FR", "34": "ES", "31": "NL", "46": "SE"} {
		if strings.HasPrefix(digits, prefix) {
			return number, "+" + prefix + " " + digits[2:], c, true
		}
	}
	return number, number, nil, true
}

func normalEmail(s string) (string, bool) {
	s = lower(strings.TrimSpace(s))
	at := strings.LastIndexByte(s, '@')
	return s, at > 0 && strings.Contains(s[at:], ".") && !strings.ContainsAny(s, " ,;<>")
}

// listOf checks that v is a list of objects and rebuilds each by item, which
// reports errors into f. A null list is an empty one.
func listOf(v any, item func(in map[string]any, f fieldErrors) map[string]any) (any, any) {
	if v == nil {
		return []any{}, nil
	}
	in, ok := v.([]any)
	if !ok {
		return nil, "This field must be a list."
	}
	out := make([]any, 0, len(in))
	for i, e := range in {
		f := fieldErrors{}
		m, ok := e.(map[string]any)
		if !ok {
			return nil, "This field must be a list of objects."
		}
		if r := item(m, f); r != nil {
			out = append(out, r)
		}
		if len(f) > 0 {
			return nil, atIndex(i, f)
		}
	}
	return out, nil
}

func kindOf(in map[string]any, def string) any {
	if t, ok := in["type"].(string); ok && t != "" {
		return t
	}
	return def
}

func normalEmails(v any) (any, any) {
	return listOf(v, func(in map[string]any, f fieldErrors) map[string]any {
		t, _ := in["email"].(string)
		e, ok := normalEmail(t)
		if !ok {
			f["email"] = "Invalid email address."
		}
		return map[string]any{"email": e, "type": kindOf(in, "office"), "is_unsubscribed": false}
	})
}

func normalPhones(v any) (any, any) {
	return listOf(v, func(in map[string]any, f fieldErrors) map[string]any {
		t, _ := in["phone"].(string)
		n, formatted, country, ok := normalPhone(t)
		if !ok {
			f["phone"] = "Invalid phone number."
		}
		return map[string]any{"phone": n, "phone_formatted": formatted, "type": kindOf(in, "office"), "country": country}
	})
}

func normalURLs(v any) (any, any) {
	return listOf(v, func(in map[string]any, f fieldErrors) map[string]any {
		u, msg := normalURL(in["url"])
		if msg == "" && u == nil {
			msg = "This field is required."
		}
		if msg != "" {
			f["url"] = msg
		}
		return map[string]any{"url": u, "type": kindOf(in, "url")}
	})
}

var addressParts = []string{"address_1", "address_2", "city", "state", "zipcode", "country"}

func normalAddresses(v any) (any, any) {
	return listOf(v, func(in map[string]any, f fieldErrors) map[string]any {
		label, _ := in["label"].(string)
		if label == "" {
			label = "business"
		}
		out := map[string]any{"label": label}
		for _, k := range addressParts {
			t, _ := in[k].(string)
			out[k] = strings.TrimSpace(t)
		}
		return out
	})
}

// noteHTML and notePlain keep an opportunity's two notes in step.
func noteHTML(note any) any {
	t, ok := note.(string)
	if !ok {
		return nil
	}
	return "<body><p>" + strings.ReplaceAll(html.EscapeString(t), "\n", "</p><p>") + "</p></body>"
}

func notePlain(rich string) any {
	var b strings.Builder
	for depth, r := 0, []rune(strings.NewReplacer("</p><p>", "\n", "<br>", "\n", "<br/>", "\n").Replace(rich)); len(r) > 0; r = r[1:] {
		switch {
		case r[0] == '<':
			depth++
		case r[0] == '>' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r[0])
		}
	}
	v, _ := normalText(html.UnescapeString(b.String()))
	return v
}

// integer is v as a whole number; numbers arrive as json.Number.
func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	case float64:
		return int64(n), n == float64(int64(n))
	case int:
		return int64(n), true
	case int64:
		return n, true
	}
	return 0, false
}
