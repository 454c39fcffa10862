package engine

import (
	"context"
	"slices"
	"sync/atomic"

	"closesync/mapping"
)

// children watches whether leads bring along all that belongs to them, which
// Close does not promise: a lead may come without its lists, and how many
// entries they hold at most is not documented.
type children struct {
	bare atomic.Bool // some lead came without
}

func (c *children) note(leads []mapping.Remote) {
	if slices.ContainsFunc(leads, func(r mapping.Remote) bool { return r.Type == "lead" && !r.Whole }) {
		c.bare.Store(true)
	}
}

// untold are the types that have to be walked by themselves after the leads.
func (c *children) untold(ctx context.Context, e *Engine) ([]string, error) {
	var list []string
	for _, t := range mapping.Types() {
		if t == "lead" || e.Objects[t] == nil {
			continue
		}
		short := c.bare.Load()
		// With a filter of leads the counts of their children say nothing.
		if !short && len(e.Objects["lead"].Filter) == 0 {
			var err error
			if short, err = e.short(ctx, t); err != nil {
				return nil, err
			}
		}
		if short {
			list = append(list, t)
		}
	}
	return list, nil
}

// short reports whether Close has more records of a type than are known here,
// or does not say.
func (e *Engine) short(ctx context.Context, objectType string) (bool, error) {
	there, told, err := e.Remote.Count(ctx, objectType)
	if err != nil || !told {
		return true, err
	}
	here, err := e.Local.Known(ctx, objectType)
	return there > here, err
}
