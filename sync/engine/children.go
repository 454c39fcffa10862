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
	bare  atomic.Bool    // some lead came without
	there map[string]int // Close's totals when the walk began; -1 if it does not tell
}

// ask takes Close's totals, while the leads are read.
func (c *children) ask(ctx context.Context, e *Engine) error {
	c.there = map[string]int{}
	if len(e.Objects["lead"].Filter) > 0 {
		return nil // they say nothing about the children of some leads
	}
	for _, t := range mapping.Types() {
		if t == "lead" || e.Objects[t] == nil {
			continue
		}
		var err error
		if c.there[t], err = e.total(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) total(ctx context.Context, objectType string) (int, error) {
	n, told, err := e.Remote.Count(ctx, objectType)
	if !told {
		n = -1
	}
	return n, err
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
		if there, asked := c.there[t]; asked && !short {
			var err error
			if short, err = e.short(ctx, t, there); err != nil {
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
// or does not say. Some may have been deleted since the walk began: only in
// doubt Close is asked again.
func (e *Engine) short(ctx context.Context, objectType string, there int) (bool, error) {
	if there < 0 {
		return true, nil
	}
	here, err := e.Local.Known(ctx, objectType)
	if err != nil || there <= here {
		return false, err
	}
	there, err = e.total(ctx, objectType)
	return there < 0 || there > here, err
}
