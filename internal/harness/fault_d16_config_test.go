package harness

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// configured puts another mapping in force, for workers that start from now on.
func (w *World) configured(list []config) {
	w.T.Helper()
	bound, problems := mapping.Bind(list)
	require.Empty(w.T, problems)
	w.Objects = bound
	w.Restart()
}

// quiet is a mapping under which nothing of leads is sent.
func quietLeads() []config {
	return objects("lead", func(c *config) { c.Direction = "from_close" })
}

// A worker under the old mapping has read, and is about to decide, when one
// under the new mapping takes over: what the old one plans is dropped.
func TestFault_D16_APlanOfTheOldMappingIsDropped(t *testing.T) {
	t.Parallel()
	var w *World
	hook := &beforeDecision{}
	w = New(t, Options{Close: closetest.Options{Seed: 416, Leads: 4}, Engine: func(o *engine.Options) {
		if hook.Remote == nil { // the first worker's alone
			hook.Remote = o.Remote
			o.Remote = hook
		}
	}})
	w.Load()
	old := w.Engine
	id := w.ids("lead")[0]
	hook.then = func() {
		w.configured(quietLeads())
		w.SQL("UPDATE closesync.dirty SET lease_until = '-infinity'") // as jobs does for a worker that is gone
		w.Settle()
	}
	w.Close.ResetRequests()
	w.SQL("UPDATE crm.leads SET name = 'planned under the old mapping' WHERE close_id = $1", id)
	_, err := old.Run(context.Background())
	require.NoError(t, err)
	require.True(t, hook.done, "the mapping changed in the middle")
	require.Zero(t, w.writes(), "the old worker's plan is not sent")
	w.Settle()
	w.Equal() // the mirror has put the edit back
	require.NotEqual(t, "planned under the old mapping", w.field(id, "name"))
}

// beforeDecision is a Close side that lets something happen after the reading.
type beforeDecision struct {
	engine.Remote
	then func()
	done bool
}

func (b *beforeDecision) Fetch(ctx context.Context, objectType, id string) engine.Reading {
	reading := b.Remote.Fetch(ctx, objectType, id)
	if b.then != nil && !b.done {
		b.done = true
		b.then()
	}
	return reading
}

// The mapping changes again and again while both sides are edited and marks,
// hints and events wait. Each start works under one mapping, whole.
func TestFault_D16_TheMappingFlipsUnderLoad(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 4160, Leads: 30}})
	w.Load()
	mappings := [][]config{quietLeads(), nil,
		objects("lead", func(c *config) { c.Conflict = "local" }), objects("contact", func(c *config) { c.Direction = "to_close" }), nil}
	for n, m := range mappings {
		for i, id := range w.ids("lead")[:20] {
			if i%2 == 0 {
				w.edit(id, map[string]any{"description": fmt.Sprintf("there %d.%d", n, i)})
			} else {
				w.SQL("UPDATE crm.leads SET url = $1 WHERE close_id = $2", fmt.Sprintf("https://here%d%d.example", n, i), id)
			}
		}
		w.SQL("UPDATE crm.contacts SET title = $1 WHERE id % 3 = 0", fmt.Sprint("here ", n))
		w.oneCycle() // a part of it only
		_, _, err := w.Engine.Tail(t.Context())
		require.NoError(t, err)
		w.configured(m)
		w.oneCycle()
	}
	w.all()
	require.Len(t, w.Close.List("lead"), 30)
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.record_status WHERE state <> 'synced'"))
	w.rest()
}
