package remote

import (
	"context"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// Create makes a record and returns it as Close stored it. Not safe to run
// twice: class "unknown" means that it may exist now.
func (r *Remote) Create(ctx context.Context, objectType string, set mapping.Record, marker string) (mapping.Remote, error) {
	o, body, err := r.encode(objectType, set, marker)
	if err != nil {
		return mapping.Remote{}, err
	}
	r.calls.Add(1)
	raw, err := r.client.CreateRaw(looking(ctx), objectType, body)
	if err != nil {
		return mapping.Remote{}, callError(err)
	}
	return answer(o, raw, "")
}

// Update changes the fields in set and returns the whole record. Lists are
// replaced as a whole.
func (r *Remote) Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error) {
	o, body, err := r.encode(objectType, set, "")
	if err != nil {
		return mapping.Remote{}, err
	}
	r.calls.Add(1)
	raw, err := r.client.UpdateRaw(looking(ctx), objectType, id, body)
	if err != nil {
		return mapping.Remote{}, callError(err)
	}
	return answer(o, raw, id)
}

// Delete removes a record for good. A record that is not there, or not visible
// to the key, is class "missing".
func (r *Remote) Delete(ctx context.Context, objectType, id string) error {
	if _, err := r.object(objectType); err != nil {
		return err
	}
	r.calls.Add(1)
	return callError(r.client.DeleteRaw(looking(ctx), objectType, id))
}

// looking hands the engine's last look on to the client.
func looking(ctx context.Context) context.Context {
	if look := engine.LastLook(ctx); look != nil {
		return closeapi.WithLastLook(ctx, look)
	}
	return ctx
}

func (r *Remote) encode(objectType string, set mapping.Record, marker string) (*mapping.Object, []byte, error) {
	o, err := r.object(objectType)
	if err != nil {
		return nil, nil, err
	}
	body, err := mapping.EncodeCreate(o, set, marker)
	if err != nil {
		return nil, nil, &engine.CallError{Class: classInvalid, Message: err.Error()}
	}
	return o, body, nil
}

// answer reads what a write returned. If it cannot be read the write has
// happened all the same, or another record answers: the caller must look.
func answer(o *mapping.Object, raw []byte, id string) (mapping.Remote, error) {
	rec, err := decode(o, raw, nil)
	if err != nil {
		return mapping.Remote{}, &engine.CallError{Class: classUnknown, Message: "the answer to the write: " + err.Error()}
	}
	if id != "" && rec.ID != id {
		return mapping.Remote{}, &engine.CallError{Class: classUnknown, Message: "wrote " + id + ", Close answered " + rec.ID}
	}
	return rec, nil
}
