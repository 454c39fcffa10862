package engine

import (
	"context"
	"sync"
	"time"

	"closesync/mapping"
	"closesync/sync/reconcile"
)

// catalogue is what the engine remembers of Close's custom fields. Close
// leaves an empty one out of its answers, and one that was removed as well:
// only the list of definitions tells them apart (fault S22).
type catalogue struct {
	mu     sync.Mutex
	fields map[string]CustomField // by "custom.cf_…"
	gone   map[string]bool        // asked for, and not there
	// incomplete: Close does not list all fields to this key, so that one that
	// is not listed has to be taken for one that exists.
	incomplete bool
}

func (c *catalogue) set(list []CustomField, incomplete bool) {
	fields := make(map[string]CustomField, len(list))
	for _, f := range list {
		fields["custom."+f.ID] = f
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fields, c.incomplete = fields, incomplete
}

// rests reports whether a custom field does not exist any more, or is being
// converted to another type (fault S23). known is false if the list is older
// than the field may be; fresh says that the list is new.
func (c *catalogue) rests(name string, fresh bool) (rests, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.fields[name]; ok {
		return f.Converting, true
	}
	if c.incomplete {
		return false, true
	}
	if fresh {
		if c.gone == nil {
			c.gone = map[string]bool{}
		}
		c.gone[name] = true
	}
	return c.gone[name], c.gone[name]
}

// resting gives the custom fields of a record that are neither sent nor
// emptied; false if the definitions have to be listed first.
func (r *round) resting(st *State) (map[string]bool, bool) {
	paused, sure := map[string]bool{}, true
	for _, rec := range []mapping.Record{st.Base, st.Local.Record} {
		for name := range rec {
			if !mapping.IsCustom(name) || rec.Get(name).IsNull() {
				continue
			}
			rests, known := r.catalogue.rests(name, r.knows)
			if rests {
				paused[name] = true
			}
			sure = sure && known
		}
	}
	if !sure && !r.unlisted {
		r.doubt.Store(true)
	}
	return paused, sure
}

// emptiesCustom reports whether a plan empties a custom field here, which needs
// a list of definitions newer than the reading.
func emptiesCustom(p reconcile.Plan) bool {
	if p.Local != reconcile.Update {
		return false
	}
	for name, v := range p.LocalSet {
		if v.IsNull() && mapping.IsCustom(name) {
			return true
		}
	}
	return false
}

// awaitFields puts a record off until the definitions were listed: the next
// round does so, or a later one where Close does not give them now.
func (r *round) awaitFields(c *Claim) {
	if r.unlisted {
		c.Retry = backoff(c.Attempts)
		return
	}
	r.doubt.Store(true)
	c.Retry = time.Microsecond
}

// knowFields reads the definitions after the readings of a round that follows
// one in which a custom field was found empty, so that what is missing in
// them is known to be empty and not removed. Where that fails, only the records
// that need the definitions wait.
func (r *round) knowFields(ctx context.Context) {
	if !r.doubt.Swap(false) {
		return
	}
	if err := r.Reference(ctx); err != nil {
		r.unlisted = true
		r.Logger.WarnContext(ctx, "Close's custom fields cannot be listed now; records with an emptied one wait", "problem", err)
		return
	}
	r.knows = true
}
