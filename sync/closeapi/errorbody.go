package closeapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const keptErrorBody = 2 << 10

// lenient decodes what Close sends: strings with lone surrogates, objects
// that name a key twice. Used where losing a detail is better than failing.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// newError reads an error answer in any of the four shapes that are known,
// and keeps the start of the body for those that are not.
func newError(method, path string, status int, body []byte) *Error {
	e := &Error{Method: method, Path: path, Status: status, Body: clip(body)}
	var shape struct {
		Error       jsontext.Value `json:"error"`
		Errors      jsontext.Value `json:"errors"`
		FieldErrors jsontext.Value `json:"field-errors"`
	}
	if json.Unmarshal(body, &shape, lenient) != nil {
		return e
	}
	e.addError(shape.Error)
	e.Errors = append(e.Errors, stringsIn(shape.Errors)...)
	e.flatten("", shape.FieldErrors)
	return e
}

func clip(body []byte) string {
	return strings.ToValidUTF8(string(body[:min(len(body), keptErrorBody)]), "\uFFFD")
}

// addError takes {"error": "text"} and {"error": {"message": "text"}}.
func (e *Error) addError(v jsontext.Value) {
	var text string
	var object struct {
		Message string `json:"message"`
	}
	switch v.Kind() {
	case '"':
		_ = json.Unmarshal(v, &text, lenient)
	case '{':
		_ = json.Unmarshal(v, &object, lenient)
		text = object.Message
	}
	if text != "" {
		e.Errors = append(e.Errors, text)
	}
}

// flatten walks nested field errors. The wrappers "errors" and "field-errors"
// that Close puts between the levels are not part of the path.
func (e *Error) flatten(path string, v jsontext.Value) {
	switch v.Kind() {
	case '{':
		var object map[string]jsontext.Value
		if json.Unmarshal(v, &object, lenient) != nil {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(object)) {
			next := path
			if path == "" || (name != "errors" && name != "field-errors") {
				next = joinPath(path, name)
			}
			e.flatten(next, object[name])
		}
	case '"', '[':
		if all := stringsIn(v); len(all) > 0 {
			e.addField(path, strings.Join(all, "; "))
		}
	}
}

func (e *Error) addField(path, message string) {
	if e.FieldErrors == nil {
		e.FieldErrors = map[string]string{}
	}
	if old := e.FieldErrors[path]; old != "" {
		message = old + "; " + message
	}
	e.FieldErrors[path] = message
}

// stringsIn accepts a string or a list; entries that are no strings are kept
// as their JSON.
func stringsIn(v jsontext.Value) []string {
	switch v.Kind() {
	case '"':
		var s string
		_ = json.Unmarshal(v, &s, lenient)
		return []string{s}
	case '[':
		var list []jsontext.Value
		_ = json.Unmarshal(v, &list, lenient)
		var all []string
		for _, item := range list {
			if item.Kind() == '"' {
				all = append(all, stringsIn(item)...)
			} else {
				all = append(all, string(item))
			}
		}
		return all
	}
	return nil
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
