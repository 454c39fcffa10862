package reconcile

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"closesync/mapping"
)

// oneField is an object with a single text field.
func oneField(p mapping.Policy, d mapping.Direction, onClose, onLocal string) *mapping.Object {
	return &mapping.Object{Type: "lead", Policy: p, Direction: d, OnLocal: onLocal,
		OnClose: mapping.DeleteRule{Kind: onClose}, Fields: []mapping.Field{{Close: "name"}}}
}

// TestExhaustiveInputs is T23: every base, row and record of Close over three
// values, deletions included, under every policy, direction, delete rule and
// order of times.
func TestExhaustiveInputs(t *testing.T) {
	t.Parallel()
	values := []mapping.Value{"gone", mapping.Null, `"a"`, `"b"`}
	record := func(v mapping.Value) mapping.Record {
		if v == "gone" {
			return nil
		}
		return mapping.Record{"name": v}
	}
	n := 0
	for _, o := range allObjects() {
		for _, b := range values {
			for _, l := range values {
				for _, r := range values {
					for order := range 6 {
						in := Input{Base: record(b), Refill: order >= 3,
							Local:  Side{Exists: l != "gone", Record: record(l), At: time.Unix(int64(order%3), 0)},
							Remote: Side{Exists: r != "gone", Record: record(r), At: time.Unix(1, 0)}}
						p := Merge(o, in)
						for _, law := range []func(gen, *mapping.Object, Input, Plan) string{lawRestart, lawNoInvention, lawPure} {
							if s := law(gen{}, o, in, p); s != "" {
								t.Fatalf("%s\n%+v\n%+v", s, o, in)
							}
						}
						n++
					}
				}
			}
		}
	}
	t.Logf("%d inputs", n)
}

func allObjects() []*mapping.Object {
	var os []*mapping.Object
	for _, p := range policies {
		for _, d := range directions[1:] {
			for _, c := range kinds {
				for _, l := range []string{"delete", "ignore"} {
					os = append(os, oneField(p, d, c, l))
				}
			}
		}
	}
	return os
}

// TestExhaustiveHistories plays every sequence of up to four steps on one
// field and judges the end: order independence and deletes in the total order
// (S4, S5, S6).
func TestExhaustiveHistories(t *testing.T) {
	t.Parallel()
	length := 4
	if testing.Short() {
		length = 3
	}
	for _, p := range policies {
		for _, d := range directions[1:] {
			steps := make([]int, length)
			for more := true; more; more = next(steps, 8) {
				if s := play(oneField(p, d, "delete", "delete"), steps); s != "" {
					t.Fatalf("%s %s %v: %s", p, d, steps, s)
				}
			}
		}
	}
}

// next counts steps up like an odometer; false after the last.
func next(steps []int, base int) bool {
	for i := range steps {
		if steps[i]++; steps[i] < base {
			return true
		}
		steps[i] = 0
	}
	return false
}

func play(o *mapping.Object, steps []int) string {
	w := newWorld(o).linked(mapping.Record{"name": `"n"`})
	for _, k := range steps {
		s := &w.local
		if k%2 == 1 {
			s = &w.remote
		}
		w.recover(s)
		switch k / 2 {
		case 0:
			if s.Exists {
				w.edit(s, "name", mapping.TextValue(w.fresh()))
			}
		case 1:
			w.edit(s, "name", mapping.Null)
		case 2:
			if s.Exists {
				w.drop(s)
			}
		case 3:
			w.cycle([]crash{crashAfterLocal, crashAfterSend}[k%2])
		}
	}
	if !w.settleDown() {
		return "I-14: never at rest"
	}
	return w.check()
}

// TestRapidHistories draws decisions, so that a failure shrinks to the few
// steps that matter.
func TestRapidHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		os := allObjects()
		o := os[rapid.IntRange(0, len(os)-1).Draw(rt, "object")]
		if o.OnLocal == "ignore" {
			rt.Skip("an ignored delete is no convergence")
		}
		steps := rapid.SliceOfN(rapid.IntRange(0, 7), 1, 12).Draw(rt, "steps")
		if s := play(o, steps); s != "" {
			rt.Fatal(s)
		}
	})
}

// merged is what both sides end with when two versions of one field are
// merged, or open: an operator must decide. A version that is "gone" is a
// deleted record.
func merged(o *mapping.Object, base, l, r version) (version, bool) {
	w := &world{o: o, base: mapping.Record{"name": base.value}, local: l.side(), remote: r.side()}
	p := Merge(o, w.input())
	for _, c := range p.Conflicts {
		if c.Open {
			return version{}, false
		}
	}
	w.applyLocal(p)
	w.send(p)
	out := version{value: "gone", at: max(l.at, r.at)}
	if w.local.Exists {
		out.value = w.local.Record.Get("name")
		// The outcome is as old as the version it comes from.
		switch {
		case out.value == l.value && l.value != base.value && (r.value != l.value || l.at > r.at):
			out.at = l.at
		case out.value == r.value && r.value != base.value:
			out.at = r.at
		}
	}
	return out, w.local.Exists == w.remote.Exists
}

// version is one field's value in one copy of a record, and when it was set.
type version struct {
	value mapping.Value
	at    int64
}

func (v version) side() Side {
	if v.value == "gone" {
		return Side{At: time.Unix(v.at, 0)}
	}
	return Side{Exists: true, Record: mapping.Record{"name": v.value}, At: time.Unix(v.at, 0)}
}

// TestFault_S6_MergeIsAssociative: three copies of a record, merged two and
// two, come to the same whichever pair meets first; where two of them must be
// decided by a person, they must in either order. With deletions this holds
// where Close wins: there they have their place in the total order. Under the
// other policies a deletion in Close still wins over an edit here (S4), by
// design and whatever the policy says.
func TestFault_S6_MergeIsAssociative(t *testing.T) {
	t.Parallel()
	n := 0
	for _, p := range policies {
		o := oneField(p, mapping.Both, "delete", "delete")
		values := []mapping.Value{mapping.Null, `"n"`, `"a"`, `"b"`, `"c"`}
		if p == mapping.PolicyClose {
			values = append(values, "gone")
		}
		base := version{value: `"n"`}
		for _, times := range [][3]int64{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}} {
			for _, x := range values {
				for _, y := range values {
					for _, z := range values {
						a, b, c := version{x, times[0]}, version{y, times[1]}, version{z, times[2]}
						left, okL := merged(o, base, a, b)
						if okL {
							left, okL = merged(o, base, left, c)
						}
						right, okR := merged(o, base, b, c)
						if okR {
							right, okR = merged(o, base, a, right)
						}
						if okL != okR || okL && left.value != right.value {
							t.Fatalf("%s: (%v %v) %v = %v %v, %v (%v %v) = %v %v", p, a, b, c, left, okL, a, b, c, right, okR)
						}
						n++
					}
				}
			}
		}
	}
	t.Logf("%d triples", n)
}

// TestFault_S6_SetMergeIsAssociative: the same of an item that a list holds at
// most once. Items held more than once are counted: opposite edits cancel out
// there, which no order of merging can undo.
func TestFault_S6_SetMergeIsAssociative(t *testing.T) {
	t.Parallel()
	for b := range 2 {
		for x := range 2 {
			for y := range 2 {
				for z := range 2 {
					require.Equal(t, mergeCount(b, mergeCount(b, x, y), z), mergeCount(b, x, mergeCount(b, y, z)), "%d: %d %d %d", b, x, y, z)
				}
			}
		}
	}
}

// TestFault_S6_SetMergeIsSymmetric checks the count of one list item for all
// small bases and sides.
func TestFault_S6_SetMergeIsSymmetric(t *testing.T) {
	t.Parallel()
	for b := range 4 {
		for l := range 4 {
			for r := range 4 {
				m := mergeCount(b, l, r)
				require.Equal(t, m, mergeCount(b, r, l))
				require.Equal(t, m, mergeCount(r, m, r), "merging the outcome again changes nothing")
				require.True(t, m >= 0 && m <= slices.Max([]int{b, l, r}), fmt.Sprint(b, l, r))
			}
		}
	}
	require.Equal(t, 2, mergeCount(1, 2, 2))
	require.Equal(t, 0, mergeCount(2, 0, 1))
	require.Equal(t, 1, mergeCount(1, 2, 0))
}
