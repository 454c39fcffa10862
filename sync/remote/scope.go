package remote

import (
	"context"

	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// scopeBatch is how many ids one question about the scope names.
const scopeBatch = 100

// InScope tells which records the user's filter of their type matches, as far
// as Close's index knows by now. Without a filter all do.
func (r *Remote) InScope(ctx context.Context, objectType string, ids []string) (map[string]bool, error) {
	o, err := r.object(objectType)
	if err != nil {
		return nil, err
	}
	in := make(map[string]bool, len(ids))
	for start := 0; start < len(ids); start += scopeBatch {
		batch := ids[start:min(start+scopeBatch, len(ids))]
		if o.Filter == nil {
			for _, id := range batch {
				in[id] = true
			}
			continue
		}
		var named []closeapi.Node
		for _, id := range batch {
			named = append(named, closeapi.ByID(id))
		}
		r.calls.Add(1)
		page, err := r.client.Search(ctx, closeapi.SearchRequest{Limit: scopeBatch, Fields: map[string][]string{objectType: {"id"}},
			Query: closeapi.And(closeapi.ObjectType(objectType), closeapi.Or(named...), closeapi.RawNode(o.Filter))})
		if err != nil {
			return nil, callError(err)
		}
		for _, raw := range page.Data {
			rec, err := decode(o, raw, nil)
			if err != nil {
				return nil, &engine.CallError{Class: classTransient, Message: err.Error()}
			}
			in[rec.ID] = true
		}
	}
	return in, nil
}
