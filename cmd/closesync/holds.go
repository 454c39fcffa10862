package main

import (
	"context"

	"github.com/spf13/cobra"

	"closesync/sync/store"
)

func newHoldsCommand(o *options) *cobra.Command {
	var limit int
	var all bool
	list := o.jsonFlag(&cobra.Command{
		Use: "list", Short: "List open holds", Args: cobra.NoArgs,
		RunE: o.reading(func(ctx context.Context, s *session, _ []string) error {
			found, err := s.lists.Holds(ctx, all, limit)
			if err != nil {
				return err
			}
			return show(o, found, []string{"id", "connection", "kind", "object", "count", "status", "why", "since"}, func(h store.HoldItem) []any {
				return []any{h.ID, h.Connection, h.Kind, h.ObjectType, h.Count, h.Status, h.Reason, moment(&h.CreatedAt)}
			})
		}),
	})
	list.Flags().BoolVar(&all, "all", false, "decided ones too")
	limitFlag(list, &limit)
	return group("holds", "Batches stopped by a guard", list,
		o.decideHold("approve ID", "Let the writes of a hold go", true), o.decideHold("reject ID", "Drop the writes of a hold", false))
}

func (o *options) decideHold(use, short string, approve bool) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1)}
	d := o.carrying(c)
	c.RunE = o.deciding(func(ctx context.Context, s *session, args []string) error {
		id, err := number(args[0])
		if err != nil {
			return err
		}
		if err := s.first(func(st *store.Store) error { return st.DecideHold(ctx, id, approve) }); err != nil {
			return err
		}
		return d.carryOut(ctx, s, func(ctx context.Context, st *store.Store) (int, error) { return st.Unfinished(ctx, 0, id) })
	})
	return c
}
