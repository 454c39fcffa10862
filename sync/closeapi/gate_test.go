package closeapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sent counts the requests that a gate lets through now.
func sent(g *gate, now time.Time) (n int) {
	for n < 1000 && g.readyIn(now, 0) <= 0 {
		g.take(now)
		n++
	}
	return n
}

// What is under way when a window begins may be counted in it by Close.
func TestFault_A1_RequestsUnderWayCountInTheNewWindow(t *testing.T) {
	t.Parallel()
	g := newGate("x", 0)
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	require.Equal(t, 1000, sent(g, now), "no limit is known")
	for range 992 {
		g.landed()
	}
	// Eight are under way when the first of them tells of a limit.
	g.landed()
	g.succeeded(ticket{}, rateHeader{limit: 20, remaining: 19, reset: time.Second, hasReset: true}, now)
	require.LessOrEqual(t, sent(g, now)+8, 20)
	for g.flying > 3 {
		g.landed()
	}
	// Three of that window are late.
	now = now.Add(time.Second)
	require.Positive(t, sent(g, now))
	require.LessOrEqual(t, g.flying, 20)
}

// A slow call is refused after the gate has opened again and let another call
// through: no strike is left then to count the wait from.
func TestGate_LateRefusalWithoutReset(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	g := newGate("GET lead", 0)
	early, late := g.take(now), g.take(now)
	silent := rateHeader{remaining: -1} // a 429 that names no time

	require.Equal(t, firstBackoff, g.refused(early, silent, now, 0))
	now = now.Add(firstBackoff)
	g.succeeded(g.take(now), silent, now)
	require.Equal(t, firstBackoff, g.refused(late, silent, now, 0))
}

// A call that its last look stopped costs the next one no turn: while requests
// are spread out, it may go at once.
func TestGate_APlaceGivenBackIsATurnGivenBack(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	g := newGate("PUT lead", 0)
	g.succeeded(g.take(now), rateHeader{limit: 100, remaining: 5, reset: 10 * time.Second, hasReset: true}, now)
	g.flying = 0
	require.Zero(t, g.readyIn(now, 0))
	given := g.take(now)
	require.Positive(t, g.readyIn(now, 0), "little is left, so the next waits for its turn")
	left := g.remaining

	g.giveBack(given, now)
	require.Zero(t, g.readyIn(now, 0))
	require.Equal(t, left+1, g.remaining)
	require.Zero(t, g.flying)
	g.take(now)
	require.Positive(t, g.readyIn(now, 0), "one turn came back, not more")
}
