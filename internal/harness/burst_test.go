package harness

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/engine"
)

// watched is a Close side that tells when a record is about to be read.
type watched struct {
	engine.Remote
	reading func()
}

func (r *watched) Fetch(ctx context.Context, objectType, id string) engine.Reading {
	r.reading()
	return r.Remote.Fetch(ctx, objectType, id)
}

// whenRead calls back before each reading of a record by its id.
func (w *World) whenRead(f func(n int)) {
	n := 0
	w.Engine.Options.Remote = &watched{w.Engine.Options.Remote, func() { n++; f(n) }}
}

// calls counts what the worker asked Close from the given request on.
func (w *World) calls(since int) (reads, writes int) {
	for _, r := range w.Close.Requests()[since:] {
		if r.Method == http.MethodGet {
			reads++
		} else {
			writes++
		}
	}
	return reads, writes
}

func (w *World) describe(lead, text string) {
	w.SQL("UPDATE crm.leads SET description = $1 WHERE close_id = $2", text, lead)
}

func (w *World) absorb() {
	w.T.Helper()
	_, _, err := w.Store.Absorb(context.Background(), 2000)
	require.NoError(w.T, err)
}

// Five hundred edits of a row, each committed by itself, come to one write. The
// first is seen alone and costs the reading that it was followed by.
func TestPush_EditsInABurstBecomeOneWrite(t *testing.T) {
	w := world(t, nil)
	lead := w.ids("lead")[0]
	w.rest()
	since := len(w.Close.Requests())
	w.whenRead(func(n int) {
		for i := 1; i < 500 && n == 1; i++ {
			w.describe(lead, fmt.Sprint("Edit ", i))
			if i%3 == 0 { // the other cycles go on meanwhile
				w.absorb()
			}
		}
	})
	w.describe(lead, "Edit 0")
	w.Settle()
	reads, writes := w.calls(since)
	require.Equal(t, 1, writes)
	require.Equal(t, 2, reads)
	require.Equal(t, "Edit 499", w.field(lead, "description"))
	w.rest()
}

// A row that rests no longer than for a moment is not read at all meanwhile.
func TestPush_ARowThatIsBeingEditedIsLeftAlone(t *testing.T) {
	w := world(t, nil)
	lead := w.ids("lead")[0]
	since := len(w.Close.Requests())
	for i := range 5 {
		w.describe(lead, fmt.Sprint("Edit ", i))
		w.absorb()
	}
	n, err := w.Engine.Cycle(context.Background())
	require.NoError(t, err)
	require.Zero(t, n)
	w.Settle()
	reads, writes := w.calls(since)
	require.Equal(t, 1, writes)
	require.Equal(t, 1, reads)
	w.rest()
}

// A row that never rests is not put off for ever.
func TestPush_ARowThatIsAlwaysEditedIsSentAllTheSame(t *testing.T) {
	w := world(t, nil)
	lead := w.ids("lead")[0]
	for _, text := range []string{"first", "second"} {
		w.describe(lead, text)
		w.absorb()
	}
	w.SQL("UPDATE closesync.dirty SET marked_at = marked_at - interval '6 seconds'")
	w.describe(lead, "third")
	w.absorb()
	w.whenRead(func(int) { w.describe(lead, "fourth") })
	_, err := w.Engine.Cycle(context.Background())
	require.NoError(t, err)
	require.Contains(t, []string{"third", "fourth"}, w.field(lead, "description"))
	w.whenRead(func(int) {})
	w.rest()
	require.Equal(t, "fourth", w.field(lead, "description"))
}

// Rows of a mass change are no burst: each costs one reading and one write.
func TestPush_AChangedRowCostsOneReadingAndOneWrite(t *testing.T) {
	w := world(t, nil)
	w.rest()
	since := len(w.Close.Requests())
	w.SQL("UPDATE crm.leads SET description = 'At once'")
	w.SQL("UPDATE crm.contacts SET title = 'At once'")
	w.Settle()
	reads, writes := w.calls(since)
	require.Equal(t, 4+8, writes)
	require.Equal(t, 4+8, reads)
}

// With push.verify: optimistic nothing is read before an update; what others
// changed meanwhile comes with the answer.
func TestPush_OptimisticReadsNothing(t *testing.T) {
	w := world(t, func(o *Options) { o.Engine = func(e *engine.Options) { e.Optimistic = true } })
	w.rest()
	lead := w.ids("lead")[0]
	w.edit(lead, map[string]any{"name": "Edited in Close"})
	since := len(w.Close.Requests())
	w.SQL("UPDATE crm.leads SET description = 'Edited here'")
	w.SQL("UPDATE crm.contacts SET title = 'Edited here'")
	w.Settle()
	reads, writes := w.calls(since)
	require.Equal(t, 4+8, writes)
	require.Zero(t, reads)
	require.Equal(t, "Edited in Close", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", lead))
	w.rest()
	// A delete cannot be taken back: it is looked at first.
	since = len(w.Close.Requests())
	w.SQL("DELETE FROM crm.opportunities WHERE close_id = $1", w.ids("opportunity")[0])
	w.Settle()
	reads, writes = w.calls(since)
	require.Equal(t, 1, writes)
	require.Equal(t, 1, reads)
	w.rest()
}

// Whatever demands a look at Close gets it, optimistic or not.
func TestPush_OptimisticLooksWhereTheBaseIsInDoubt(t *testing.T) {
	w := world(t, func(o *Options) { o.Engine = func(e *engine.Options) { e.Optimistic = true } })
	lead := w.ids("lead")[0]
	w.edit(lead, map[string]any{"description": "Theirs"})
	require.NoError(t, w.Store.Mark(context.Background(), "lead", []string{lead}, engine.Cause{"source": "operator"}, 1))
	w.describe(lead, "Ours")
	w.Settle()
	require.NotEmpty(t, w.conflict(lead, "field"), "the edit in Close is not lost silently")
	w.rest()
}

// A base does not hold what is empty: it is no reading of a field that is filled
// here for the first time.
func TestPush_OptimisticFillsAnEmptyField(t *testing.T) {
	w := world(t, func(o *Options) { o.Engine = func(e *engine.Options) { e.Optimistic = true } })
	id, err := w.Close.Create("lead", map[string]any{"name": "Without a description"})
	require.NoError(t, err)
	w.all()
	w.describe(id, "The first one")
	w.Settle()
	require.Equal(t, "The first one", w.field(id, "description"))
	w.rest()
}
