package remote

import (
	"context"
	"errors"
	"slices"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// Fetch reads one record by its id from Close's primary store. A 404 alone
// proves nothing, since a record that is hidden from the key answers the same:
// the event log decides, and without an event whether the key sees all leads.
func (r *Remote) Fetch(ctx context.Context, objectType, id string) engine.Reading {
	return r.fetch(ctx, objectType, id, nil)
}

// Family is Fetch of a lead with its contacts and opportunities in Nested.
func (r *Remote) Family(ctx context.Context, objectType, id string) engine.Reading {
	return r.fetch(ctx, objectType, id, r.nested(objectType, true))
}

func (r *Remote) fetch(ctx context.Context, objectType, id string, nested map[string]*mapping.Object) engine.Reading {
	o, err := r.object(objectType)
	if err != nil {
		return engine.Reading{Err: err}
	}
	r.calls.Add(1)
	fields := fetchFields(o)
	if len(nested) > 0 {
		fields = append(fields, "contacts", "opportunities")
	}
	raw, err := r.client.GetRaw(ctx, objectType, id, fields...)
	if errors.Is(err, closeapi.ErrNotFound) {
		return r.absent(ctx, objectType, id)
	}
	if err != nil {
		return engine.Reading{Err: callError(err)}
	}
	rec, err := decode(o, raw, nested)
	if err != nil {
		return engine.Reading{Err: callError(err)}
	}
	if rec.ID != id {
		// Followed, it would put another record's content into this row.
		return engine.Reading{Err: &engine.CallError{Class: classInvalid, Message: "asked for " + id + ", Close answered " + rec.ID}}
	}
	return engine.Reading{Remote: rec, Fresh: true}
}

// absent finds out what a 404 means.
func (r *Remote) absent(ctx context.Context, objectType, id string) engine.Reading {
	r.calls.Add(1)
	page, err := r.client.Events(ctx, closeapi.EventOptions{ObjectType: objectType, ObjectID: id})
	if err != nil {
		return engine.Reading{Err: callError(err)}
	}
	// Ids never come back, so an end is among the newest events of a record.
	for _, raw := range page.Data {
		ev, err := mapping.DecodeEvent(raw)
		if err != nil || !endOf(ev, id) {
			continue
		}
		return engine.Reading{Gone: true, Into: intoOf(ev, id), Fresh: true, Cause: engine.Cause{"event": ev.ID}}
	}
	all := r.sight.Load()
	return engine.Reading{Gone: all, Hidden: !all, Fresh: true}
}

func endOf(ev mapping.Event, id string) bool {
	return ev.Action == "deleted" && ev.ObjectID == id || ev.Action == "merged" && ev.MergeSource == id
}

// intoOf is the lead that id was merged into. Every event of a merge carries
// both leads, those of moved contacts too: only the source's own counts.
func intoOf(ev mapping.Event, id string) string {
	if ev.MergeSource == id {
		return ev.MergeInto
	}
	return ""
}

// fetchFields keep a lead's answer from carrying all its contacts,
// opportunities and tasks, which may be megabytes. Other objects are small and
// are read whole.
func fetchFields(o *mapping.Object) []string {
	if o.Type != "lead" {
		return nil
	}
	return recordFields(o)
}

// recordFields names what a limited reading must hold: every mapped field, and
// all custom fields, because the absence of one means that it is empty.
func recordFields(o *mapping.Object) []string {
	fields := []string{"id", "date_created", "date_updated", "custom"}
	if o.ExternalID != "" {
		fields = append(fields, o.MarkerField())
	}
	for _, f := range o.Fields {
		if !slices.Contains(fields, f.Close) {
			fields = append(fields, f.Close)
		}
	}
	return fields
}
