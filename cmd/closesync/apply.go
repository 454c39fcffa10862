package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"closesync/sync/engine"
)

func newApplyCommand(o *options) *cobra.Command {
	r := &resyncOptions{options: o}
	return &cobra.Command{
		Use:   "apply FILE",
		Short: "Carry out a saved plan; what went stale since is named and left",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			saved, err := readPlan(args[0])
			if err != nil {
				return err
			}
			return r.apply(ctx, saved)
		},
	}
}

func readPlan(file string) ([]engine.PlanItem, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	var items []engine.PlanItem
	if err := json.Unmarshal(text, &items); err != nil {
		return nil, usageError("%s is no plan; write one with closesync plan --out FILE: %w", file, err)
	}
	for i, item := range items {
		if item.ID == "" || item.ObjectType == "" || item.Side == "" || item.Action == "" {
			return nil, usageError("%s: item %d lacks id, object_type, side or action", file, i+1)
		}
	}
	return items, nil
}

// identity is what must still be true of an item for it to be carried out.
func identity(p engine.PlanItem) string {
	value, _ := json.Marshal(p.NewValue, json.Deterministic(true))
	return fmt.Sprint(p.ObjectType, " ", p.ID, " ", p.Side, " ", p.Action, " ", p.Field, " ", string(value))
}

// apply plans anew, keeps the items that both plans hold and lets the cycle
// decide on their records.
func (r *resyncOptions) apply(ctx context.Context, saved []engine.PlanItem) error {
	now, err := r.items(ctx, nil)
	if err != nil {
		return err
	}
	current := map[string]bool{}
	for _, item := range now {
		current[identity(item)] = true
	}
	stale := 0
	valid := map[string]engine.PlanItem{}
	for _, item := range saved {
		if !current[identity(item)] {
			stale++
			_, _ = fmt.Fprintf(r.err, "stale, left alone: %s %s: %s on the %s side %s\n", item.ObjectType, item.ID, item.Action, item.Side, item.Field)
			continue
		}
		valid[item.ObjectType+item.ID] = item
	}
	if err := r.carryOut(ctx, valid); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(r.err, "%d records carried out, %d items stale\n", len(valid), stale)
	if stale > 0 {
		return &exitError{code: exitOpen}
	}
	return nil
}

func (r *resyncOptions) carryOut(ctx context.Context, items map[string]engine.PlanItem) error {
	if len(items) == 0 {
		return nil
	}
	cfg, err := r.load()
	if err != nil {
		return err
	}
	a, err := r.assemble(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer a.close()
	leave, err := a.announce(ctx)
	if err != nil {
		return err
	}
	defer leave()
	c := a.conns[0]
	if r.connection != "" && a.byName(r.connection) != nil {
		c = a.byName(r.connection)
	}
	cause := engine.Cause{"source": "apply"}
	for _, item := range items {
		if item.CloseID != "" {
			err = c.store.Mark(ctx, item.ObjectType, []string{item.CloseID}, cause, 2)
		} else {
			err = c.store.MarkRows(ctx, item.ObjectType, []string{item.LocalKey})
		}
		if err != nil {
			return err
		}
	}
	if err := c.settle(ctx); err != nil {
		return err
	}
	return a.unfinished(ctx)
}
