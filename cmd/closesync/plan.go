package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

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
func (r *resyncOptions) items(ctx context.Context, what []string) ([]planItem, error) {
	cfg, err := r.load()
	if err != nil {
		return nil, err
	}
	if _, err := targetsOf(cfg, what); err != nil {
		return nil, err
	}
	a, err := r.assembleToLook(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer a.close()
	items := []planItem{}
	for _, c := range a.chosen(r.connection) {
		if blocked := c.permission.reason(); blocked != nil {
			return nil, blocked
		}
		found, err := r.itemsOf(ctx, c, what)
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

// planItem is an item with the connection that it is of.
type planItem struct {
	engine.PlanItem
	Connection string `json:"connection"`
}

func (r *resyncOptions) itemsOf(ctx context.Context, c *conn, what []string) ([]planItem, error) {
	wanted, err := sortOut(c.types, what)
	if err != nil {
		return nil, err
	}
	types := slices.AppendSeq(slices.Clone(wanted.types), maps.Keys(wanted.ids))
	slices.Sort(types)
	found, err := c.engine.Plan(ctx, slices.Compact(types))
	if err != nil {
		return nil, err
	}
	pace := newPace(c.client.Limits())
	var items []planItem
	for _, item := range found {
		if len(what) == 0 || slices.Contains(wanted.types, item.ObjectType) || slices.Contains(wanted.ids[item.ObjectType], item.CloseID) {
			item.ETA = pace.after(item).Seconds()
			items = append(items, planItem{item, c.name})
		}
	}
	return items, nil
}

// showPlan prints a plan.
func (r *resyncOptions) showPlan(items []planItem) error {
	header := []string{"object", "record", "side", "does", "field", "from", "to", "rule", "calls", "waits"}
	if err := show(r.options, items, header, func(p planItem) []any {
		return []any{p.ObjectType, p.ID, p.Side, p.Action, p.Field, brief(string(p.Old), 40), brief(string(p.New), 40), p.Rule, p.Calls, brief(p.Hold, 60)}
	}); err != nil {
		return err
	}
	calls, waiting, eta := 0, 0, 0.0
	for _, p := range items {
		calls += p.Calls
		eta = max(eta, p.ETA)
		if p.Hold != "" {
			waiting++
		}
	}
	_, _ = fmt.Fprintf(r.err, "%d changes, %d calls to Close, done in about %s under its present limits\n", len(items)-waiting, calls, time.Duration(eta*float64(time.Second)).Round(time.Second))
	if waiting > 0 {
		_, _ = fmt.Fprintf(r.err, "%d more would wait for somebody or something: see the last column\n", waiting)
	}
	return nil
}
