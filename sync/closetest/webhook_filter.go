package closetest

import (
	"bytes"
	"slices"
	"strings"
)

// filterPasses evaluates an extra_filter on v. A key with dots such as
// custom.cf_… is one field name.
func filterPasses(filter any, v any) bool {
	f, ok := filter.(map[string]any)
	if !ok {
		return true
	}
	switch f["type"] {
	case "equals":
		return bytes.Equal(encode(v), encode(f["value"]))
	case "not_equals":
		return !bytes.Equal(encode(v), encode(f["value"]))
	case "contains":
		if list, ok := v.([]any); ok {
			return slices.ContainsFunc(list, func(e any) bool { return bytes.Equal(encode(e), encode(f["value"])) })
		}
		have, _ := v.(string)
		want, _ := f["value"].(string)
		return strings.Contains(have, want)
	case "is_null":
		return v == nil
	case "non_null":
		return v != nil
	case "not":
		return !filterPasses(f["filter"], v)
	case "and", "or":
		list, _ := f["filters"].([]any)
		for _, e := range list {
			if filterPasses(e, v) == (f["type"] == "or") {
				return f["type"] == "or"
			}
		}
		return f["type"] == "and"
	case "field_accessor":
		m, _ := v.(map[string]any)
		name, _ := f["field"].(string)
		return filterPasses(f["filter"], m[name])
	case "any_array_value":
		list, _ := v.([]any)
		return slices.ContainsFunc(list, func(e any) bool { return filterPasses(f["filter"], e) })
	}
	return false
}
