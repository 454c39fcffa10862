package closeapi

import (
	"slices"
	"strings"
	"time"
)

// Limit is the state of one endpoint group, for a status page.
type Limit struct {
	Group     string        // e.g. "GET lead", "POST data/search"
	Limit     int           // requests per window; 0 when Close announced none
	Remaining int           // of the window, before the reserve
	ResetsIn  time.Duration // until the window, or a closing by a 429, ends
	Closed    bool          // a 429 holds the group back now
	Waiting   int           // calls that wait at the gate
}

// Limits returns the groups used so far, ordered by name.
func (c *Client) Limits() []Limit {
	var all []Limit
	now := c.opt.Now()
	c.gates.Range(func(_, v any) bool {
		all = append(all, v.(*gate).state(now))
		return true
	})
	slices.SortFunc(all, func(a, b Limit) int { return strings.Compare(a.Group, b.Group) })
	return all
}

func (g *gate) state(now time.Time) Limit {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := Limit{Group: g.group, Waiting: len(g.waiting), Closed: g.closedUntil.After(now)}
	if g.known {
		l.Limit, l.Remaining = int(g.limit), int(max(g.remaining, 0))
		l.ResetsIn = max(g.resetAt.Sub(now), 0)
	}
	if l.Closed {
		l.ResetsIn = g.closedUntil.Sub(now)
	}
	return l
}

// groupOf guesses the endpoint group: Close does not publish them and counts
// by path and method (inferred). Search is one of its own.
func groupOf(method, path string) string {
	if strings.HasPrefix(path, "data/search") {
		return method + " data/search"
	}
	first, _, _ := strings.Cut(path, "/")
	return method + " " + first
}

func (c *Client) gateFor(group string) *gate {
	if g, ok := c.gates.Load(group); ok {
		return g.(*gate)
	}
	g, _ := c.gates.LoadOrStore(group, newGate(group, c.opt.ReservePercent))
	return g.(*gate)
}
