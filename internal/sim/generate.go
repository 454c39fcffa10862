package sim

import (
	"math/rand/v2"
	"time"

	"closesync/mapping"
)

// swarm is what a seed's scenario may contain: each seed switches a random part
// of it off, so that rare things are not drowned by common ones.
type swarm struct {
	close, local, hooks, crashes, faults, suspends, time, structure, sessions, second bool
}

// generator makes a scenario from a seed.
type generator struct {
	*rand.Rand
	sc     Scenario
	swarm  swarm
	token  int
	opened [sessionCount]int // steps that a session's transaction stays open
}

// Generate makes the scenario of a seed.
func Generate(seed uint64) Scenario {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x73696d))}
	g.sc.Seed = seed
	g.swarm = swarm{close: g.chance(.9), local: g.chance(.9), hooks: g.chance(.6), crashes: g.chance(.4), faults: g.chance(.5), suspends: g.chance(.6),
		time: g.chance(.5), structure: g.chance(.6), sessions: g.chance(.4), second: g.chance(.3)}
	if !g.swarm.close && !g.swarm.local {
		g.swarm.close, g.swarm.local = true, true
	}
	g.config()
	g.records()
	for range 10 + g.IntN(51) {
		g.step()
	}
	return g.sc
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) config() {
	c := &g.sc.Config
	c.Policy = pick(g, mapping.PolicyClose, mapping.PolicyClose, mapping.PolicyLocal, mapping.PolicyNewest)
	c.SeesAll = true
	c.Hooks = g.swarm.hooks
	c.Optimistic = g.chance(.1)
	c.Consolidation = pick(g, 0, 0, 2*time.Second, 10*time.Second)
	c.IndexLag = pick(g, 0, 0, 2*time.Second, 3*time.Minute)
	c.HookDelay = pick(g, 0, time.Second)
	c.MergeDelay = pick(g, 0, 0, 2*time.Second)
	c.Latency = pick(g, 40*time.Millisecond, 200*time.Millisecond)
	c.Tick = pick(g, 0, 100*time.Millisecond, time.Second, 7*time.Second)
	c.CloseSkew = pick(g, 0, 0, 0, 3*time.Hour, -3*time.Hour, 700*time.Millisecond)
	c.WorkerSkew = pick(g, 0, 0, 0, 5*time.Hour, -5*time.Hour)
	c.NoopTouches = g.chance(.1)
}

func (g *generator) records() {
	n := 2 + g.IntN(4)
	for i := range n {
		r := Rec{Name: string(rune('a' + i)), Type: "lead", There: g.chance(.7)}
		if i > 0 {
			r.Type = pick(g, "lead", "contact", "contact", "opportunity")
		}
		if r.Type != "lead" {
			parents := g.leads()
			parent := parents[g.IntN(len(parents))]
			r.Under = parent.Name
			r.There = r.There && parent.There
		}
		g.sc.Recs = append(g.sc.Recs, r)
	}
}

func (g *generator) leads() []Rec {
	var list []Rec
	for _, r := range g.sc.Recs {
		if r.Type == "lead" {
			list = append(list, r)
		}
	}
	return list
}

func (g *generator) add(st Step) { g.sc.Steps = append(g.sc.Steps, st) }

func (g *generator) next() int {
	g.token++
	return g.token
}

// step adds one step, of a kind that the swarm allows.
func (g *generator) step() {
	g.closeSessions()
	switch n := g.IntN(100); {
	case n < 25 && g.swarm.close:
		g.add(g.edit(Step{Who: "close"}))
	case n < 50 && g.swarm.local:
		g.localEdit()
	case n < 75:
		g.work()
	case n < 85 && g.swarm.hooks:
		g.hook()
	case n < 90 && g.swarm.time:
		g.add(Step{Who: "clock", Do: "advance", For: pick(g, time.Millisecond, time.Second, 20*time.Second, 2*time.Minute, time.Hour, 25*time.Hour)})
	case n < 95 && g.swarm.faults:
		g.fault()
	case n < 98 && g.swarm.crashes:
		g.add(Step{Who: g.workerName(), Do: "crash"})
	}
}

func (g *generator) workerName() string {
	if g.swarm.second && g.chance(.3) {
		return "w2"
	}
	return "w1"
}

// edit fills in what is done to which record.
func (g *generator) edit(st Step) Step {
	r := g.sc.Recs[g.IntN(len(g.sc.Recs))]
	st.Rec = r.Name
	fields := written[r.Type]
	f := fields[g.IntN(len(fields))]
	switch n := g.IntN(100); {
	case n < 15 && !r.There, n < 5:
		st.Do, st.N = "create", g.next()
	case n < 20 && g.swarm.structure:
		st.Do = "delete"
	case n < 25 && g.swarm.structure && r.Type == "contact":
		st.Do, st.Into = "move", g.lead(r.Name)
	case n < 28 && g.swarm.structure && r.Type == "lead" && st.Who == "close":
		st.Do, st.Into = "merge", g.lead(r.Name)
	case f.item:
		st.Field, st.Do, st.N = f.name, "add", g.next()
		if g.chance(.3) {
			st.Do, st.N = "remove", g.IntN(3)
		}
	default:
		st.Field, st.Do = f.name, "set"
		switch {
		case g.chance(.1):
			st.Do = "clear"
		case g.chance(.1):
			st.Do = "undo"
		default:
			st.N = g.next()
		}
	}
	return st
}

func (g *generator) lead(not string) string {
	list := g.leads()
	for range 3 {
		if r := list[g.IntN(len(list))]; r.Name != not {
			return r.Name
		}
	}
	return list[0].Name
}

// localEdit is a statement of its own, or one in a transaction that stays open
// for some steps.
func (g *generator) localEdit() {
	if !g.swarm.sessions || g.chance(.5) {
		g.add(g.edit(Step{Who: "local"}))
		return
	}
	s := 1 + g.IntN(sessionCount-1)
	if g.opened[s] == 0 {
		g.add(Step{Who: "local", Do: "begin", S: s})
		g.opened[s] = 1 + g.IntN(8)
	}
	for range 1 + g.IntN(3) {
		g.add(g.edit(Step{Who: "local", S: s}))
	}
}

func (g *generator) closeSessions() {
	for s := range g.opened {
		if g.opened[s] == 0 {
			continue
		}
		if g.opened[s]--; g.opened[s] == 0 {
			do := "commit"
			if g.chance(.25) {
				do = "rollback"
			}
			g.add(Step{Who: "local", Do: do, S: s})
		}
	}
}

// work is an operation of a worker, which may be suspended in the middle.
func (g *generator) work() {
	st := Step{Who: g.workerName(), Do: pick(g, "cycle", "cycle", "cycle", "cycle", "tail", "tail", "search", "go", "go", "check", "audit")}
	if g.swarm.suspends && g.chance(.5) {
		st.Stop = 1 + g.IntN(60)
	}
	g.add(st)
}

func (g *generator) hook() {
	st := Step{Who: "hook", Do: pick(g, "deliver", "deliver", "deliver", "flush", "repeat", "drop", "delay"), N: g.IntN(4)}
	if st.Do == "delay" {
		st.For = pick(g, time.Minute, time.Hour)
	}
	if st.Do == "deliver" && g.swarm.suspends && g.chance(.2) {
		st.Stop = 1 + g.IntN(8)
	}
	g.add(st)
}

// faultKinds are the faults of the imitation that may be armed.
var faultKinds = []string{"status", "status_after", "cut", "cut_after", "hang", "hang_after", "truncate", "html"}

func (g *generator) fault() {
	if g.chance(.2) {
		g.add(Step{Who: "fault", Do: "clear"})
		return
	}
	st := Step{Who: "fault", Do: pick(g, "GET", "POST", "PUT", "PUT", "DELETE"), N: 1 + g.IntN(2)}
	st.Kind = pick(g, faultKinds...)
	switch st.Kind {
	case "status", "status_after":
		st.Code = pick(g, 500, 502, 503, 504, 429)
	case "hang", "hang_after":
		st.For = 30 * time.Second
	}
	if st.Kind == "status_after" && st.Code == 429 {
		st.Kind = "status"
	}
	g.add(st)
}
