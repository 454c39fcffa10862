package reconcile

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
)

// rec reads "name=a tags=x,y": words with a value, an empty one for Null;
// "-" is no record. A tag is an item with only its id; "x+" also has a key
// that Close derived.
func rec(s string) mapping.Record {
	if s == "-" {
		return nil
	}
	r := mapping.Record{}
	for _, w := range strings.Fields(s) {
		name, v, _ := strings.Cut(w, "=")
		switch {
		case v == "":
			r[name] = mapping.Null
		case name == "tags":
			var items []mapping.Value
			for _, id := range strings.Split(v, ",") {
				item := `{"id":"` + strings.TrimSuffix(id, "+") + `"}`
				if strings.HasSuffix(id, "+") {
					item = `{"d":1,` + item[1:]
				}
				items = append(items, mapping.Value(item))
			}
			r[name] = mapping.ListOf(items)
		case strings.HasPrefix(v, "@"):
			r[name] = mapping.LocalRef(v[1:])
		default:
			r[name] = mapping.TextValue(v)
		}
	}
	return r
}

// show is the reverse of rec.
func show(r mapping.Record) string {
	var words []string
	for name, v := range r {
		text, _ := v.Text()
		if v[0] == '[' {
			var ids []string
			for _, it := range mapping.Items(v) {
				id := strings.Split(strings.Split(string(it), `"id":"`)[1], `"`)[0]
				if strings.Contains(string(it), `"d"`) {
					id += "+"
				}
				ids = append(ids, id)
			}
			text = strings.Join(ids, ",")
		}
		words = append(words, name+"="+text)
	}
	sort.Strings(words)
	return strings.Join(words, " ")
}

// render puts a plan in one line: what is written here, in Close, conflicts,
// what is lost, reasons.
func render(p Plan) string {
	parts := []string{}
	add := func(s string) { parts = append(parts, strings.TrimSpace(s)) }
	if p.Local != None {
		add(fmt.Sprintf("here %s %s", p.Local, show(p.LocalSet)))
	}
	if p.Remote != None {
		add(fmt.Sprintf("close %s %s", p.Remote, show(p.RemoteSet)))
	}
	for _, c := range p.Conflicts {
		winner := c.Winner
		if c.Open {
			winner = "open"
		}
		add(fmt.Sprintf("conflict %s %s:%s", c.Field, c.Rule, winner))
	}
	if len(p.Lost) > 0 {
		add("lost " + show(p.Lost))
	}
	return strings.Join(parts, "; ")
}

// set changes the object or input of a case.
type set func(*mapping.Object, *Input)

func policy(p mapping.Policy) set         { return func(o *mapping.Object, _ *Input) { o.Policy = p } }
func dir(d mapping.Direction) set         { return func(o *mapping.Object, _ *Input) { o.Direction = d } }
func onClose(k string) set                { return func(o *mapping.Object, _ *Input) { o.OnClose.Kind = k } }
func ignore(o *mapping.Object, _ *Input)  { o.OnLocal = "ignore" }
func refill(_ *mapping.Object, in *Input) { in.Refill = true }
func recall(_ *mapping.Object, in *Input) { in.Recall = true }
func filled(o *mapping.Object, _ *Input)  { o.Fields[1].Filled = true }
func paused(f string) set {
	return func(_ *mapping.Object, in *Input) { in.Paused = map[string]bool{f: true} }
}
func take(f string, c Choice) set {
	return func(_ *mapping.Object, in *Input) { in.Take = map[string]Choice{f: c} }
}
func times(l, r int64) set {
	return func(_ *mapping.Object, in *Input) { in.Local.At, in.Remote.At = time.Unix(l, 0), time.Unix(r, 0) }
}
func child(o *mapping.Object, _ *Input) {
	o.Fields = append(o.Fields, mapping.Field{Close: "lead_id", Kind: mapping.Reference, Parent: "lead", Required: true},
		mapping.Field{Close: "contact_id", Kind: mapping.Reference, Parent: "contact"})
}
func overwrote(field, seen, held, sent, left string) set {
	of := func(v string) mapping.Value { return rec(field + "=" + v).Get(field) }
	return func(_ *mapping.Object, in *Input) {
		in.Overwritten = map[string]Overwritten{field: {Seen: of(seen), Held: of(held), Sent: of(sent), Left: of(left)}}
	}
}
func learned(f string, form Form) set {
	return func(_ *mapping.Object, in *Input) { in.Learned = map[string]Form{f: form} }
}
func ownColumn(o *mapping.Object, _ *Input) {
	o.Fields = append(o.Fields, mapping.Field{Close: "custom.cf_a", Column: "tier"})
}
func noteLocal(o *mapping.Object, _ *Input) { o.Fields[1].Policy = mapping.PolicyLocal }

func TestMerge(t *testing.T) {
	t.Parallel()
	from, to := mapping.FromClose, mapping.ToClose
	for _, c := range []struct {
		what, base, local, remote string
		want, wantBase            string
		sets                      []set
	}{
		{"nothing changed", "name=a", "name=a", "name=a", "", "name=a", nil},
		{"edit in Close", "name=a", "name=a", "name=b", "here update name=b", "name=b", nil},
		{"edit here", "name=a", "name=b", "name=a", "close update name=b", "name=a", nil},
		{"cleared in Close", "name=a", "name=a", "name=", "here update name=", "name=", nil},
		{"cleared here", "name=a", "name=", "name=a", "close update name=", "name=a", nil},
		{"S1: different fields", "name=a note=x", "name=b note=x", "name=a note=y", "here update note=y; close update name=b", "name=a note=y", nil},
		{"S3: same edit", "name=a", "name=b", "name=b", "", "name=b", nil},
		{"both cleared", "name=a", "name=", "name=", "", "name=", nil},
		{"S38: undone here", "name=a", "name=a", "name=a", "", "name=a", []set{times(9, 1)}},

		{"S2: Close wins", "name=a", "name=b", "name=c", "here update name=c; conflict name close:close", "name=c", nil},
		{"S2: row wins", "name=a", "name=b", "name=c", "close update name=b; conflict name local:local", "name=c", []set{policy("local")}},
		{"S2: newest is here", "name=a", "name=b", "name=c", "close update name=b; conflict name newest:local", "name=c", []set{policy("newest"), times(2, 1)}},
		{"S2: newest is Close", "name=a", "name=b", "name=c", "here update name=c; conflict name newest:close", "name=c", []set{policy("newest"), times(1, 2)}},
		{"S2: a tie is Close's", "name=a", "name=b", "name=c", "here update name=c; conflict name newest:close", "name=c", []set{policy("newest"), times(2, 2)}},
		{"S2: unknown times are Close's", "name=a", "name=b", "name=c", "here update name=c; conflict name newest:close", "name=c", []set{policy("newest")}},
		{"S2: an operator decides", "name=a", "name=b", "name=c", "conflict name manual:open", "name=a", []set{policy("manual")}},
		{"S2: the field's policy before the object's", "note=a", "note=b", "note=c", "close update note=b; conflict note local:local", "note=c", []set{noteLocal}},
		{"cleared against edited", "name=a", "name=", "name=c", "here update name=c; conflict name close:close", "name=c", nil},
		{"cleared here wins", "name=a", "name=", "name=c", "close update name=; conflict name local:local", "name=c", []set{policy("local")}},
		{"one open, one plain", "name=a note=x", "name=b note=y", "name=c note=x", "close update note=y; conflict name manual:open", "name=a note=x", []set{policy("manual")}},

		{"operator takes Close", "name=a", "name=b", "name=c", "here update name=c; conflict name operator:close", "name=c", []set{policy("manual"), take("name", Choice{Take: "close"})}},
		{"operator takes the row", "name=a", "name=b", "name=c", "close update name=b; conflict name operator:local", "name=c", []set{policy("manual"), take("name", Choice{Take: "local"})}},
		{"operator's own value", "name=a", "name=b", "name=c", "here update name=d; close update name=d; conflict name operator:", "name=c", []set{policy("manual"), take("name", Choice{Value: `"d"`})}},
		{"operator empties it", "name=a", "name=b", "name=c", "here update name=; close update name=; conflict name operator:", "name=c", []set{take("name", Choice{Value: mapping.Null})}},
		{"operator's value is there", "name=a", "name=d", "name=d", "", "name=d", []set{take("name", Choice{Value: `"d"`})}},
		{"choice overtaken by agreement", "name=a", "name=d", "name=d", "", "name=d", []set{take("name", Choice{Take: "local"})}},
		{"choice of a list", "tags=", "tags=x", "tags=y", "here update tags=y; conflict tags operator:close", "tags=y", []set{take("tags", Choice{Take: "close"})}},
		{"no choice of a read-only field", "seen=a", "seen=b", "seen=a", "here update seen=a", "seen=a", []set{take("seen", Choice{Take: "local"})}},

		{"S28: added on both sides", "tags=x", "tags=x,l", "tags=x,r", "here update tags=x,r,l; close update tags=x,r,l", "tags=x,r", nil},
		{"S28: removed here, added there", "tags=x,y", "tags=x", "tags=x,y,r", "here update tags=x,r; close update tags=x,r", "tags=x,y,r", nil},
		{"S28: removed there, added here", "tags=x,y", "tags=x,y,l", "tags=x", "here update tags=x,l; close update tags=x,l", "tags=x", nil},
		{"S28: same item added twice", "tags=", "tags=n,l", "tags=n", "close update tags=n,l", "tags=n", nil},
		{"S28: all removed on both sides", "tags=x,y", "tags=x", "tags=y", "here update tags=; close update tags=", "tags=y", nil},
		{"S28: emptied here, added there", "tags=x", "tags=", "tags=x,r", "here update tags=r; close update tags=r", "tags=x,r", nil},
		{"S28: manual does not matter", "tags=x", "tags=x,l", "tags=x,r", "here update tags=x,r,l; close update tags=x,r,l", "tags=x,r", []set{policy("manual")}},
		{"S28: an item twice", "tags=x", "tags=x,x", "tags=x,r", "here update tags=x,r,x; close update tags=x,r,x", "tags=x,r", nil},
		{"S29: order says nothing", "tags=x,y", "tags=y,x", "tags=x,y", "", "tags=x,y", nil},
		{"S29: order in Close says nothing", "tags=x,y", "tags=x,y", "tags=y,x", "", "tags=y,x", nil},
		{"list emptied in Close", "tags=x", "tags=x", "tags=", "here update tags=", "tags=", nil},
		{"list emptied here", "tags=x", "tags=", "tags=x", "close update tags=", "tags=x", nil},
		{"Close derives a key", "tags=x", "tags=x", "tags=x+", "here update tags=x+", "tags=x+", nil},
		{"derived key of the joined list", "tags=x", "tags=x,l", "tags=x+,r+", "here update tags=x+,r+,l; close update tags=x+,r+,l", "tags=x+,r+", nil},
		{"never linked lists join", "-", "tags=l", "tags=r", "here update tags=r,l; close update tags=r,l", "tags=r", nil},

		{"read-only follows", "seen=a", "seen=a", "seen=b", "here update seen=b", "seen=b", nil},
		{"read-only edit is put back", "seen=a", "seen=x", "seen=a", "here update seen=a", "seen=a", nil},
		{"read-only emptied is put back", "seen=a", "seen=", "seen=a", "here update seen=a", "seen=a", []set{dir(to)}},

		{"S27: to_close leaves what Close fills", "-", "name=a note=", "name=a note=x", "", "name=a note=x", []set{dir(to), filled}},
		{"S27: to_close empties what Close does not fill", "-", "name=a note=", "name=a note=x", "close update note=; conflict note to_close:local", "name=a note=x", []set{dir(to)}},
		{"S27: a filled field may still be emptied by people of both sides", "note=x", "note=", "note=x", "close update note=", "note=x", []set{filled}},

		{"A15: the reading lacks a field", "name=a note=x", "name=b note=x", "note=x", "", "name=a note=x", nil},
		{"S24: a custom field missing is unknown", "custom.cf_a=v", "custom.cf_a=v", "", "", "custom.cf_a=v", nil},
		{"custom field unset in Close", "custom.cf_a=v", "custom.cf_a=v", "custom.cf_a=", "here update custom.cf_a=", "custom.cf_a=", nil},
		{"custom key removed here", "custom.cf_a=v", "", "custom.cf_a=v", "close update custom.cf_a=", "custom.cf_a=v", nil},
		{"C14: the own column of a custom field is gone", "custom.cf_a=v", "", "custom.cf_a=w", "", "custom.cf_a=v", []set{ownColumn}},
		{"new custom field of Close", "", "", "custom.cf_a=v", "here update custom.cf_a=v", "custom.cf_a=v", nil},
		{"new custom key here", "", "custom.cf_a=v", "custom.cf_a=", "close update custom.cf_a=v", "", nil},
		{"C14: a column is gone", "name=a", "", "name=b", "", "name=a", nil},

		{"S22: paused field is not emptied", "name=a", "name=a", "name=", "", "name=a", []set{paused("name")}},
		{"S22: paused field is not sent", "name=a", "name=b", "name=a", "", "name=a", []set{paused("name")}},
		{"S23: paused field takes news", "name=a", "name=a", "name=b", "here update name=b", "name=b", []set{paused("name")}},
		{"S23: paused field never conflicts", "name=a", "name=b", "name=c", "", "name=a", []set{paused("name")}},
		{"paused field not sent on create", "-", "name=b note=c", "-", "close create note=c", "", []set{paused("name")}},

		{"S37: equal on both sides", "-", "name=a", "name=a", "", "name=a", nil},
		{"S37: empty here", "-", "name=", "name=a", "here update name=a", "name=a", nil},
		{"S37: empty there", "-", "name=a", "name=", "close update name=a", "", nil},
		{"S37: different", "-", "name=a", "name=b", "here update name=b; conflict name close:close", "name=b", nil},
		{"S37: different, row wins", "-", "name=a", "name=b", "close update name=a; conflict name local:local", "name=b", []set{policy("local")}},

		{"new row", "-", "name=a note= seen=x", "-", "close create name=a", "", nil},
		{"new row stays here", "-", "name=a", "-", "", "", []set{dir(from)}},
		{"new row under to_close", "-", "name=a", "-", "close create name=a", "", []set{dir(to)}},
		{"new in Close", "-", "-", "name=a note= seen=x", "here create name=a note= seen=x", "name=a note= seen=x", nil},
		{"new in Close stays there", "-", "-", "name=a", "", "", []set{dir(to)}},
		{"S12: child waits", "-", "name=a lead_id=@7", "-", "", "", []set{child}},
		{"S12: child goes", "-", "name=a lead_id=L", "-", "close create lead_id=L name=a", "", []set{child}},
		{"child without parent", "-", "name=a lead_id=", "-", "", "", []set{child}},
		{"child of Close without parent", "-", "-", "name=a lead_id=", "", "", []set{child}},
		{"optional parent waits alone", "-", "name=a lead_id=L contact_id=@3", "-", "close create lead_id=L name=a", "", []set{child}},
		{"S8: moved in Close", "lead_id=A", "lead_id=A", "lead_id=B", "here update lead_id=B", "lead_id=B", []set{child}},
		{"S8: moved here", "lead_id=A", "lead_id=B", "lead_id=A", "close update lead_id=B", "lead_id=A", []set{child}},
		{"S8: moved to a new lead", "lead_id=A name=a", "lead_id=@7 name=b", "lead_id=A name=a", "close update name=b", "lead_id=A name=a", []set{child}},
		{"parent emptied here", "lead_id=A", "lead_id=", "lead_id=A", "here update lead_id=A", "lead_id=A", []set{child}},
		{"parent emptied in Close", "lead_id=A", "lead_id=A", "lead_id=", "close update lead_id=A", "lead_id=A", []set{child}},
		{"no parent on either side", "lead_id=A", "lead_id=", "lead_id=", "", "lead_id=A", []set{child}},
		{"parent emptied in Close, from_close", "lead_id=A", "lead_id=A", "lead_id=", "", "lead_id=A", []set{child, dir(from)}},
		{"parent emptied here, to_close", "lead_id=A", "lead_id=", "lead_id=A", "", "lead_id=A", []set{child, dir(to)}},
		{"optional parent linked later", "lead_id=A contact_id=", "lead_id=A contact_id=C", "lead_id=A contact_id=", "close update contact_id=C", "contact_id= lead_id=A", []set{child}},

		{"S21: what we overwrote comes back", "name=b", "name=b", "name=b", "here update name=c; close update name=c; conflict name close:close", "name=b", []set{overwrote("name", "a", "c", "b", "b")}},
		{"S21: it was the newer one", "name=b", "name=b", "name=b", "here update name=c; close update name=c; conflict name newest:close", "name=b", []set{policy("newest"), overwrote("name", "a", "c", "b", "b")}},
		{"S21: the row wins and it is told", "name=b", "name=b", "name=b", "conflict name local:local", "name=b", []set{policy("local"), overwrote("name", "a", "c", "b", "b")}},
		{"S21: nobody decides, it is told", "name=b", "name=b", "name=b", "conflict name manual:local", "name=b", []set{policy("manual"), overwrote("name", "a", "c", "b", "b")}},
		{"S21: replaced in Close since, it is told", "name=b", "name=b", "name=d", "here update name=d; conflict name close:local", "name=d", []set{overwrote("name", "a", "c", "b", "b")}},
		{"S21: the row has it already", "name=b", "name=c", "name=b", "close update name=c; conflict name close:close", "name=b", []set{overwrote("name", "a", "c", "b", "b")}},
		{"S21: to_close tells it", "name=b", "name=b", "name=b", "conflict name to_close:local", "name=b", []set{dir(to), overwrote("name", "a", "c", "b", "b")}},
		{"S21: items of an overwritten list join", "tags=x,l", "tags=x,l", "tags=x,l", "here update tags=x,l,r; close update tags=x,l,r", "tags=x,l", []set{overwrote("tags", "x", "x,r", "x,l", "x,l")}},
		{"S21: items that were removed unseen stay out", "tags=x,y,l", "tags=x,y,l,m", "tags=x,y,l", "here update tags=y,l,m; close update tags=y,l,m", "tags=x,y,l", []set{overwrote("tags", "x,y", "y", "x,y,l", "x,y,l")}},

		{"deleted in Close", "name=a", "name=a", "-", "here delete", "", nil},
		{"S4: deleted in Close, edited here", "name=a", "name=b seen=z", "-", "here delete; lost name=b", "", nil},
		{"deleted in Close, detach", "name=a", "name=b", "-", "here detach; lost name=b", "name=a", []set{onClose("detach")}},
		{"deleted in Close, flag", "name=a", "name=a", "-", "here flag", "name=a", []set{onClose("flag")}},
		{"deleted in Close, to_close", "name=a", "name=a", "-", "here detach", "name=a", []set{dir(to)}},
		{"deleted in Close, from_close", "name=a", "name=b", "-", "here delete; lost name=b", "", []set{dir(from)}},
		{"deleted here", "name=a seen=x", "-", "name=a seen=y", "close delete", "name=a seen=x", nil},
		{"S4: deleted here, edited in Close", "name=a", "-", "name=b", "here create name=b; conflict name delete:close", "name=b", nil},
		{"deleted here, list reordered in Close", "tags=x,y", "-", "tags=y,x", "close delete", "tags=x,y", nil},
		{"deleted here, ignored", "name=a", "-", "name=b", "", "name=a", []set{ignore}},
		{"deleted here, from_close", "name=a", "-", "name=a", "here create name=a", "name=a", []set{dir(from)}},
		{"deleted here, to_close", "name=a", "-", "name=b", "close delete; conflict name to_close:local", "name=a", []set{dir(to)}},
		{"C18: truncated", "name=a", "-", "name=a", "here create name=a", "name=a", []set{refill}},
		{"C18: truncated, ignore", "name=a", "-", "name=a", "here create name=a", "name=a", []set{refill, ignore}},
		{"C18: a partial reading leaves no old base", "name=a note=x", "-", "name=a", "here create name=a", "name=a", []set{refill}},
		{"S4: something below it stays", "name=a", "-", "name=a", "here create name=a", "name=a", []set{recall}},
		{"S5: deleted on both sides", "name=a", "-", "-", "", "", nil},
		{"nothing anywhere", "-", "-", "-", "", "", nil},

		{"from_close follows", "name=a", "name=a", "name=b", "here update name=b", "name=b", []set{dir(from)}},
		{"from_close puts back", "name=a", "name=x", "name=a", "here update name=a; conflict name from_close:close", "name=a", []set{dir(from)}},
		{"from_close puts a list back", "tags=x", "tags=x,l", "tags=x", "here update tags=x; conflict tags from_close:close", "tags=x", []set{dir(from)}},
		{"to_close sends", "name=a", "name=b", "name=a", "close update name=b", "name=a", []set{dir(to)}},
		{"to_close puts back", "name=a", "name=a", "name=x", "close update name=a; conflict name to_close:local", "name=x", []set{dir(to)}},
		{"to_close takes read-only", "seen=a", "seen=a", "seen=b", "here update seen=b", "seen=b", []set{dir(to)}},
		{"to_close takes no derived keys", "tags=x", "tags=x", "tags=x+", "", "tags=x+", []set{dir(to)}},
		{"S15: to_close leaves a form it has learned", "name=a", "name=a", "name=A", "", "name=A", []set{dir(to), learned("name", Form{Sent: `"a"`, Kept: `"A"`})}},
		{"S15: to_close sends another edit", "name=A", "name=b", "name=A", "close update name=b", "name=A", []set{dir(to), learned("name", Form{Sent: `"a"`, Kept: `"A"`})}},
		{"to_close puts a list back", "tags=x", "tags=x", "tags=x,r", "close update tags=x; conflict tags to_close:local", "tags=x,r", []set{dir(to)}},
	} {
		o := testObject()
		in := Input{Base: rec(c.base), Local: Side{Record: rec(c.local)}, Remote: Side{Record: rec(c.remote)}}
		in.Local.Exists, in.Remote.Exists = in.Local.Record != nil, in.Remote.Record != nil
		for _, s := range c.sets {
			s(o, &in)
		}
		p := Merge(o, in)
		require.Equal(t, c.want, render(p), c.what)
		require.Equal(t, c.wantBase, show(p.Base), "base: "+c.what)
		if p.Local == Delete {
			require.Nil(t, p.Base, c.what)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	o := testObject()
	child(o, nil)
	p := Merge(o, Input{Local: Side{Exists: true, Record: rec("name=a lead_id=@7")}})
	require.Equal(t, ReasonWaitParent, p.Record())
	require.Equal(t, ReasonWaitParent, p.Reasons["lead_id"])
	p = Merge(o, Input{Base: rec("name=a lead_id=A"), Local: Side{Exists: true, Record: rec("name=b lead_id=@7")},
		Remote: Side{Exists: true, Record: rec("name=a lead_id=A")}})
	require.Equal(t, map[string]Reason{"name": ReasonLocalEdit, "lead_id": ReasonWaitParent}, p.Reasons)
}

func TestRule(t *testing.T) {
	t.Parallel()
	p := Merge(testObject(), Input{Base: rec("name=a note=x"), Local: Side{Exists: true, Record: rec("name=b note=y")}, Remote: Side{Exists: true, Record: rec("name=c note=x")}})
	require.Equal(t, []string{"conflict: close", "local_edit", ""}, []string{p.Rule("name"), p.Rule("note"), p.Rule("tags")})
	p = Merge(testObject(), Input{Base: rec("name=a"), Local: Side{Exists: true, Record: rec("name=a")}})
	require.Equal(t, "remote_deleted", p.Rule("name"), "of the record as a whole")
}

// What a delete of ours took along is told: fields that nobody edits do not count.
func TestParted(t *testing.T) {
	t.Parallel()
	o := testObject()
	require.False(t, Edited(o, rec("name=a seen=x"), rec("name=a seen=y")))
	require.True(t, Edited(o, rec("name=a"), rec("name=b")))
	require.Equal(t, []Conflict{{Field: "name", Base: `"a"`, Local: mapping.Null, Remote: `"b"`, Rule: RuleDelete, Winner: WinnerLocal}},
		Parted(o, rec("name=a note=x seen=x"), rec("name=b note=x seen=y")))
}

func TestFault_S15_AnswerInAnotherForm(t *testing.T) {
	t.Parallel()
	o := testObject()
	for _, c := range []struct{ what, base, sent, local, answer, want string }{
		{"as sent", "name=a", "name=b", "name=b", "name=b", "name=b"},
		{"normalised: flows to the row next", "name=a", "name=b", "name=b", "name=B", "name=b"},
		{"row moved on: an edit of the answer", "name=a", "name=b", "name=c", "name=B", "name=B"},
		{"answer lacks the field", "name=a", "name=b", "name=c", "", "name=a"},
		{"unset custom field is left out", "custom.cf_a=v", "custom.cf_a=", "custom.cf_a=w", "", "custom.cf_a="},
		{"unsent fields keep their base", "name=a note=x", "name=b", "name=b note=y", "name=b note=z", "name=b note=x"},
		{"a field that is not mapped", "name=a", "name=b owner=z", "name=b", "name=b owner=z", "name=b"},
		{"create: filled by Close", "-", "name=b", "name=b note=", "name=b note=z", "name=b"},
		{"create: filled by Close and here", "-", "name=b", "name=b note=y", "name=b note=z", "name=b note=z"},
	} {
		got := Settle(o, rec(c.base), rec(c.sent), rec(c.local), rec(c.answer))
		require.Equal(t, c.want, show(got), c.what)
	}
}

func TestFault_S19_LostAnswer(t *testing.T) {
	t.Parallel()
	o := testObject()
	require.Equal(t, "name=b note=x", show(Landed(o, rec("name=a note=x"), rec("name=b note=y"), rec("name=b note=z"))))
	require.Equal(t, "name=b", show(Landed(o, nil, rec("name=b"), rec("name=b"))), "before anything was agreed on")
}

func TestFault_C19_Guards(t *testing.T) {
	t.Parallel()
	inbound := 0
	l := Limits{MaxDeletes: 50, MaxDeletePercent: 10, MaxCreates: 1000, MaxClears: 40, InboundDeletes: &inbound}
	for _, c := range []struct {
		counts Counts
		held   bool
	}{
		{Counts{Deletes: 1, Linked: 3}, false},
		{Counts{Deletes: 5, Linked: 20}, true},
		{Counts{Deletes: 10, Linked: 100}, false},
		{Counts{Deletes: 11, Linked: 100}, true},
		{Counts{Deletes: 50, Linked: 10000}, false},
		{Counts{Deletes: 51, Linked: 10000}, true},
		{Counts{Creates: 1000}, false},
		{Counts{Creates: 1001}, true},
		{Counts{Clears: 40, Field: "name"}, false},
		{Counts{Clears: 41, Field: "name"}, true},
		{Counts{Inbound: 0}, false},
		{Counts{Inbound: 1}, true},
	} {
		held, why := Guard(l, c.counts)
		require.Equal(t, c.held, held, "%+v", c.counts)
		require.Equal(t, held, why != "")
	}
	held, _ := Guard(Limits{}, Counts{Deletes: 1e6, Creates: 1e6, Clears: 1e6, Inbound: 1e6})
	require.False(t, held, "zero switches a guard off")
}
