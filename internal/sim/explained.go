package sim

import (
	"encoding/json"
	"slices"
	"strings"

	"closesync/mapping"
)

// told is an entry of the journal about a field.
type told struct {
	side  Side // that was written
	field string
	value mapping.Value
}

// checkExplained is I-20: for each field the journal tells how its value came to
// the side that nobody else wrote it on, and tells of no value that nobody wrote.
func (w *World) checkExplained(s *sides) {
	for _, there := range s.there {
		r, l := w.recOfCall(there.typ, there.closeID, ""), s.linkOf(there.typ, there.closeID)
		local := s.byCloseID(there.typ, there.closeID)
		if r == nil || l == nil || local == nil {
			continue // I-2 and I-5 speak of those
		}
		journal := w.journal(r, l)
		for _, f := range written[r.Type] {
			w.checkChain(r, f, journal)
			name := w.closeName(r.Type, f.name)
			if l.rests(name) {
				continue
			}
			for _, x := range r.writes {
				if x.field == f.name {
					w.checkCame(x, f, journal, Local, local.record.Get(name))
					w.checkCame(x, f, journal, Close, there.record.Get(name))
				}
			}
		}
	}
}

// checkCame demands that the journal tells how what a write made came to the
// other side, if that is what the other side holds.
func (w *World) checkCame(x *write, f fieldSpec, journal []told, to Side, held mapping.Value) {
	if x.side == to || x.step == 0 || !w.holds(x, f, held) { // the first load tells of nothing
		return
	}
	own := slices.ContainsFunc(x.rec.writes, func(y *write) bool { return y.side == to && y.field == x.field && w.holds(x, f, y.value) })
	first := slices.ContainsFunc(x.rec.writes, func(y *write) bool { return y.step == 0 && y.field == x.field && w.holds(x, f, y.value) })
	if own || first {
		return
	}
	if !slices.ContainsFunc(journal, func(j told) bool { return j.side == to && j.field == x.field && w.holds(x, f, j.value) }) {
		w.violate("I-20", "%s.%s has %s on the side of %s, from step %d, and the journal does not tell how it came there", x.rec.Name, x.field, held, to, x.step)
	}
}

// holds reports whether a value is, or a list has, what a write made.
func (w *World) holds(x *write, f fieldSpec, v mapping.Value) bool {
	if f.item {
		return x.do == "add" && strings.Contains(string(v), f.mark(x.token))
	}
	field, _ := w.objects[x.rec.Type].Field(w.closeName(x.rec.Type, f.name))
	return !x.value.IsNull() && mapping.Same(field, x.value, v)
}

// checkChain demands that each value of the journal was written by somebody.
func (w *World) checkChain(r *rec, f fieldSpec, journal []told) {
	for _, j := range journal {
		if j.field == f.name && !w.knownValue(r, f, []byte(j.value)) {
			w.violate("I-20", "the journal says that %s.%s was given %s on the side of %s, which nobody wrote", r.Name, f.name, j.value, j.side)
		}
	}
}

// journal reads what the journal tells of a record, field by field.
func (w *World) journal(r *rec, l *link) []told {
	rows, err := w.lane.admin.Query(w.lane.ctx, `SELECT direction, coalesce(field, ''), coalesce(new_value::text, 'null') FROM closesync.journal_log
		WHERE object_type = $1 AND (close_id = $2 OR local_key = $3) AND action IN ('create', 'update') ORDER BY id`, r.Type, l.closeID, l.key)
	if err != nil {
		panic(err)
	}
	defer rows.Close()
	var list []told
	for rows.Next() {
		var direction, field, text string
		if err := rows.Scan(&direction, &field, &text); err != nil {
			panic(err)
		}
		side := Local
		if direction == "to_close" {
			side = Close
		}
		list = append(list, w.tell(r, side, field, text)...)
	}
	return list
}

// tell takes an entry apart: one of a create holds all fields.
func (w *World) tell(r *rec, side Side, field, text string) []told {
	values := map[string]json.RawMessage{field: json.RawMessage(text)}
	if field == "" && json.Unmarshal([]byte(text), &values) != nil {
		return nil
	}
	var list []told
	for _, f := range written[r.Type] {
		if raw, ok := values[w.closeName(r.Type, f.name)]; ok {
			list = append(list, told{side, f.name, mapping.Value(raw)})
		}
	}
	return list
}
