package harness

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"closesync/sync/closetest"
	"closesync/sync/engine"
)

// pages is a Close side that tells when a page was read, and may refuse more.
type pages struct {
	engine.Remote
	read  atomic.Int64
	after func(n int64) error
}

func (p *pages) Search(ctx context.Context, objectType, field string, w engine.Window, nested bool, skip map[string]bool) (engine.Page, error) {
	page, err := p.Remote.Search(ctx, objectType, field, w, nested, skip)
	if n := p.read.Add(1); err == nil && p.after != nil {
		err = p.after(n)
	}
	return page, err
}

// leading is a worker of its own that walks while it leads.
func (w *World) leading(after func(n int64) error) (*engine.Engine, *pages) {
	w.T.Helper()
	k, err := w.worker(context.Background(), w.Pool, w.Client)
	require.NoError(w.T, err)
	p := &pages{Remote: k.Remote, after: after}
	o := k.Engine.Options
	o.Remote = p
	return engine.New(o), p
}

// unstored is a database that a worker loses when it is to store its nth page.
type unstored struct {
	engine.Local
	left atomic.Int64
}

func (u *unstored) Decide(ctx context.Context, b engine.Batch, decide func(engine.Present, []*engine.State) error) error {
	if u.left.Add(-1) < 0 {
		return errCut
	}
	return u.Local.Decide(ctx, b, decide)
}

// A worker that dies before a page is stored has not come beyond it.
func TestFault_D1_APageThatWasNotStoredIsReadAgain(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 1113, Leads: 250, ContactsPerLead: -1, OpportunitiesPerLead: -1}})
	require.NoError(t, w.Engine.Reference(t.Context()))
	for stored := range 2 {
		e, p := w.leading(nil)
		u := &unstored{Local: e.Local}
		u.left.Store(int64(stored))
		e.Local = u
		require.ErrorIs(t, e.Backfill(t.Context(), nil), errCut)
		require.Positive(t, p.read.Load())
	}
	w.Load()
	w.Equal()
}

const walkLeads = 800 // several windows of several pages

func TestFault_D6_AnotherLeaderGoesOnWithTheWalk(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 406, Leads: walkLeads}})
	require.NoError(t, w.Engine.Reference(t.Context()))

	// Each leader loses its office as soon as the walk has come forward.
	place := func() string {
		return w.Get("SELECT position::text FROM closesync.checkpoints WHERE stream = 'backfill'")
	}
	read := int64(0)
	for changes := 0; ; changes++ {
		ctx, lost := context.WithCancel(t.Context())
		began := place()
		e, p := w.leading(func(int64) error {
			if place() != began {
				lost()
			}
			return nil
		})
		err := e.Backfill(ctx, nil)
		read += p.read.Load()
		if err == nil {
			lost()
			require.Greater(t, changes, 1, "it was interrupted")
			break
		}
		require.ErrorContains(t, err, context.Canceled.Error())
		require.Less(t, changes, 50, "each leader brings the walk forward")
	}
	w.Settle()
	w.Equal()
	require.LessOrEqual(t, read, int64(4*8+16), "8 pages hold all leads; what was stored is not read again")
	t.Logf("%d pages of which 8 hold all leads", read)
}

func TestFault_D6_TwoLeadersWalkAtOnce(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 4060, Leads: walkLeads}})
	require.NoError(t, w.Engine.Reference(t.Context()))
	var both errgroup.Group
	for range 2 {
		e, _ := w.leading(nil)
		both.Go(func() error { return e.Backfill(context.Background(), nil) })
	}
	require.NoError(t, both.Wait())
	w.Settle()
	w.Equal()
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.journal"), "a first load is not journalled, by nobody")

	for range 2 {
		e, _ := w.leading(nil)
		both.Go(func() error { return e.Audit(context.Background(), nil, nil) })
	}
	versions, writes := w.versions(), w.writes()
	require.NoError(t, both.Wait())
	w.Settle()
	require.Equal(t, versions, w.versions(), "two compares write no more than none")
	require.Equal(t, writes, w.writes())
	w.Equal()
}
