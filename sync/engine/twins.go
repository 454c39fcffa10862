package engine

import (
	"context"
	"slices"
	"sync"

	"closesync/mapping"
)

// twins collects the records of a full compare that carry one marker: a create
// of ours took effect twice, which nothing but the marker shows (fault S16).
type twins struct {
	mu    sync.Mutex
	first map[string]string   // record by marker
	more  map[string][]string // all records of a marker that several have
}

func (t *twins) add(records []mapping.Remote) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(records)
}

func (t *twins) put(records []mapping.Remote) {
	for _, r := range records {
		t.put(r.Nested)
		if r.Marker == "" {
			continue
		}
		// A marker is unique over types, and a record may be shown twice.
		key := r.Type + " " + r.Marker
		first, known := t.first[key]
		switch {
		case !known:
			t.first[key] = r.ID
		case first == r.ID || slices.Contains(t.more[key], r.ID):
		case t.more[key] == nil:
			t.more[key] = []string{first, r.ID}
		default:
			t.more[key] = append(t.more[key], r.ID)
		}
	}
}

// report parks the twins of a type and releases those that are none any more.
// Nothing is deleted: which of them people used meanwhile is not ours to say.
func (t *twins) report(ctx context.Context, l Local, objectType string) error {
	var groups [][]string
	for key, ids := range t.more {
		if len(key) > len(objectType) && key[:len(objectType)+1] == objectType+" " {
			slices.Sort(ids)
			groups = append(groups, ids)
		}
	}
	return l.ReportTwins(ctx, objectType, groups)
}
