package engine

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"closesync/mapping"
)

// Where rows were there before the first load, what Close holds is kept apart
// while it is read: a record must not get a second row, and which row is its
// own shows only when all of it is known.

// stage takes a page in without making rows of it.
func (e *Engine) stage(ctx context.Context, records []mapping.Remote, cp *Checkpoint) error {
	byType := map[string]map[string]mapping.Remote{}
	flatten(byType, records)
	if err := e.dropNeedless(ctx, byType, true); err != nil {
		return err
	}
	lists := map[string][]mapping.Remote{}
	for objectType, byID := range byType {
		for _, id := range keys(byID) {
			lists[objectType] = append(lists[objectType], byID[id])
		}
	}
	return e.Local.Stage(ctx, lists, cp)
}

const (
	arriving = 500 // staged records that become rows in one transaction
	arrivers = 3   // of which so many run at once
)

// arrive makes rows of what was staged, or merges it with the rows that were
// linked with it; parents first. Done twice it does no harm.
func (e *Engine) arrive(ctx context.Context, t *tally) error {
	for _, objectType := range mapping.Types() {
		if e.Objects[objectType] == nil {
			continue
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(arrivers)
		var last mapping.Remote
		for {
			list, err := e.Local.Staged(gctx, objectType, last, arriving)
			if err != nil || len(list) == 0 {
				if done := g.Wait(); done != nil {
					err = done
				}
				if err != nil {
					return err
				}
				break
			}
			last = list[len(list)-1]
			g.Go(func() error { return e.arrivePage(gctx, t, list) })
		}
	}
	return nil
}

func (e *Engine) arrivePage(ctx context.Context, t *tally, list []mapping.Remote) error {
	n, err := e.applyFlat(ctx, slices.Clone(list), Cause{"source": t.kind}, t.run, true, nil)
	t.changed.Add(int64(n))
	if err != nil {
		return err
	}
	return e.Local.Unstage(ctx, list)
}
