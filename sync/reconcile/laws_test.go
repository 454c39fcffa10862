package reconcile

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"closesync/mapping"
)

var (
	lawCases = flag.Int("laws.cases", 200_000, "plans judged by TestLaws")
	lawSeed  = flag.Uint64("laws.seed", 1, "first seed of TestLaws")
)

// chunk is how many plans share one seed.
const chunk = 1000

// TestLaws judges random plans by the planner-only laws, and random histories
// by the invariants I-1, I-4, I-5 and I-7 (reliability.md §3.6, target T1).
// Repeat a failure with -laws.seed=N -laws.cases=1.
func TestLaws(t *testing.T) {
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total, worlds := 0, 0
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range seeds {
				n, w, fault := judgeSeed(seed)
				mu.Lock()
				total, worlds = total+n, worlds+w
				if fault != "" {
					t.Errorf("-laws.seed=%d: %s", seed, fault)
				}
				mu.Unlock()
			}
		})
	}
	for n, seed := 0, *lawSeed; n < *lawCases && !t.Failed(); n, seed = n+chunk, seed+1 {
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
	t.Logf("%d plans judged, %d histories", total, worlds)
}

// judgeSeed makes about chunk plans, a third of them in histories.
func judgeSeed(seed uint64) (plans, worlds int, fault string) {
	g := gen{rand.New(rand.NewPCG(seed, 7))}
	for plans < chunk {
		if plans%3 == 0 {
			w, s := g.history()
			if s != "" {
				return plans, worlds, s
			}
			plans += w.merges
			worlds++
		}
		o, in := g.object(), g.input()
		n, s := judge(g, o, in)
		if s != "" {
			return plans, worlds, fmt.Sprintf("%s\nobject %s %s\ninput %+v", s, o.Direction, o.Policy, in)
		}
		plans += n
	}
	return plans, worlds, ""
}

type gen struct{ *rand.Rand }

var (
	policies   = []mapping.Policy{mapping.PolicyClose, mapping.PolicyLocal, mapping.PolicyNewest, mapping.PolicyManual}
	directions = []mapping.Direction{mapping.Both, mapping.Both, mapping.FromClose, mapping.ToClose}
	texts      = []mapping.Value{mapping.Null, `"a"`, `"b"`, `"c"`}
	lists      = []mapping.Value{
		mapping.Null, `[{"id":"x"}]`, `[{"id":"y"},{"id":"x"}]`, `[{"id":"x"},{"id":"y"}]`,
		`[{"d":1,"id":"x"}]`, `[{"id":"x"},{"id":"x"}]`, `[{"id":"z"}]`,
	}
	kinds = []string{"delete", "detach", "flag"}
)

func (g gen) object() *mapping.Object {
	o := testObject()
	o.Policy = policies[g.IntN(len(policies))]
	o.Direction = directions[g.IntN(len(directions))]
	o.Fields[1].Policy = policies[g.IntN(len(policies))]
	o.OnClose.Kind = kinds[g.IntN(len(kinds))]
	if g.IntN(4) == 0 {
		o.OnLocal = "ignore"
	}
	return o
}

func (g gen) record() mapping.Record {
	return mapping.Record{
		"name": texts[g.IntN(len(texts))], "note": texts[g.IntN(len(texts))],
		"tags": lists[g.IntN(len(lists))], "seen": texts[g.IntN(2)],
		"custom.cf_a": texts[g.IntN(len(texts))],
	}
}

func (g gen) side() Side {
	return Side{Exists: g.IntN(8) > 0, At: time.Unix(int64(g.IntN(3)), 0)}
}

func (g gen) input() Input {
	in := Input{Local: g.side(), Remote: g.side(), Refill: g.IntN(16) == 0, Recall: g.IntN(16) == 0}
	if g.IntN(6) > 0 {
		in.Base = g.record()
	}
	for _, s := range []*Side{&in.Local, &in.Remote} {
		if s.Exists {
			s.Record = g.record()
		}
	}
	if in.Remote.Exists && g.IntN(8) == 0 {
		delete(in.Remote.Record, "note")
	}
	if g.IntN(8) == 0 {
		in.Paused = map[string]bool{"name": true}
	}
	return in
}

// judge checks one plan; plans is how many it made for that.
func judge(g gen, o *mapping.Object, in Input) (plans int, fault string) {
	p := Merge(o, in)
	laws := []func(gen, *mapping.Object, Input, Plan) string{lawRestart, lawNoInvention}
	switch g.IntN(5) {
	case 0:
		laws = append(laws, lawPure)
	case 1:
		laws = append(laws, lawEcho)
	case 2:
		laws = append(laws, lawIndependent)
	case 3:
		laws = append(laws, lawSwap)
	case 4:
		laws = append(laws, lawOrder)
	}
	for _, law := range laws {
		if s := law(g, o, in, p); s != "" {
			return 0, s
		}
	}
	return 4, ""
}

// lawRestart: a worker that dies after the local part plans the same for
// Close again and tells no conflict twice; once all is carried out, nothing
// is left to plan.
func lawRestart(_ gen, o *mapping.Object, in Input, p Plan) string {
	if p.Local == Detach || p.Local == Flag {
		return ""
	}
	w := &world{o: o, base: in.Base.Clone(), local: in.Local, remote: in.Remote}
	w.local.Record, w.remote.Record = in.Local.Record.Clone(), in.Remote.Record.Clone()
	w.applyLocal(p)
	again := w.input()
	again.Paused = in.Paused
	p2 := Merge(o, again)
	if p2.Local != None || p2.Remote != p.Remote || !sameSets(o, p2.RemoteSet, p.RemoteSet) {
		return fmt.Sprintf("restart: first %+v\nthen %+v", p, p2)
	}
	if s := onlyOpen(p2); s != "" && p2.Remote != Delete {
		return "restart: " + s
	}
	if p.Remote == None {
		return ""
	}
	w.send(p2)
	w.base = nil
	if w.remote.Exists {
		w.base = Settle(o, p2.Base, p2.RemoteSet, w.local.Record, w.remote.Record)
	}
	// One more round may carry home what Close derives.
	rest := w.input()
	rest.Paused = in.Paused
	w.applyLocal(Merge(o, rest))
	rest = w.input()
	rest.Paused = in.Paused
	p3 := Merge(o, rest)
	if !p3.Idle() {
		return fmt.Sprintf("idempotent: %+v\nthen %+v", p, p3)
	}
	return onlyOpen(p3)
}

func sameSets(o *mapping.Object, a, b mapping.Record) bool {
	for name := range a {
		f, _ := o.Field(name)
		if _, ok := b[name]; !ok || !mapping.Same(f, a[name], b[name]) {
			return false
		}
	}
	return len(a) == len(b)
}

func onlyOpen(p Plan) string {
	for _, c := range p.Conflicts {
		if !c.Open {
			return fmt.Sprintf("conflict told twice: %+v", c)
		}
	}
	return ""
}

// lawNoInvention: every value written is one that a side holds (I-5).
func lawNoInvention(_ gen, _ *mapping.Object, in Input, p Plan) string {
	for _, set := range []mapping.Record{p.LocalSet, p.RemoteSet} {
		for name, v := range set {
			l, r := in.Local.Record.Get(name), in.Remote.Record.Get(name)
			if v == l || v == r {
				continue
			}
			held := map[mapping.Value]bool{}
			for _, it := range append(mapping.Items(l), mapping.Items(r)...) {
				held[it] = true
			}
			for _, it := range mapping.Items(v) {
				if !held[it] {
					return fmt.Sprintf("invented %s of %s", it, name)
				}
			}
			if name != "tags" {
				return fmt.Sprintf("invented %s of %s", v, name)
			}
		}
	}
	return ""
}

// lawPure: same input, same plan, and the input stays as it was.
func lawPure(_ gen, o *mapping.Object, in Input, p Plan) string {
	copied := in
	copied.Base, copied.Local.Record, copied.Remote.Record = in.Base.Clone(), in.Local.Record.Clone(), in.Remote.Record.Clone()
	if p2 := Merge(o, in); !reflect.DeepEqual(p, p2) {
		return fmt.Sprintf("not the same plan: %+v\n%+v", p, p2)
	}
	if !reflect.DeepEqual(in, copied) {
		return "the input was changed"
	}
	return ""
}

// lawEcho: what both sides agreed on, seen again, plans nothing (S14).
func lawEcho(g gen, o *mapping.Object, in Input, _ Plan) string {
	rec := g.record()
	p := Merge(o, Input{Base: rec, Paused: in.Paused,
		Local: Side{Exists: true, Record: rec}, Remote: Side{Exists: true, Record: rec}})
	if !p.Idle() || len(p.Conflicts) > 0 || !maps.Equal(p.Base, rec) {
		return fmt.Sprintf("echo: %+v", p)
	}
	return ""
}

// lawOrder: the order in which fields are listed, and items of a list stand,
// has no meaning: the plan is the same.
func lawOrder(g gen, o *mapping.Object, in Input, p Plan) string {
	q := *o
	q.Fields = append([]mapping.Field(nil), o.Fields...)
	g.Shuffle(len(q.Fields), func(i, j int) { q.Fields[i], q.Fields[j] = q.Fields[j], q.Fields[i] })
	turned := in
	turned.Base, turned.Local.Record, turned.Remote.Record = in.Base.Clone(), in.Local.Record.Clone(), in.Remote.Record.Clone()
	for _, r := range []mapping.Record{turned.Base, turned.Local.Record, turned.Remote.Record} {
		if r != nil {
			items := mapping.Items(r.Get("tags"))
			g.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			r["tags"] = mapping.ListOf(items)
		}
	}
	p2 := Merge(&q, turned)
	if p2.Local != p.Local || p2.Remote != p.Remote || !sameSets(o, p2.RemoteSet, p.RemoteSet) || !sameSets(o, p2.LocalSet, p.LocalSet) ||
		!maps.Equal(p2.Reasons, p.Reasons) || len(p2.Conflicts) != len(p.Conflicts) {
		return fmt.Sprintf("order: %+v\nthen %+v", p, p2)
	}
	return ""
}

// lawIndependent: without field g, every other field is decided the same.
func lawIndependent(g gen, o *mapping.Object, in Input, p Plan) string {
	if !in.Local.Exists || !in.Remote.Exists {
		return ""
	}
	gone := []string{"name", "tags", "custom.cf_a"}[g.IntN(3)]
	less := in
	less.Base, less.Local.Record, less.Remote.Record = in.Base.Clone(), in.Local.Record.Clone(), in.Remote.Record.Clone()
	for _, r := range []mapping.Record{less.Base, less.Local.Record, less.Remote.Record} {
		delete(r, gone)
	}
	p2 := Merge(o, less)
	for name := range in.Remote.Record {
		if name == gone {
			continue
		}
		if p.LocalSet.Get(name) != p2.LocalSet.Get(name) || p.RemoteSet.Get(name) != p2.RemoteSet.Get(name) ||
			p.Base.Get(name) != p2.Base.Get(name) || p.Reasons[name] != p2.Reasons[name] {
			return fmt.Sprintf("%s depends on %s: %+v\n%+v", name, gone, p, p2)
		}
	}
	return ""
}

// lawSwap: with the sides and the policies exchanged, the plan is exchanged.
func lawSwap(_ gen, o *mapping.Object, in Input, p Plan) string {
	if !in.Local.Exists || !in.Remote.Exists || o.Direction != mapping.Both || len(in.Paused) > 0 ||
		in.Local.At.Equal(in.Remote.At) || in.Local.At.IsZero() {
		return ""
	}
	if _, full := in.Remote.Record["note"]; !full {
		return ""
	}
	q := *o
	q.Fields = append([]mapping.Field(nil), o.Fields...)
	q.Policy, q.Fields[1].Policy = swapped(o.Policy), swapped(o.Fields[1].Policy)
	back := in
	back.Local, back.Remote = in.Remote, in.Local
	p2 := Merge(&q, back)
	for _, f := range o.Fields[:3] {
		l, okL := p.LocalSet[f.Close]
		r, okR := p.RemoteSet[f.Close]
		l2, okL2 := p2.LocalSet[f.Close]
		r2, okR2 := p2.RemoteSet[f.Close]
		if f.Kind == mapping.List {
			// Close's form is taken over on one side only.
			okL = okL && !mapping.Same(f, l, in.Local.Record.Get(f.Close))
			okL2 = okL2 && !mapping.Same(f, l2, back.Local.Record.Get(f.Close))
		}
		if okL != okR2 || okR != okL2 || okL && !mapping.Same(f, l, r2) || okR && !mapping.Same(f, r, l2) {
			return fmt.Sprintf("swap of %s: %+v\n%+v", f.Close, p, p2)
		}
	}
	return ""
}

func swapped(p mapping.Policy) mapping.Policy {
	switch p {
	case mapping.PolicyClose:
		return mapping.PolicyLocal
	case mapping.PolicyLocal:
		return mapping.PolicyClose
	}
	return p
}

// history lets people edit both sides while the worker runs and crashes, then
// judges the world at rest.
func (g gen) history() (*world, string) {
	w := newWorld(g.object()).linked(mapping.Record{"name": `"n"`, "note": mapping.Null, "tags": mapping.Null, "seen": `"s"`})
	// Under to_close the row may not take over Close's form; the engine pauses
	// such a field after two rounds.
	w.nasty = g.IntN(4) == 0 && w.o.Direction != mapping.ToClose
	if g.IntN(3) == 0 {
		w.base = nil
		if g.IntN(2) == 0 {
			w.local = Side{}
		} else {
			w.remote = Side{}
		}
	}
	steps := ""
	for range 4 + g.IntN(10) {
		steps += g.step(w)
	}
	if !w.settleDown() {
		return w, fmt.Sprintf("I-14: never at rest: nasty %v %s/%s %s: %s\n%+v", w.nasty, w.o.Direction, w.o.Policy, w.o.OnClose.Kind, steps, Merge(w.o, w.input()))
	}
	if s := w.check(); s != "" {
		return w, fmt.Sprintf("%s\n%s %s/%s %s %s: %s", s, w.o.Direction, w.o.Policy, w.o.Fields[1].Policy, w.o.OnClose.Kind, w.o.OnLocal, steps)
	}
	return w, ""
}

func (g gen) step(w *world) string {
	s, side := &w.local, "L"
	if g.IntN(2) == 0 {
		s, side = &w.remote, "R"
	}
	w.recover(s)
	field := []string{"name", "note"}[g.IntN(2)]
	switch k := g.IntN(20); {
	case k < 4:
		w.cycle(crashNever)
		return "sync "
	case k < 6:
		w.cycle(crashAfterLocal)
		return "crash1 "
	case k < 8:
		w.cycle(crashAfterSend)
		return "crash2 "
	case k < 13 && s.Exists:
		t := w.fresh()
		w.edit(s, field, mapping.TextValue(t))
		return side + "." + field + "=" + t + " "
	case k < 14:
		w.edit(s, field, mapping.Null)
		return side + "." + field + "=null "
	case k < 17 && s.Exists:
		t := w.fresh()
		w.addItem(s, t)
		return side + "+" + t + " "
	case k < 18:
		w.removeItem(s, g.IntN(3))
		return side + "-item "
	case k == 18 && s.Exists && !w.detached:
		w.drop(s)
		return side + ".delete "
	}
	return ""
}
