// Package intake joins the receiver to the store: it turns what Close delivered
// into what is kept.
package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"closesync/mapping"
	"closesync/sync/engine"
	"closesync/sync/webhook"
)

// Event turns a delivery into what the store keeps. A delivery without a
// usable identity gets one made of its content.
func Event(v webhook.Delivery) engine.Event {
	e := engine.Event{ID: v.EventID, Updated: v.DateUpdated, ObjectType: v.ObjectType, ObjectID: v.ObjectID, Action: v.Action,
		Body: v.Event, Stale: v.Stale, Foreign: v.Foreign || v.Odd}
	if ev, err := mapping.DecodeEvent(v.Event); err == nil {
		e.Bulk = ev.BulkActionID != ""
		if ev.Action == "merged" {
			e.MergeSource = ev.MergeSource // the lead that it ended
		}
	}
	if e.Body == nil {
		e.Body = v.Raw
	}
	if e.ID == "" {
		e.ID = "odd_" + contentID(v.Raw)
	}
	if e.Updated.IsZero() {
		e.Updated = time.Unix(0, 0).UTC()
	}
	return e
}

// contentID names a delivery that names itself by nothing.
func contentID(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:11])
}
