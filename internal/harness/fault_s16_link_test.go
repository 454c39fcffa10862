package harness

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// contended is a store in which, so many times, another record takes the link
// that a decision was about to make.
type contended struct {
	engine.Local
	left int
}

func (c *contended) Decide(ctx context.Context, b engine.Batch, decide func(engine.Present, []*engine.State) error) error {
	return c.Local.Decide(ctx, b, func(now engine.Present, states []*engine.State) error {
		if err := decide(now, states); err != nil {
			return err
		}
		for _, st := range states {
			if c.left > 0 && st.Outcome != nil && st.Outcome.Status != engine.Errored {
				c.left--
				return &engine.Refusal{Link: true, Reason: "taken", Err: errors.New("taken")}
			}
		}
		return nil
	})
}

// TestFault_S16_ALinkThatAnotherTookIsDecidedAgain: what was taken is known at
// the next look. One that is taken each time is parked, not tried for ever.
func TestFault_S16_ALinkThatAnotherTookIsDecidedAgain(t *testing.T) {
	t.Parallel()
	c := &contended{}
	w := New(t, Options{Close: closetest.Options{Seed: 16, Leads: 2}, Engine: func(o *engine.Options) {
		c.Local = o.Local
		o.Local = c
	}})
	w.Load()
	id := w.ids("lead")[0]
	for _, times := range []int{1, 3, 1000} {
		c.left = times
		w.edit(id, map[string]any{"description": "edited there"})
		w.SQL("UPDATE crm.leads SET name = name || '.' WHERE close_id = $1", id)
		w.Settle()
		w.due()
		if times == 1000 {
			require.Contains(t, w.errorOf("state = 'error'"), "taken")
			break
		}
		require.Equal(t, "synced", w.state("lead", id))
		w.Equal()
	}
}
