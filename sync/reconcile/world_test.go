package reconcile

import (
	"fmt"
	"strings"
	"time"

	"closesync/mapping"
)

// world is one record on both sides with a worker between them that may crash
// at any step, and a book of every edit made by hand.
type world struct {
	o        *mapping.Object
	base     mapping.Record
	local    Side
	remote   Side
	detached bool // the row stays, but is linked to nothing any more
	nasty    bool // Close changes the form of texts when it saves them (S15)

	clock     int64
	tokens    map[string]bool // token of an edit -> accounted for
	removed   map[string]bool // list items taken out by hand
	conflicts []Conflict
	lost      []mapping.Record
	open      map[string]bool
	merges    int            // plans made
	unknown   mapping.Record // a write that landed in Close, its answer was lost
}

// testObject has a field of each sort of behaviour.
func testObject() *mapping.Object {
	return &mapping.Object{
		Type: "lead", Custom: "custom", Direction: mapping.Both, Policy: mapping.PolicyClose,
		OnClose: mapping.DeleteRule{Kind: "delete"}, OnLocal: "delete",
		Fields: []mapping.Field{
			{Close: "name"},
			{Close: "note"},
			{Close: "tags", Kind: mapping.List, Identity: []string{"id"}},
			{Close: "seen", ReadOnly: true},
		},
	}
}

func newWorld(o *mapping.Object) *world {
	return &world{o: o, tokens: map[string]bool{}, removed: map[string]bool{}}
}

// linked starts from a record that both sides hold.
func (w *world) linked(rec mapping.Record) *world {
	w.base, w.local, w.remote = rec.Clone(), Side{Exists: true, Record: rec.Clone()}, Side{Exists: true, Record: rec.Clone()}
	return w
}

func (w *world) now() time.Time {
	w.clock++
	return time.Unix(w.clock, 0)
}

func (w *world) fresh() string {
	t := fmt.Sprintf("t%03d.", len(w.tokens))
	w.tokens[t] = false
	return t
}

// account notes that whoever acts on a side has seen and replaced v there.
func (w *world) account(v mapping.Value) {
	if len(w.tokens) == 0 {
		return
	}
	for s := string(v); ; {
		i := strings.IndexByte(s, 't')
		if i < 0 || i+5 > len(s) {
			return
		}
		if _, ok := w.tokens[s[i:i+5]]; ok {
			w.tokens[s[i:i+5]] = true
		}
		s = s[i+1:]
	}
}

// recover runs the worker before Close is edited again after a write whose
// answer was lost. Without that, an edit in Close of the very value just
// written could not be told from a write that never arrived.
func (w *world) recover(s *Side) {
	if w.unknown != nil && s == &w.remote {
		w.cycle(crashNever)
	}
}

// edit is a person's or a program's write of a field on one side.
func (w *world) edit(s *Side, field string, v mapping.Value) {
	w.recover(s)
	if !s.Exists {
		return
	}
	w.account(s.Record.Get(field))
	s.Record[field] = w.saved(s, v)
	s.At = w.now()
}

// saved is the form in which a side keeps a text.
func (w *world) saved(s *Side, v mapping.Value) mapping.Value {
	if text, ok := v.Text(); ok && w.nasty && s == &w.remote && !strings.HasSuffix(text, "~") {
		return mapping.TextValue(text + "~")
	}
	return v
}

func (w *world) addItem(s *Side, token string) {
	w.recover(s)
	if !s.Exists {
		return
	}
	items := append(mapping.Items(s.Record.Get("tags")), mapping.Value(`{"id":"`+token+`"}`))
	s.Record["tags"] = w.list(s, items)
	s.At = w.now()
}

func (w *world) removeItem(s *Side, n int) {
	w.recover(s)
	items := mapping.Items(s.Record.Get("tags"))
	if !s.Exists || len(items) == 0 {
		return
	}
	n %= len(items)
	w.account(items[n])
	w.removed[tokenOf(items[n])] = true
	s.Record["tags"] = mapping.ListOf(append(items[:n:n], items[n+1:]...))
	s.At = w.now()
}

func tokenOf(item mapping.Value) string {
	i := strings.Index(string(item), `"id":"`)
	return string(item)[i+6 : i+11]
}

// list is the form in which a side keeps items: Close adds a key of its own.
func (w *world) list(s *Side, items []mapping.Value) mapping.Value {
	if s != &w.remote {
		return mapping.ListOf(items)
	}
	out := make([]mapping.Value, len(items))
	for i, it := range items {
		form := mapping.ItemForm(mapping.Field{Identity: []string{"id"}}, it)
		out[i] = mapping.Value(`{"derived":1,`) + form[1:]
	}
	return mapping.ListOf(out)
}

// drop deletes the record on one side: what was to be seen there is gone by
// the will of whoever deleted it.
func (w *world) drop(s *Side) {
	w.recover(s)
	for _, v := range s.Record {
		w.account(v)
	}
	// A row that comes back does so as Close has it.
	clear(w.removed)
	*s = Side{At: w.now()}
}

func (w *world) input() Input { return Input{Base: w.base, Local: w.local, Remote: w.remote} }

// crash says after which step the worker dies.
type crash int

const (
	crashNever crash = iota
	crashAfterLocal
	crashAfterSend
)

// cycle plans and carries out; it reports whether anything was written.
func (w *world) cycle(c crash) bool {
	if w.detached {
		return false
	}
	if w.unknown != nil && w.remote.Exists && w.base != nil {
		w.base = Landed(w.o, w.base, w.unknown, w.remote.Record)
	}
	w.unknown = nil
	p := Merge(w.o, w.input())
	w.merges++
	w.open = map[string]bool{}
	for _, k := range p.Conflicts {
		if k.Open {
			w.open[k.Field] = true
		} else {
			w.conflicts = append(w.conflicts, k)
		}
	}
	w.lost = append(w.lost, p.Lost)
	w.applyLocal(p)
	if c == crashAfterLocal || p.Remote == None {
		return !p.Idle()
	}
	w.send(p)
	if c == crashAfterSend && p.Remote != Create {
		w.unknown = p.RemoteSet
		return true // a create whose answer is lost is found again by its intent
	}
	w.base = nil
	if w.remote.Exists {
		w.base = Settle(w.o, p.Base, p.RemoteSet, w.local.Record, w.remote.Record)
	}
	return true
}

func (w *world) applyLocal(p Plan) {
	switch p.Local {
	case Create:
		w.local = Side{Exists: true, Record: p.LocalSet.Clone(), At: w.local.At}
	case Update:
		for name, v := range p.LocalSet {
			w.local.Record[name] = v
		}
	case Delete:
		w.local = Side{}
	case Detach, Flag:
		w.detached = true
	}
	w.base = p.Base
}

func (w *world) send(p Plan) {
	switch p.Remote {
	case Create:
		w.remote = Side{Exists: true, Record: mapping.Record{"seen": `"s"`}, At: w.remote.At}
		for _, f := range w.o.Fields {
			if _, ok := w.remote.Record[f.Close]; !ok {
				w.remote.Record[f.Close] = mapping.Null
			}
		}
		fallthrough
	case Update:
		for name, v := range p.RemoteSet {
			if name == "tags" {
				v = w.list(&w.remote, mapping.Items(v))
			}
			w.remote.Record[name] = w.saved(&w.remote, v)
		}
	case Delete:
		w.remote = Side{}
	}
}

// settleDown runs the worker until it has nothing to write; false if it never
// stops (I-14).
func (w *world) settleDown() bool {
	for range 6 {
		if !w.cycle(crashNever) {
			return true
		}
	}
	return false
}

// check judges a world at rest; "" is good.
func (w *world) check() string {
	if w.cycle(crashNever) {
		return "I-7: writes at rest"
	}
	if s := w.converged(); s != "" {
		return s
	}
	for token, done := range w.tokens {
		if !done && !w.holds(token) {
			return "I-4: edit " + token + " vanished"
		}
	}
	for _, s := range []Side{w.local, w.remote} {
		for _, it := range mapping.Items(s.Record.Get("tags")) {
			if w.removed[tokenOf(it)] && w.o.Direction == mapping.Both {
				return "I-5: removed item " + string(it) + " came back"
			}
		}
	}
	return ""
}

func (w *world) converged() string {
	if w.detached {
		return ""
	}
	if w.local.Exists != w.remote.Exists {
		if w.o.OnLocal == "ignore" && w.remote.Exists ||
			w.base == nil && w.o.Direction != mapping.Both {
			return ""
		}
		return "I-1: lives on one side only"
	}
	if !w.local.Exists {
		return ""
	}
	for _, f := range w.o.Fields {
		l, r, b := w.local.Record.Get(f.Close), w.remote.Record.Get(f.Close), w.base.Get(f.Close)
		if !w.open[f.Close] && (!mapping.Same(f, l, r) || !mapping.Same(f, r, b)) {
			return fmt.Sprintf("I-1: %s: local %s, remote %s, base %s", f.Close, l, r, b)
		}
	}
	return ""
}

// holds looks for a token wherever an edit may rightly be.
func (w *world) holds(token string) bool {
	in := func(v mapping.Value) bool { return strings.Contains(string(v), token) }
	for _, rec := range append([]mapping.Record{w.local.Record, w.remote.Record}, w.lost...) {
		for _, v := range rec {
			if in(v) {
				return true
			}
		}
	}
	for _, c := range w.conflicts {
		if in(c.Local) || in(c.Remote) {
			return true
		}
	}
	return false
}
