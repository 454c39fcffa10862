package mapping

import "github.com/go-json-experiment/json/jsontext"

// Any gives v as a value that a JSON encoder writes as it is; nil when empty.
func (v Value) Any() any {
	if v.IsNull() {
		return nil
	}
	return jsontext.Value(v)
}
