package harness

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
)

// Story is something that happens again and again, and what a worker does
// about it.
type Story struct {
	Name string
	// Begin makes the nth thing to be done.
	Begin func(n int)
	// Work does it. The worker is new and may be cut off at any moment.
	Work func(ctx context.Context, k *Worker) error
	// Starting counts the start of the worker as part of its work.
	Starting bool
	// Finish has a worker that lives do the rest, whatever was done already.
	Finish func(n int)
}

// everyPoint makes Crashes try the statements inside transactions too.
const everyPoint = "CLOSESYNC_CRASHES"

// Crashes tells a story with a worker that is killed at the first point of its
// work (see Points), then at the second, and so on until it survives. It gives
// the number of crashes by name of the point.
func (w *World) Crashes(s Story) map[string]int {
	w.T.Helper()
	crashed := map[string]int{}
	for n := 1; ; n++ {
		s.Begin(n)
		p := NewPoints()
		p.Coarse = os.Getenv(everyPoint) != "all"
		err := w.doomed(p, s, n)
		where := p.Where()
		if where == "" {
			require.NoError(w.T, err, "%s: the worker that is not killed", s.Name)
		}
		w.inherit()
		s.Finish(n)
		if diff := w.Diff(); diff != "" {
			w.T.Fatalf("%s, crash %d (%s): the sides differ (-close +local):\n%s", s.Name, n, where, diff)
		}
		if where == "" {
			return crashed
		}
		crashed[where]++
		if clock := w.opt.Close.Clock; clock != nil {
			clock.Advance(time.Hour) // what was read is not read again
		}
	}
}

// doomed makes a worker that is cut off at its nth point, lets it work and
// throws it away.
func (w *World) doomed(p *Points, s Story, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pool, err := p.Pool(ctx, w.DSN)
	require.NoError(w.T, err)
	defer pool.Close()
	client, err := closeapi.New(closeapi.Options{BaseURL: w.base, Key: closeapi.Secret(w.Close.Key()), Sleep: p.Sleep,
		HTTPClient: &http.Client{Transport: p.Transport(&http.Transport{DisableKeepAlives: true})}})
	require.NoError(w.T, err)
	if s.Starting {
		p.CutAt(n)
	}
	k, err := w.worker(ctx, pool, client)
	if err != nil {
		return err
	}
	if !s.Starting {
		p.CutAt(n)
	}
	return s.Work(ctx, k)
}

// inherit makes a new worker that takes over what the dead one held, as
// package jobs does once the old one is missing.
func (w *World) inherit() {
	w.SQL("UPDATE closesync.dirty SET lease_until = '-infinity'")
	w.Restart()
}
