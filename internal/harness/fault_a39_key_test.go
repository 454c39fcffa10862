package harness

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// proofs is a way to Close that writes down what proves who we are, and where
// else than to the API we turn.
type proofs struct {
	mu        sync.Mutex
	shown     map[string]int
	elsewhere []string
}

func (p *proofs) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	key, _, _ := r.BasicAuth()
	p.shown[key]++
	if !strings.HasPrefix(r.URL.Path, "/api/v1/") {
		p.elsewhere = append(p.elsewhere, r.URL.Path)
	}
	p.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// A token that is exchanged for the next one is lost when two workers exchange
// it at once. We have none: the proof is an API key, which a refusal does not
// use up. Two workers that are refused in the middle of their work exchange
// nothing for anything, keep what they have to do, and both go on with the same
// key when it is good again.
func TestFault_A39_ARefusalUsesNothingUp(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 139, Leads: 6}})
	seen := &proofs{shown: map[string]int{}}
	w.over(w.Close.Key(), seen)
	w.Load()
	first := w.Engine
	second, _ := w.leading(nil)
	for n := range 3 {
		w.SQL("UPDATE crm.leads SET name = name || '.'")
		w.SQL("INSERT INTO crm.leads (name) VALUES ('made')")
		w.Close.RevokeKey(keyID(w), true)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { _, _ = first.Run(t.Context()) })
			both.Go(func() { _, _ = second.Run(t.Context()) })
			both.Wait()
			w.SQL("UPDATE closesync.dirty SET not_before = '-infinity', lease_until = '-infinity'")
		}
		require.NotEqual(t, "0", w.Get("SELECT count(*) FROM closesync.dirty"), "round %d: what is to do is kept", n)
		w.Close.RevokeKey(keyID(w), false)
		both.Go(func() { _, _ = first.Run(t.Context()) })
		both.Go(func() { _, _ = second.Run(t.Context()) })
		both.Wait()
		w.SQL("UPDATE closesync.dirty SET not_before = '-infinity', lease_until = '-infinity'")
		w.Settle()
	}
	w.all()
	require.Len(t, w.Close.List("lead"), 9)
	require.Len(t, seen.shown, 1, "one key, and nothing else, was ever shown")
	require.Positive(t, seen.shown[w.Close.Key()])
	require.Empty(t, seen.elsewhere, "nobody was asked for another")
}
