package engine

import (
	"strings"
	"sync"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// markerRest is how long creates go without a marker after Close refused its
// field. A create without one is better than none.
const markerRest = 10 * time.Minute

// markers remembers the object types whose marker field Close does not take:
// it was removed, is being converted, or is not for this key's role.
type markers struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (m *markers) refuse(objectType string, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil {
		m.until = map[string]time.Time{}
	}
	m.until[objectType] = until
}

func (m *markers) rest(objectType string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Before(m.until[objectType])
}

// refusesMarker reports whether a create failed for its marker alone, and
// notes it.
func (r *round) refusesMarker(o *mapping.Object, in *Intent, call *CallError) bool {
	if in.Action != reconcile.Create || in.Marker == "" {
		return false
	}
	name := o.MarkerField()
	for path, message := range call.Fields {
		if path == name || strings.HasPrefix(path, name+".") {
			r.Logger.Warn("Close refuses external_id_field; creates go without a marker for a while", "object_type", o.Type, "field", o.ExternalID, "error", message)
			r.markers.refuse(o.Type, r.Now().Add(markerRest))
			return true
		}
	}
	return false
}
