package closeapi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Extra holds the members of an object that its struct does not name, and so
// every custom field. They survive decoding and encoding unchanged.
type Extra map[string]jsontext.Value

const customPrefix = "custom."

// Custom returns the value of a custom field by its id ("cf_..."). A missing
// one is empty only if all fields were asked for.
func (x Extra) Custom(id string) (jsontext.Value, bool) {
	v, ok := x[customPrefix+id]
	return v, ok
}

// CustomFields lists the ids and values of all custom fields present.
func (x Extra) CustomFields() map[string]jsontext.Value {
	m := map[string]jsontext.Value{}
	for name, v := range x {
		if id, ok := strings.CutPrefix(name, customPrefix); ok {
			m[id] = v
		}
	}
	return m
}

// decodeInto reads one record into a typed struct. The text has been checked
// before, so a failure means another type than documented in some field.
func decodeInto[T any](raw RawMessage) (*T, error) {
	var v T
	if err := json.Unmarshal(raw, &v, anyText); err != nil {
		return nil, decodeError(err)
	}
	return &v, nil
}

// decodeError names the place and not the value.
func decodeError(err error) error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return fmt.Errorf("closeapi: the answer has JSON %s at %s, want %v", kindName(e.JSONKind), e.JSONPointer, e.GoType)
	}
	return fmt.Errorf("closeapi: the answer is not of the documented form")
}

func kindName(k jsontext.Kind) string {
	if k == 0 {
		return "value"
	}
	return k.String()
}
