package closetest

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// takers are what the bodies of calls with members of their own are read into;
// all other calls take those of controlBody that their example shows.
var takers = map[string]reflect.Type{
	"fault":             reflect.TypeFor[Fault](),
	"limits":            reflect.TypeFor[Limits](),
	"webhooks/disorder": reflect.TypeFor[WebhookOptions](),
}

// knows refuses members that a call does not take: misspelt, they would mean
// nothing and nobody would be told.
func (c ControlCall) knows(raw []byte) error {
	if c.Name == "timing" { // which looks itself
		return nil
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		return badRequest("The body is no JSON object: %s.", err)
	}
	known := c.members()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			return badRequest("%s takes no %q; it takes %s.", c.Name, name, commaList(known))
		}
	}
	return nil
}

// members are the names that a call takes. Whoever acts may be named with any.
func (c ControlCall) members() []string {
	known := memberNames(reflect.TypeFor[Actor]())
	if t, own := takers[c.Name]; own {
		return append(known, memberNames(t)...)
	}
	var example map[string]any
	_ = json.Unmarshal([]byte(c.Takes), &example) // "" for none
	return append(known, slices.Sorted(maps.Keys(example))...)
}

func memberNames(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func commaList[S ~string](names []S) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
