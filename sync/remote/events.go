package remote

import (
	"context"
	"errors"
	"strings"
	"time"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// Events walks the event log from the newest back to since, which should lie
// [closeapi.EventOverlap] behind what was processed; the zero time walks all
// 30 days. Each gets up to 50 events at a time, newest first. An event that
// cannot be read is logged and left out. Newest is the latest date_updated
// seen, since if there was none, and is only good as a watermark if err is nil.
func (r *Remote) Events(ctx context.Context, since time.Time, each func([]engine.Event) error) (time.Time, error) {
	newest := since
	walk := closeapi.EventWalk{Watermark: since, Overlap: -1}
	for batch, err := range r.client.EventBatches(ctx, walk) {
		r.calls.Add(1)
		if err != nil {
			return newest, callError(err)
		}
		for _, bad := range batch.Rejected {
			r.opt.Logger.WarnContext(ctx, "event cannot be read, left out", "problem", bad.Err)
		}
		var events []engine.Event
		for _, rec := range batch.Records {
			if rec.At.After(newest) {
				newest = rec.At
			}
			ev, err := mapping.DecodeEvent(rec.Raw)
			if err != nil {
				r.opt.Logger.WarnContext(ctx, "event cannot be read, left out", "event", rec.ID, "problem", err)
				continue
			}
			events = append(events, r.event(ev, rec.Raw))
		}
		if len(events) == 0 {
			continue
		}
		if err := each(events); err != nil {
			return newest, err
		}
	}
	return newest, nil
}

func (r *Remote) event(ev mapping.Event, raw []byte) engine.Event {
	return engine.Event{
		ID: ev.ID, Updated: ev.Updated, ObjectType: ev.ObjectType, ObjectID: ev.ObjectID, Action: ev.Action,
		MergeSource: ev.MergeSource, Body: raw, Foreign: r.foreign(ev), Bulk: ev.BulkActionID != "",
	}
}

func (r *Remote) foreign(ev mapping.Event) bool {
	return ev.OrganizationID != "" && ev.OrganizationID != r.opt.OrganizationID
}

// Created lists what was created since then, by the event log: the search
// index lags and must not be asked whether a create took effect. What this key
// made comes whole; of what others made, only what the log shows with a
// marker: ours may have been sent with a key that was replaced since. The
// records are as of their events; one that is gone again is left out.
func (r *Remote) Created(ctx context.Context, objectType string, since time.Time) ([]engine.Found, error) {
	o, err := r.object(objectType)
	if err != nil {
		return nil, err
	}
	walk := closeapi.EventWalk{
		Options:   closeapi.EventOptions{ObjectType: objectType, Action: "created"},
		Watermark: since, Overlap: -1,
	}
	var found []engine.Found
	seen := map[string]bool{}
	for batch, err := range r.client.EventBatches(ctx, walk) {
		r.calls.Add(1)
		if err != nil {
			return nil, callError(err)
		}
		for _, rec := range batch.Records {
			ev, err := mapping.DecodeEvent(rec.Raw)
			if err != nil || seen[ev.ObjectID] || r.foreign(ev) {
				continue
			}
			seen[ev.ObjectID] = true
			remote, ok, err := r.created(ctx, o, ev)
			if err != nil {
				return nil, err
			}
			if ours := r.ours(ev); ok && (ours || remote.Marker != "") {
				found = append(found, engine.Found{Remote: remote, Ours: ours})
			}
		}
	}
	return found, nil
}

// ours reports whether this key made an event.
func (r *Remote) ours(ev mapping.Event) bool {
	id, _, _ := strings.Cut(ev.APIKeyID, ".")
	return id != "" && id == r.opt.APIKeyID
}

// created reads a record from its created event. Where the event has no data,
// which Close leaves out of old events for keys that are no admin's, one of
// ours is read by its id.
func (r *Remote) created(ctx context.Context, o *mapping.Object, ev mapping.Event) (mapping.Remote, bool, error) {
	if ev.DataState == mapping.Present {
		if rec, err := decode(o, ev.Data, nil); err == nil && rec.ID == ev.ObjectID {
			return rec, true, nil
		}
	}
	if !r.ours(ev) {
		return mapping.Remote{}, false, nil
	}
	r.calls.Add(1)
	raw, err := r.client.GetRaw(ctx, o.Type, ev.ObjectID, fetchFields(o)...)
	if errors.Is(err, closeapi.ErrNotFound) {
		return mapping.Remote{}, false, nil
	}
	if err != nil {
		return mapping.Remote{}, false, callError(err)
	}
	rec, err := decode(o, raw, nil)
	if err != nil {
		return mapping.Remote{}, false, callError(err)
	}
	return rec, true, nil
}
