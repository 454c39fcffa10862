package mapping

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// appendText appends the canonical form of the valid JSON string src, quotes
// included. NUL characters, which Postgres cannot hold, are dropped; invalid
// UTF-8 and lone surrogates become U+FFFD (fault A19). Nothing is trimmed.
func appendText(dst, src []byte) []byte {
	if plainText(src) {
		return append(dst, src...)
	}
	// The error only says that something was replaced, which is the rule.
	text, _ := jsontext.AppendUnquote(nil, src)
	if bytes.IndexByte(text, 0) >= 0 {
		text = bytes.ReplaceAll(text, []byte{0}, nil)
	}
	return appendQuoted(dst, text)
}

// plainText reports whether the quoted string is its own canonical form.
func plainText(src []byte) bool {
	ascii := true
	for _, c := range src {
		if c == '\\' {
			return false
		}
		if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	return ascii || utf8.Valid(src)
}

// appendQuoted appends text as a JSON string with the fewest escapes.
func appendQuoted(dst, text []byte) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}

// TextValue gives the Value of a Go string under the rules of text fields:
// NULs dropped, broken UTF-8 replaced, "" is Null.
func TextValue(s string) Value {
	q := appendText(nil, appendQuoted(nil, []byte(s)))
	if len(q) == 2 {
		return Null
	}
	return Value(q)
}

// Text gives the Go string inside a text Value; false if v is none. Null is
// no text.
func (v Value) Text() (string, bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	if plainText([]byte(v)) {
		return string(v[1 : len(v)-1]), true
	}
	b, err := jsontext.AppendUnquote(nil, string(v))
	return string(b), err == nil
}
