package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"closesync/mapping"
)

// form is how a token looks as content of a field.
type form int

const (
	asText form = iota
	asNumber
	asEmail
	asPhone
)

// fieldSpec is a field that steps write.
type fieldSpec struct {
	name string // as in scripts; "custom" stands for the text field that the imitation has
	form form
	item bool // a list: steps add and remove items
}

// written lists what steps write, by object type.
var written = map[string][]fieldSpec{
	"lead":        {{"name", asText, false}, {"description", asText, false}, {"custom", asText, false}},
	"contact":     {{"name", asText, false}, {"title", asText, false}, {"emails", asEmail, true}, {"phones", asPhone, true}},
	"opportunity": {{"note", asText, false}, {"value", asNumber, false}},
}

func specOf(objectType, name string) (fieldSpec, bool) {
	i := slices.IndexFunc(written[objectType], func(f fieldSpec) bool { return f.name == name })
	if i < 0 {
		return fieldSpec{}, false
	}
	return written[objectType][i], true
}

// token is the content that write n puts into a field: no other write of the
// scenario has it, so whatever survives names its write (Jepsen's trick).
func (f fieldSpec) token(n int) any {
	switch f.form {
	case asNumber:
		return 770000 + n
	case asEmail:
		return fmt.Sprintf("tok%dx@side.example", n)
	case asPhone:
		return fmt.Sprintf("+1415555%04d", n)
	}
	return fmt.Sprintf("tok%dx", n)
}

// item is a list's item that holds a token.
func (f fieldSpec) itemOf(n int) map[string]any {
	key := "email"
	if f.form == asPhone {
		key = "phone"
	}
	return map[string]any{key: f.token(n), "type": "office"}
}

// mark is a piece of text by which a token is found in any JSON.
func (f fieldSpec) mark(n int) string {
	switch f.form {
	case asNumber:
		return strconv.Itoa(770000 + n)
	case asPhone:
		return fmt.Sprintf("1415555%04d", n)
	}
	return fmt.Sprintf("tok%dx", n)
}

// closeName is Close's name of a field as scripts call it.
func (w *World) closeName(objectType, field string) string {
	if field == "custom" {
		return "custom." + w.customID
	}
	return field
}

// canon is a Go value as the worker compares it.
func (w *World) canon(objectType, field string, v any) mapping.Value {
	f, ok := w.objects[objectType].Field(w.closeName(objectType, field))
	if !ok {
		return mapping.Null
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return mapping.Null
	}
	value, err := mapping.Canon(f, raw)
	if err != nil {
		return mapping.Null
	}
	return value
}
