package harness

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// stumbling is a worker that falls over one record: while reading it, while
// deciding on it, or after sending it.
type stumbling struct {
	over string // Close id
	at   string // "", "reading", "deciding" or "sending"
}

func (s *stumbling) trip(at, id string) {
	if s.at == at && s.over == id {
		_ = [1]int{}[len(at)]
	}
}

// stumblingRemote and stumblingLocal are its two sides.
type (
	stumblingRemote struct {
		engine.Remote
		*stumbling
	}
	stumblingLocal struct {
		engine.Local
		*stumbling
	}
)

func (s stumblingRemote) Fetch(ctx context.Context, objectType, id string) engine.Reading {
	s.trip("reading", id)
	return s.Remote.Fetch(ctx, objectType, id)
}

func (s stumblingRemote) Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error) {
	answer, err := s.Remote.Update(ctx, objectType, id, set)
	s.trip("sending", id)
	return answer, err
}

func (s stumblingLocal) Decide(ctx context.Context, b engine.Batch, decide func(engine.Present, []*engine.State) error) error {
	return s.Local.Decide(ctx, b, func(now engine.Present, states []*engine.State) error {
		// Alone and already given up, its place in the books can be written.
		parking := len(states) == 1 && s.over == states[0].CloseID
		if i := slices.IndexFunc(states, func(st *engine.State) bool { return st.CloseID == s.over }); i >= 0 && !parking {
			s.trip("deciding", s.over)
		}
		err := decide(now, states)
		if parking && states[0].Outcome != nil && states[0].Outcome.Status != engine.Errored {
			s.trip("deciding", s.over)
		}
		return err
	})
}

func TestFault_D9_APanicParksOneRecord(t *testing.T) {
	for _, at := range []string{"reading", "deciding", "sending"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			trap := &stumbling{}
			w := New(t, Options{Close: closetest.Options{Seed: 409, Leads: 12}, Engine: func(o *engine.Options) {
				o.Remote, o.Local = stumblingRemote{o.Remote, trap}, stumblingLocal{o.Local, trap}
			}})
			w.Load()
			trap.over, trap.at = w.ids("lead")[5], at
			for _, id := range w.ids("lead") {
				w.edit(id, map[string]any{"description": "from Close"})
			}
			w.SQL("UPDATE crm.leads SET name = name || ' edited here'")
			w.Tail()
			w.Settle()
			require.Equal(t, "11", w.Get("SELECT count(*) FROM crm.leads WHERE description = 'from Close' AND close_id <> $1", trap.over))
			for _, lead := range w.Close.List("lead") {
				if lead["id"] != trap.over {
					require.Contains(t, lead["name"], " edited here")
				}
			}
			require.Equal(t, "error panic", w.Get("SELECT state || ' ' || error_class FROM closesync.record_status WHERE close_id = $1", trap.over))
			require.Contains(t, w.Get("SELECT last_error FROM closesync.record_status WHERE close_id = $1", trap.over), "index out of range")
			require.Equal(t, "1", w.Get("SELECT count(*) FROM closesync.record_status WHERE state <> 'synced'"))
			w.Audit() // a walk meets it, too, and goes on

			// Mended, it is tried again when an operator asks. That a write arrived,
			// the walk has found out already.
			trap.at = ""
			n, err := w.Store.RetryErrors(t.Context(), []string{trap.over})
			require.NoError(t, err)
			require.Equal(t, at != "sending", n == 1)
			w.due()
			w.Equal()
			require.Equal(t, "synced", w.state("lead", trap.over))
		})
	}
}
