package sim

import (
	"encoding/json"
	"slices"
	"strings"

	"closesync/mapping"
)

// kept is what the worker keeps of values that it replaced or ended.
type kept struct {
	typ, closeID, key string
	field             string
	local, remote     mapping.Value // of a conflict
	winner, status    string
	old               mapping.Record // of a deletion
}

// checkLost is I-4: each write is the final value, or was replaced knowingly,
// or lies where people can find it.
func (w *World) checkLost(s *sides) {
	archive, err := w.archive()
	if err != nil {
		w.violate("sim", "archive: %v", err)
		return
	}
	for _, r := range w.recs {
		for _, x := range r.writes {
			switch x.do {
			case "set", "clear", "undo":
				if !w.fieldWriteLives(s, archive, x) {
					w.lostWrite(s, x)
				}
			case "add", "remove":
				if !w.itemWriteLives(s, archive, x) {
					w.lostWrite(s, x)
				}
			}
		}
	}
}

func (w *World) lostWrite(s *sides, x *write) {
	local, there := s.final(x.rec)
	var l, r mapping.Value
	name := w.closeName(x.rec.Type, x.field)
	if local != nil {
		l = local.record.Get(name)
	}
	if there != nil {
		r = there.record.Get(name)
	}
	w.violate("I-4", "lost: step %d, %s %s %s.%s token %d value %s (before: %s); now the row has %s (%v), Close %s (%v)", x.step, x.side, x.do, x.rec.Name, x.field, x.token, x.value, x.before,
		l, local != nil, r, there != nil)
}

// final is what each side holds of a record in the end; nil for nothing.
func (s *sides) final(r *rec) (local, there *row) {
	there = s.inClose(r.Type, r.closeID)
	if r.closeID != "" {
		local = s.byCloseID(r.Type, r.closeID)
	}
	if local == nil && r.born == Local {
		local = s.byKey(r.Type, r.localKey)
	}
	return local, there
}

func (w *World) fieldWriteLives(s *sides, archive []kept, x *write) bool {
	name := w.closeName(x.rec.Type, x.field)
	f, _ := w.objects[x.rec.Type].Field(name)
	same := func(v mapping.Value) bool { return mapping.Same(f, v, x.value) }
	local, there := s.final(x.rec)
	if (local != nil && same(local.record.Get(name))) || (there != nil && same(there.record.Get(name))) {
		return true
	}
	for _, other := range x.rec.writes {
		ends := other.do == "delete" || other.do == "merge"
		switch {
		case other.side == x.side && other.n > x.n && (ends || other.field == x.field):
			return true
		case other.side == x.side:
		case ends && same(other.last.Get(name)), other.field == x.field && same(other.before):
			// It was seen there when it was replaced: before, if x only put back
			// what everybody had agreed on.
			return true
		}
	}
	return slices.ContainsFunc(archive, func(k kept) bool {
		if !k.of(x.rec) {
			return false
		}
		if k.old != nil {
			return same(k.old.Get(name))
		}
		if k.field != name {
			return false
		}
		return (same(k.local) && k.winner != "local") || (same(k.remote) && k.winner != "close")
	})
}

func (w *World) itemWriteLives(s *sides, archive []kept, x *write) bool {
	spec, _ := specOf(x.rec.Type, x.field)
	mark := spec.mark(x.token)
	has := func(v mapping.Value) bool { return strings.Contains(string(v), mark) }
	local, there := s.final(x.rec)
	found := (local != nil && has(local.record.Get(x.field))) || (there != nil && has(there.record.Get(x.field)))
	if found == (x.do == "add") {
		return true
	}
	for _, later := range x.rec.writes {
		if later.n <= x.n {
			continue
		}
		ends := later.do == "delete" || later.do == "merge"
		switch {
		case later.side == x.side && (ends || (later.field == x.field && later.token == x.token)):
			return true
		case ends && has(later.last.Get(x.field)) == (x.do == "add"):
			return true
		case later.field == x.field && later.token == x.token:
			return true
		}
	}
	return slices.ContainsFunc(archive, func(k kept) bool {
		return k.of(x.rec) && ((k.old != nil && has(k.old.Get(x.field)) == (x.do == "add")) || (k.field == x.field && (has(k.local) || has(k.remote))))
	})
}

func (k *kept) of(r *rec) bool {
	return k.typ == r.Type && ((k.closeID != "" && k.closeID == r.closeID) || (k.closeID == "" && k.key == r.localKey))
}

// archive reads the conflicts and the journal's deletions.
func (w *World) archive() ([]kept, error) {
	rows, err := w.lane.admin.Query(w.lane.ctx, `
		SELECT object_type, coalesce(close_id, ''), coalesce(local_key, ''), field, local_value::text, close_value::text, coalesce(winner, ''), status, NULL
		FROM closesync.conflict_log
		UNION ALL SELECT object_type, coalesce(close_id, ''), coalesce(local_key, ''), '', NULL, NULL, '', action, old_value::text
		FROM closesync.journal_log WHERE action IN ('delete', 'merge') AND old_value IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []kept
	for rows.Next() {
		var k kept
		var local, remote, old *string
		if err := rows.Scan(&k.typ, &k.closeID, &k.key, &k.field, &local, &remote, &k.winner, &k.status, &old); err != nil {
			return nil, err
		}
		if old != nil {
			if k.old, err = mapping.DecodeBase([]byte(*old)); err != nil {
				return nil, err
			}
		} else {
			f, _ := w.objects[k.typ].Field(k.field)
			k.local, k.remote = stored(f, local), stored(f, remote)
		}
		list = append(list, k)
	}
	return list, rows.Err()
}

func stored(f mapping.Field, text *string) mapping.Value {
	if text == nil {
		return mapping.Null
	}
	v, err := mapping.Canon(f, json.RawMessage(*text))
	if err != nil {
		return mapping.Null
	}
	return v
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
