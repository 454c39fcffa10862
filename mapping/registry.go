package mapping

import (
	"maps"
	"slices"
	"strings"
)

// builders holds every object type, alphabetical. A new one is a file and a
// line here.
var builders = map[string]func() *Object{
	"contact":     contact,
	"lead":        lead,
	"opportunity": opportunity,
}

// order is the order in which types are worked on: parents first.
var order = parentsFirst()

// Types lists the object types, parents before children.
func Types() []string { return slices.Clone(order) }

// parentsFirst sorts by the longest way down from a type without parents.
func parentsFirst() []string {
	var depth func(objectType string) int
	depth = func(objectType string) int {
		d := 0
		for _, f := range builders[objectType]().Parents() {
			d = max(d, 1+depth(f.Parent))
		}
		return d
	}
	types := slices.Sorted(maps.Keys(builders))
	slices.SortStableFunc(types, func(a, b string) int { return depth(a) - depth(b) })
	return types
}

// nestedTypes are the lists of a lead that hold whole objects, with their
// types.
var nestedTypes = find(func(o *Object) string { return o.Nested })

// eventTypes are the types by what events call them.
var eventTypes = find(func(o *Object) string { return o.EventType })

// find keys the types by a property; those without it are left out.
func find(key func(*Object) string) map[string]string {
	found := map[string]string{}
	for t, build := range builders {
		if k := key(build()); k != "" {
			found[k] = t
		}
	}
	return found
}

// TypeOfEvent gives the object type that events call so.
func TypeOfEvent(eventType string) string {
	if t, ok := eventTypes[eventType]; ok {
		return t
	}
	return eventType
}

// TypeOfID gives the object type of a Close id by its prefix; "" if none is
// ours.
func TypeOfID(id string) string {
	for _, t := range order {
		if p := builders[t]().Prefix; strings.HasPrefix(id, p) && len(id) > len(p) {
			return t
		}
	}
	return ""
}

// IsID reports whether text has the form of Close's ids: letters, digits, "_"
// and "-". Anything else would mean another address when a record is asked for.
func IsID(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// Default returns the built-in mapping of an object type to the table that
// migrations make, or nil for an unknown type.
func Default(objectType string) *Object {
	build, ok := builders[objectType]
	if !ok {
		return nil
	}
	o := build()
	o.Key, o.KeyType, o.CloseID, o.Custom = "id", "bigint", "close_id", "custom"
	o.Direction, o.Policy = Both, PolicyClose
	o.OnClose, o.OnLocal = DeleteRule{Kind: "delete"}, "delete"
	return o
}
