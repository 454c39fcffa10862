package main

import (
	"time"

	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// pace estimates when planned calls are done under the present limits of Close.
// A group that was not used yet has no known limit and costs no waiting.
type pace struct {
	limits map[string]closeapi.Limit
	used   map[string]int
	last   time.Duration
}

func newPace(limits []closeapi.Limit) *pace {
	p := &pace{limits: map[string]closeapi.Limit{}, used: map[string]int{}}
	for _, l := range limits {
		p.limits[l.Group] = l
	}
	return p
}

// after is when an item is done, if all before it are done first.
func (p *pace) after(item engine.PlanItem) time.Duration {
	if item.Reads > 0 {
		p.count("GET", item.ObjectType, item.Reads)
	}
	if writes := item.Calls - item.Reads; writes > 0 {
		p.count(methods[item.Action], item.ObjectType, writes)
	}
	return p.last
}

var methods = map[string]string{"create": "POST", "update": "PUT", "delete": "DELETE"}

func (p *pace) count(method, objectType string, n int) {
	group := method + " " + objectType
	p.used[group] += n
	l, known := p.limits[group]
	if !known && method != "GET" {
		// Not written to yet: what Close allows for reading is the best guess.
		l, known = p.limits["GET "+objectType]
	}
	over := p.used[group] - l.Remaining
	if !known || l.Limit <= 0 || over <= 0 {
		return
	}
	window := max(l.ResetsIn, time.Second)
	p.last = max(p.last, l.ResetsIn+window*time.Duration((over-1)/l.Limit))
}
