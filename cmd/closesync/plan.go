package main

import (
	"context"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"closesync/sync/engine"
)

func newPlanCommand(o *options) *cobra.Command {
	var out string
	r := &resyncOptions{options: o}
	c := o.jsonFlag(&cobra.Command{
		Use:   "plan [object …]",
		Short: "Say what a full compare would change on each side; writes nothing",
		RunE: func(c *cobra.Command, args []string) error {
			items, err := r.items(c.Context(), args)
			if err != nil {
				return err
			}
			if out != "" {
				text, err := json.Marshal(items, jsontext.WithIndent("  "))
				if err != nil {
					return err
				}
				return os.WriteFile(out, append(text, '\n'), 0o600)
			}
			return r.showPlan(items)
		},
	})
	c.Flags().StringVar(&out, "out", "", "save the plan to this `file`")
	return c
}

// plan is resync --dry-run: the same code, the same answer.
func (r *resyncOptions) plan(ctx context.Context, what []string) error {
	items, err := r.items(ctx, what)
	if err != nil {
		return err
	}
	return r.showPlan(items)
}

// items plans the named types; Close ids narrow the plan to those records.
func (r *resyncOptions) items(ctx context.Context, what []string) ([]engine.PlanItem, error) {
	cfg, err := r.load()
	if err != nil {
		return nil, err
	}
	a, err := r.assemble(ctx, cfg, false)
	if err != nil {
		return nil, err
	}
	defer a.close()
	items := []engine.PlanItem{}
	for _, c := range a.conns {
		if err := c.allowed(ctx); err != nil {
			return nil, err
		}
		types, ids, err := sortOut(c, what)
		if err != nil {
			return nil, err
		}
		wanted := map[string]bool{}
		for t, list := range ids {
			types = append(types, t)
			for _, id := range list {
				wanted[id] = true
			}
		}
		found, err := c.engine.Plan(ctx, types)
		if err != nil {
			return nil, err
		}
		for _, item := range found {
			if len(wanted) == 0 || wanted[item.CloseID] {
				items = append(items, item)
			}
		}
	}
	return items, nil
}

func (r *resyncOptions) showPlan(items []engine.PlanItem) error {
	if err := show(r.options, items, []string{"object", "record", "side", "does", "field", "from", "to", "rule"}, func(p engine.PlanItem) []any {
		return []any{p.ObjectType, p.ID, p.Side, p.Action, p.Field, brief(string(p.Old), 40), brief(string(p.New), 40), p.Rule}
	}); err != nil {
		return err
	}
	calls := 0
	for _, p := range items {
		calls += p.Calls
	}
	_, _ = fmt.Fprintf(r.err, "%d changes, %d calls to Close\n", len(items), calls)
	return nil
}
