package engine

import (
	"context"
	"slices"

	"closesync/mapping"
)

// scopedBy names the type whose filter decides about a type: its own, else
// that of its required parent; "" for none.
func (e *Engine) scopedBy(objectType string) string {
	o := e.Objects[objectType]
	if o == nil || len(o.Filter) > 0 {
		return objectType
	}
	for _, f := range o.Parents() {
		if p := e.Objects[f.Parent]; f.Required && p != nil && len(p.Filter) > 0 {
			return f.Parent
		}
	}
	return ""
}

// scopeID is the record whose scope decides about this one.
func (e *Engine) scopeID(r mapping.Remote, by string) string {
	if by == r.Type {
		return r.ID
	}
	for _, f := range e.Objects[r.Type].Parents() {
		if f.Parent == by {
			id, _ := r.Record.Get(f.Close).Text()
			return id
		}
	}
	return ""
}

// knowScope asks which of the records just read are within the user's filter:
// an event or a local edit may concern any (fault S36).
func (r *round) knowScope(ctx context.Context, claims []*Claim) error {
	read := map[string]map[string][]int64{}
	for _, c := range claims {
		by := r.scopedBy(c.Type)
		rd, ok := r.readings[c.RecordID]
		if by == "" || !ok || rd.Remote.Record == nil {
			continue
		}
		if read[by] == nil {
			read[by] = map[string][]int64{}
		}
		id := r.scopeID(rd.Remote, by)
		read[by][id] = append(read[by][id], c.RecordID)
	}
	for _, by := range keys(read) {
		records := read[by]
		in, err := r.Remote.InScope(ctx, by, keys(records))
		if err != nil {
			return err
		}
		for id, list := range records {
			for _, record := range list {
				rd := r.readings[record]
				rd.Out = !in[id]
				r.readings[record] = rd
			}
		}
	}
	return nil
}

// dropOutOfScope leaves out the children on a page whose parents are not
// within the filter. Parents on the same page are.
func (e *Engine) dropOutOfScope(ctx context.Context, objectType string, byID map[string]mapping.Remote, shown map[string]bool) error {
	by := e.scopedBy(objectType)
	if by == "" || by == objectType || len(byID) == 0 {
		return nil
	}
	ask := map[string]bool{}
	for _, r := range byID {
		if id := e.scopeID(r, by); !shown[id] {
			ask[id] = true
		}
	}
	if len(ask) == 0 {
		return nil
	}
	in, err := e.Remote.InScope(ctx, by, keys(ask))
	if err != nil {
		return err
	}
	for id, r := range byID {
		if parent := e.scopeID(r, by); !shown[parent] && !in[parent] {
			delete(byID, id)
		}
	}
	return nil
}

// leave stops synchronising a record that is out of the filter. Its row stays.
func leave(st *State, rd Reading) {
	if st.Status != Detached && st.LocalKey != "" {
		st.Outcome = &Outcome{Status: Detached, Cause: rd.Cause}
	}
}

// keys lists the keys of a map in one order, so that the same state makes the
// same calls and statements.
func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
