package sim

import (
	"encoding/json"
	"fmt"
	"slices"

	"closesync/mapping"
)

// row is a row of a mapped table, or a record of Close, as it is in the end.
type row struct {
	typ     string
	key     string // local key; "" for a record of Close
	closeID string
	xmin    string
	record  mapping.Record
}

// link is a row of closesync.records.
type link struct {
	id                       int64
	typ, closeID, key, state string
	base                     mapping.Record
	parked                   map[string]string
	class, problem, alias    string
	conflicts                []string // fields in open conflict
	held                     bool
	marked                   bool
}

// sides is everything there is.
type sides struct {
	rows  []row // local
	there []row // in Close
	links []link
}

// look reads both sides and the links between them.
func (w *World) look() (*sides, error) {
	s := &sides{}
	if err := w.lookLocal(s); err != nil {
		return nil, err
	}
	if err := w.lookClose(s); err != nil {
		return nil, err
	}
	return s, w.lookLinks(s)
}

func (w *World) lookLocal(s *sides) error {
	rows, err := w.lane.admin.Query(w.lane.ctx, `
		SELECT 'lead', id::text, coalesce(close_id, ''), xmin::text, to_jsonb(t)::text FROM crm.leads t
		UNION ALL SELECT 'contact', id::text, coalesce(close_id, ''), xmin::text, to_jsonb(t)::text FROM crm.contacts t
		UNION ALL SELECT 'opportunity', id::text, coalesce(close_id, ''), xmin::text, to_jsonb(t)::text FROM crm.opportunities t ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	defer rows.Close()
	raws := map[int]map[string]json.RawMessage{}
	for rows.Next() {
		var r row
		var text string
		if err := rows.Scan(&r.typ, &r.key, &r.closeID, &r.xmin, &text); err != nil {
			return err
		}
		raw := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(text), &raw); err != nil {
			return err
		}
		raws[len(s.rows)] = raw
		s.rows = append(s.rows, r)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i := range s.rows {
		if s.rows[i].record, err = w.localRecord(s, s.rows[i].typ, raws[i]); err != nil {
			return err
		}
	}
	return nil
}

// localRecord is a row in canonical form, its references as Close ids.
func (w *World) localRecord(s *sides, typ string, raw map[string]json.RawMessage) (mapping.Record, error) {
	o, rec := w.objects[typ], mapping.Record{}
	for _, f := range o.Fields {
		if f.Kind == mapping.Reference {
			if s == nil {
				continue
			}
			if parent := s.byKey(f.Parent, string(raw[f.Column])); parent != nil && parent.closeID != "" {
				rec[f.Close] = mapping.TextValue(parent.closeID)
			}
			continue
		}
		v, err := mapping.FromColumn(f, raw[f.Column])
		if err != nil {
			return nil, err
		}
		rec[f.Close] = v
	}
	custom := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw["custom"], &custom); err != nil {
		return nil, err
	}
	for id, c := range custom {
		v, err := mapping.Canon(mapping.Field{Close: "custom." + id, Kind: mapping.Any}, c)
		if err != nil {
			return nil, err
		}
		rec["custom."+id] = v
	}
	return rec, nil
}

func (s *sides) byKey(typ, key string) *row {
	i := slices.IndexFunc(s.rows, func(r row) bool { return r.typ == typ && r.key == key })
	if i < 0 {
		return nil
	}
	return &s.rows[i]
}

func (w *World) lookClose(s *sides) error {
	for _, typ := range mapping.Types() {
		for _, fields := range w.Close.List(typ) {
			id, _ := fields["id"].(string)
			s.there = append(s.there, row{typ: typ, closeID: id, record: w.remoteRecord(typ, fields)})
		}
	}
	return nil
}

// remoteRecord is a record of Close in canonical form.
func (w *World) remoteRecord(typ string, fields map[string]any) mapping.Record {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	r, err := mapping.DecodeRemote(w.objects[typ], raw, nil)
	if err != nil {
		panic(fmt.Sprintf("%s in Close: %v", typ, err))
	}
	return w.objects[typ].FillMissing(r.Record)
}

func (w *World) lookLinks(s *sides) error {
	rows, err := w.lane.admin.Query(w.lane.ctx, `
		SELECT r.id, r.object_type, coalesce(r.close_id, ''), coalesce(r.local_key, ''), r.state, coalesce(r.base::text, ''), coalesce(r.parked::text, '{}'),
		       coalesce(r.error_class, ''), coalesce(r.last_error, ''), coalesce(r.alias_of, ''),
		       ARRAY(SELECT field FROM closesync.conflict_log c WHERE c.record_id = r.id AND c.status = 'open'),
		       EXISTS (SELECT FROM closesync.hold_items i JOIN closesync.holds h ON h.id = i.hold_id WHERE i.record_id = r.id AND h.status = 'open'),
		       EXISTS (SELECT FROM closesync.dirty d WHERE d.record_id = r.id)
		FROM closesync.records r ORDER BY r.id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var l link
		var base, parked string
		if err := rows.Scan(&l.id, &l.typ, &l.closeID, &l.key, &l.state, &base, &parked, &l.class, &l.problem, &l.alias, &l.conflicts, &l.held, &l.marked); err != nil {
			return err
		}
		if base != "" {
			if l.base, err = mapping.DecodeBase([]byte(base)); err != nil {
				return err
			}
		}
		if err := json.Unmarshal([]byte(parked), &l.parked); err != nil {
			return err
		}
		s.links = append(s.links, l)
	}
	return rows.Err()
}
