package harness

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// busyLocal is a store at which cycles run as soon as events are there, late
// enough that none waits for others any more.
type busyLocal struct {
	engine.Local
	cycle func()
}

func (l busyLocal) Accept(ctx context.Context, source string, events []engine.Event) (int, error) {
	n, err := l.Local.Accept(ctx, source, events)
	l.cycle()
	return n, err
}

// The log gives its newest events first. What happened while nobody ran is taken
// from it all the same, without reading the records that changed more than once.
func TestFault_B5_TheLogIsFollowedFromItsOldest(t *testing.T) {
	t.Parallel()
	var w *World
	cycle := func() {
		w.SQL("UPDATE closesync.inbox SET received_at = received_at - interval '1 minute'")
		_, err := w.Engine.Run(context.Background())
		require.NoError(t, err)
	}
	w = New(t, Options{Close: closetest.Options{Seed: 62, Leads: 2}, Engine: func(o *engine.Options) { o.Local = busyLocal{o.Local, cycle} }})
	w.Load()
	for i := range 300 {
		for _, lead := range w.Close.List("lead") {
			require.NoError(t, w.Close.Update(lead["id"].(string), map[string]any{"name": fmt.Sprint("Name ", i)}))
		}
	}
	w.Close.ResetRequests()
	w.Tail()
	w.Equal()
	for _, r := range w.Close.Requests() {
		require.Contains(t, r.Path, "/event/")
	}
}
