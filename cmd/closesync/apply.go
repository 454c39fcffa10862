package main

import (
	"context"
	"errors"
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

func readPlan(file string) ([]planItem, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	var items []planItem
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

// identity is what must still be true of an item for it to be carried out: the
// record is as it was on both sides, and the same would be done.
func identity(p planItem) string {
	value, _ := json.Marshal(p.NewValue, json.Deterministic(true))
	return fmt.Sprint(p.Connection, " ", p.ObjectType, " ", p.ID, " ", p.Side, " ", p.Action, " ", p.Field, " ", p.Seen, " ", string(value))
}

// apply plans anew, keeps the items that both plans hold and lets the cycle
// decide on their records.
func (r *resyncOptions) apply(ctx context.Context, saved []planItem) error {
	now, err := r.items(ctx, nil)
	if err != nil {
		return err
	}
	current := map[string]bool{}
	for _, item := range now {
		current[identity(item)] = true
	}
	var valid, stale []planItem
	for _, item := range saved {
		if current[identity(item)] {
			valid = append(valid, item)
			continue
		}
		stale = append(stale, item)
		_, _ = fmt.Fprintf(r.err, "stale, left alone: %s %s: %s on the %s side %s\n", item.ObjectType, item.ID, item.Action, item.Side, item.Field)
	}
	open, err := r.carryOut(ctx, valid)
	if err != nil {
		return err
	}
	waiting := 0
	for _, item := range valid {
		if item.Hold != "" {
			waiting++
		}
	}
	_, _ = fmt.Fprintf(r.err, "%d items carried out, %d wait for somebody or something, %d stale\n", len(valid)-waiting, waiting, len(stale))
	if len(stale) > 0 || open {
		return &exitError{code: exitOpen}
	}
	return nil
}

// carryOut has the cycle decide on the records of items, and on no others. It
// reports whether something is left open.
func (r *resyncOptions) carryOut(ctx context.Context, items []planItem) (open bool, err error) {
	if len(items) == 0 {
		return false, nil
	}
	err = r.working(ctx, nil, func(a *app) error {
		for _, c := range a.conns {
			if err := c.pursue(ctx, items); err != nil {
				return err
			}
		}
		err := a.unfinished(ctx)
		var e *exitError
		if open = errors.As(err, &e) && e.code == exitOpen; open {
			return nil
		}
		return err
	})
	return open, err
}

// pursue carries out the items of one connection.
func (c *conn) pursue(ctx context.Context, items []planItem) error {
	closeIDs, keys := map[string][]string{}, map[string][]string{}
	for _, item := range items {
		switch {
		case item.Connection != c.name:
		case item.CloseID != "":
			closeIDs[item.ObjectType] = append(closeIDs[item.ObjectType], item.CloseID)
		default:
			keys[item.ObjectType] = append(keys[item.ObjectType], item.LocalKey)
		}
	}
	if len(closeIDs)+len(keys) == 0 {
		return nil
	}
	if err := c.allowed(ctx); err != nil {
		return err
	}
	if _, err := c.check(ctx); err != nil {
		return err
	}
	if err := c.engine.Backfill(ctx, nil); err != nil {
		return err
	}
	if err := c.store.Pursue(ctx, closeIDs, keys, engine.Cause{"source": "apply"}); err != nil {
		return err
	}
	return c.settle(ctx)
}
