package mapping

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// lenient accepts what Close and Postgres may send: broken UTF-8 and lone
// surrogates are replaced, not refused. Duplicate keys are looked for where
// they matter.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// FieldError is a value that cannot be content of its field (fault A15). It
// names the types, never the value: that may be personal data.
type FieldError struct {
	Field  string
	Reason string
}

// Error says which field and why.
func (e *FieldError) Error() string { return fmt.Sprintf("field %s: %s", e.Field, e.Reason) }

// Canon gives the canonical Value of raw JSON as content of f (rule R5). It is
// idempotent and exact: no digit and no character is lost but NULs, lone
// surrogates and what is below a microsecond. Null, "" and, where the kind
// takes them, [] and {} are Null. The error is a *FieldError.
func Canon(f Field, raw []byte) (Value, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || !jsontext.Value(raw).IsValid(lenient) {
		return Null, &FieldError{f.Close, "not JSON"}
	}
	return canonValid(f, raw)
}

// canonValid is Canon for raw that is known to be one valid JSON value.
func canonValid(f Field, raw []byte) (Value, error) {
	v, err := appendValid(make([]byte, 0, len(raw)), f, raw)
	if err != nil || isEmpty(v) {
		return Null, err
	}
	return Value(v), nil
}

// appendValid appends the canonical form of a valid value; see isEmpty.
func appendValid(dst []byte, f Field, raw []byte) ([]byte, error) {
	if raw[0] == 'n' {
		return append(dst, raw...), nil
	}
	v, err := appendKind(dst, f, raw)
	if err != nil {
		return v, &FieldError{f.Close, err.Error()}
	}
	return v, nil
}

// isEmpty reports whether a canonical form stands for Null.
func isEmpty(v []byte) bool {
	switch string(v) {
	case `""`, "[]", "{}", "null":
		return true
	}
	return false
}

// appendKind appends the canonical form of a value that is not null.
func appendKind(dst []byte, f Field, raw []byte) ([]byte, error) {
	switch f.Kind {
	case Integer, Number, Boolean:
		return appendPlain(dst, f.Kind, raw)
	case Date, Timestamp:
		return appendMoment(dst, f.Kind, raw)
	case List:
		return appendList(dst, f, raw)
	case JSON, Any:
		return appendCanon(dst, raw)
	case Reference:
		if raw[0] == '{' {
			return appendLocalRef(dst, raw)
		}
	}
	if raw[0] != '"' {
		return dst, mismatch("text", raw)
	}
	return appendText(dst, raw), nil
}

func appendPlain(dst []byte, kind Kind, raw []byte) ([]byte, error) {
	switch {
	case string(raw) == `""`: // empty text is empty for every kind
		return append(dst, "null"...), nil
	case kind == Boolean && (raw[0] == 't' || raw[0] == 'f'):
		return append(dst, raw...), nil
	case kind == Boolean:
		return dst, mismatch("boolean", raw)
	case kindOf(raw) != "number" && kind == Integer:
		return dst, mismatch("integer", raw)
	case kindOf(raw) != "number":
		return dst, mismatch("number", raw)
	case kind == Integer:
		return appendInteger(dst, raw)
	}
	return appendNumber(dst, raw)
}

func appendMoment(dst []byte, kind Kind, raw []byte) ([]byte, error) {
	want := "date"
	if kind == Timestamp {
		want = "date and time"
	}
	if raw[0] != '"' {
		return dst, mismatch(want, raw)
	}
	text := string(raw[1 : len(raw)-1])
	if !plainText(raw) {
		text, _ = textOf(raw)
	}
	if text == "" {
		return append(dst, "null"...), nil
	}
	if kind == Date {
		if err := parseDay(text); err != nil {
			return dst, err
		}
		return append(append(append(dst, '"'), text...), '"'), nil
	}
	t, err := ParseTime(text)
	if err != nil {
		return dst, err
	}
	return append(appendTime(append(dst, '"'), t), '"'), nil
}

// appendLocalRef keeps what LocalRef made; no other object is a reference.
func appendLocalRef(dst, raw []byte) ([]byte, error) {
	ms, err := members(raw)
	if err != nil {
		return dst, err
	}
	if len(ms) != 1 || ms[0].key != `"local"` || ms[0].value[0] != '"' {
		return dst, mismatch("an id", raw)
	}
	return append(append(append(dst, `{"local":`...), ms[0].value...), '}'), nil
}

func mismatch(want string, raw []byte) error {
	return errors.New(want + " expected, got " + kindOf(raw))
}

// kindOf names the JSON type of a raw value.
func kindOf(raw []byte) string {
	switch raw[0] {
	case '"':
		return "text"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "number"
}
