package sim

import (
	"encoding/json"
	"slices"
	"strings"

	"closesync/mapping"
)

// closeStep carries out a step of a person, or another program, in Close.
func (w *World) closeStep(st Step) {
	r := w.rec(st.Rec)
	if r == nil {
		return
	}
	if st.Do == "create" {
		w.closeCreate(r, st.N)
		return
	}
	id := w.findInClose(r)
	record, there := w.Close.Get(id)
	if !there {
		return
	}
	var err error
	switch st.Do {
	case "set", "clear", "undo":
		err = w.closeSet(r, id, record, st)
	case "add", "remove":
		err = w.closeItem(r, id, record, st)
	case "delete":
		family := w.closeFamily(r, "delete")
		if err = w.Close.Delete(id); err == nil {
			w.wroteAll(family)
		}
	case "move":
		err = w.closeMove(r, id, st)
	case "merge":
		err = w.closeMerge(r, id, st)
	case "hide", "show":
		if r.Type == "lead" {
			err = w.Close.Hide(id, st.Do == "hide")
		}
	}
	if err != nil {
		w.say("refused: %v", err)
	}
}

// findInClose is the record's id: given when it was made there, else found by
// the token that the worker's create carried.
func (w *World) findInClose(r *rec) string {
	if r.closeID != "" || r.birth == 0 {
		return r.closeID
	}
	f := written[r.Type][0]
	for _, b := range w.Close.Census() {
		if b.Kind != r.Type {
			continue
		}
		raw, err := json.Marshal(b.Fields[w.closeName(r.Type, f.name)])
		if err == nil && strings.Contains(string(raw), f.mark(r.birth)) {
			r.closeID = b.ID
			return r.closeID
		}
	}
	r.closeID = w.foundByEdit(r)
	return r.closeID
}

// foundByEdit is the id of a record whose first value was replaced before it was
// sent: what carries a later one of its tokens is it.
func (w *World) foundByEdit(r *rec) string {
	for _, b := range w.Close.Census() {
		if b.Kind != r.Type {
			continue
		}
		raw, err := json.Marshal(b.Fields)
		if err == nil && slices.ContainsFunc(r.writes, func(x *write) bool { return x.marks(string(raw)) }) {
			return b.ID
		}
	}
	return ""
}

// closeFamily is the deletion of a record, with those of the records that Close
// deletes along with it.
func (w *World) closeFamily(r *rec, verb string) []write {
	var gone []write
	for _, g := range w.recs {
		id := w.findInClose(g)
		record, there := w.Close.Get(id)
		if there && (g == r || (r.Type == "lead" && verb == "delete" && record["lead_id"] == r.closeID)) {
			gone = append(gone, write{side: Close, rec: g, do: verb, last: w.remoteRecord(g.Type, record)})
		}
	}
	return gone
}

func (w *World) closeCreate(r *rec, n int) {
	if r.birth != 0 {
		return
	}
	f := written[r.Type][0]
	fields := map[string]any{f.name: f.token(n)}
	if r.Type != "lead" {
		parent := w.rec(r.Under)
		if parent == nil || w.findInClose(parent) == "" {
			return
		}
		if _, there := w.Close.Get(parent.closeID); !there {
			return
		}
		fields["lead_id"] = parent.closeID
	}
	id, err := w.Close.Create(r.Type, fields)
	if err != nil {
		w.say("refused: %v", err)
		return
	}
	r.closeID, r.born, r.birth = id, Close, n
	w.wrote(write{side: Close, rec: r, do: "create", token: n})
	w.wrote(write{side: Close, rec: r, field: f.name, do: "set", token: n, value: w.canon(r.Type, f.name, f.token(n))})
}

func (w *World) closeSet(r *rec, id string, record map[string]any, st Step) error {
	f, ok := specOf(r.Type, st.Field)
	if !ok || f.item {
		return nil
	}
	name := w.closeName(r.Type, st.Field)
	x := write{side: Close, rec: r, field: st.Field, do: st.Do, before: w.canon(r.Type, st.Field, record[name])}
	var v any
	switch st.Do {
	case "set":
		v, x.token = f.token(st.N), st.N
	case "undo":
		old := w.former(r, Close, st.Field)
		if old == "" {
			return nil
		}
		v = json.RawMessage(old)
	}
	x.value = w.canon(r.Type, st.Field, v)
	if x.value == x.before {
		return nil
	}
	err := w.Close.Update(id, map[string]any{name: v})
	if err == nil {
		w.wrote(x)
	}
	return err
}

func (w *World) closeItem(r *rec, id string, record map[string]any, st Step) error {
	f, ok := specOf(r.Type, st.Field)
	if !ok || !f.item {
		return nil
	}
	raw, err := json.Marshal(record[st.Field])
	if err != nil {
		return err
	}
	list, token, changed := w.changeItems(f, string(raw), st)
	if !changed {
		return nil
	}
	if err := w.Close.Update(id, map[string]any{st.Field: list}); err != nil {
		return err
	}
	w.wrote(write{side: Close, rec: r, field: st.Field, do: st.Do, token: token, before: w.canon(r.Type, st.Field, record[st.Field])})
	return nil
}

// changeItems adds an item, or removes the n-th one that holds a token.
func (w *World) changeItems(f fieldSpec, raw string, st Step) (list []any, token int, changed bool) {
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return nil, 0, false
	}
	if st.Do == "add" {
		return append(list, f.itemOf(st.N)), st.N, true
	}
	if len(list) == 0 {
		return nil, 0, false
	}
	i := st.N % len(list)
	item, err := json.Marshal(list[i])
	if err != nil {
		return nil, 0, false
	}
	for n := 1; n <= w.tokens; n++ {
		if strings.Contains(string(item), f.mark(n)) {
			token = n
		}
	}
	return slices.Delete(list, i, i+1), token, token != 0
}

func (w *World) closeMove(r *rec, id string, st Step) error {
	into := w.rec(st.Into)
	if r.Type != "contact" || into == nil || into.Type != "lead" || w.findInClose(into) == "" {
		return nil
	}
	err := w.Close.Update(id, map[string]any{"lead_id": into.closeID})
	if err == nil {
		w.wrote(write{side: Close, rec: r, field: "lead_id", do: "move", value: mapping.Value(into.Name)})
	}
	return err
}

func (w *World) closeMerge(r *rec, id string, st Step) error {
	into := w.rec(st.Into)
	if r.Type != "lead" || into == nil || into == r || into.Type != "lead" || w.findInClose(into) == "" {
		return nil
	}
	family := w.closeFamily(r, "merge")
	err := w.Close.Merge(id, into.closeID)
	if err == nil {
		r.into = into
		w.wroteAll(family)
	}
	return err
}

// former is an earlier value that somebody wrote into the field on this side,
// as a user who undoes would put back; "" if there is none.
func (w *World) former(r *rec, side Side, field string) mapping.Value {
	for _, x := range slices.Backward(r.writes) {
		if x.side == side && x.field == field && (x.do == "set" || x.do == "undo") && !x.before.IsNull() {
			return x.before
		}
	}
	return ""
}
