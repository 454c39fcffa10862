package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"closesync/jobs"
	"closesync/sync/store"
)

// carryLimit is how long a command waits for the running worker to carry out a
// decision. The decision stands, however long that takes.
const carryLimit = time.Minute

// carrying are the flags of commands that decide something.
type carrying struct {
	*options
	noWait bool
}

func (o *options) carrying(c *cobra.Command) *carrying {
	d := &carrying{options: o}
	c.Flags().BoolVar(&d.noWait, "no-wait", false, "leave the work to the worker")
	return d
}

// carryOut sees to what was decided: the running worker does it, else this
// process does. unfinished counts what is left of it.
func (d *carrying) carryOut(ctx context.Context, s *session, unfinished func(context.Context, *store.Store) (int, error)) error {
	if d.noWait {
		_, _ = fmt.Fprintln(d.err, "noted; the worker carries it out")
		return nil
	}
	lives, err := jobs.Lives(ctx, s.pool)
	if err != nil {
		return err
	}
	if !lives {
		if err := d.settleHere(ctx); err != nil {
			return err
		}
	}
	left, err := await(ctx, s, unfinished)
	if err != nil {
		return err
	}
	if left > 0 {
		_, _ = fmt.Fprintf(d.err, "%d records still wait for it; the decision stands\n", left)
		return &exitError{code: exitOpen}
	}
	return nil
}

// await returns what is left when nothing is, or the time is over.
func await(ctx context.Context, s *session, unfinished func(context.Context, *store.Store) (int, error)) (left int, err error) {
	end := time.NewTimer(carryLimit)
	defer end.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		left = 0
		for _, m := range s.stores {
			n, err := unfinished(ctx, m.Store)
			if err != nil {
				return 0, err
			}
			left += n
		}
		if left == 0 {
			return 0, nil
		}
		select {
		case <-ctx.Done():
			return left, ctx.Err()
		case <-end.C:
			return left, nil
		case <-look.C:
		}
	}
}

// settleHere does what is due, as no worker runs.
func (d *carrying) settleHere(ctx context.Context) error {
	cfg, err := d.load()
	if err != nil {
		return err
	}
	a, err := d.assemble(ctx, cfg, false)
	if err != nil {
		return fmt.Errorf("the decision is noted, but no worker runs and this command cannot carry it out: %w", err)
	}
	defer a.close()
	leave, err := a.announce(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for _, c := range a.conns {
		if err := c.allowed(ctx); err != nil {
			return err
		}
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}
