package main

import (
	"context"
	"slices"
	"strings"

	"closesync/config"
	"closesync/mapping"
	"closesync/sync/engine"
)

// targets are what a compare is about.
type targets struct {
	types []string            // whole object types
	ids   map[string][]string // single records, by type
}

// targetsOf judges the arguments before anything is started for them.
func targetsOf(cfg *config.Config, what []string) (targets, error) {
	bound, err := objects(cfg)
	if err != nil {
		return targets{}, err
	}
	return sortOut(enabled(bound), what)
}

// sortOut tells all, object types and Close ids apart. on are the types that
// are switched on.
func sortOut(on, what []string) (targets, error) {
	found := targets{ids: map[string][]string{}}
	for _, w := range what {
		objectType := w
		if mapping.Default(w) == nil {
			objectType = mapping.TypeOfID(w)
		}
		switch {
		case w == "all":
			found.types = append(found.types, on...)
		case objectType == "":
			return targets{}, usageError("%q is not all, an object (%s) or a Close id (lead_…, cont_…, oppo_…)", w, strings.Join(on, ", "))
		case !slices.Contains(on, objectType):
			return targets{}, usageError("%s: the config file switches %s off (enabled: false)", w, objectType)
		case objectType == w:
			found.types = append(found.types, w)
		default:
			found.ids[objectType] = append(found.ids[objectType], w)
		}
	}
	slices.Sort(found.types)
	found.types = slices.Compact(found.types)
	return found, nil
}

// targets sorts out the arguments and marks the single records among them.
func (c *conn) targets(ctx context.Context, what []string) (targets, error) {
	t, err := sortOut(c.types, what)
	if err != nil {
		return t, err
	}
	for objectType, list := range t.ids {
		if err := c.store.Mark(ctx, objectType, list, engine.Cause{"source": "operator"}, 2); err != nil {
			return t, err
		}
	}
	return t, nil
}
