// Package remote is the Close side of the engine: it reads and writes single
// records, searches, and walks the event log over package closeapi, and speaks
// mapping's terms to the engine.
package remote

import (
	"log/slog"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// Options make a Remote. Client, Objects and OrganizationID are required.
type Options struct {
	Client         *closeapi.Client
	Objects        map[string]*mapping.Object // by object type, those in force
	OrganizationID string                     // events of any other one are foreign
	APIKeyID       string                     // part of the key before the dot; it marks our own events
	CanSeeAll      bool                       // the key sees every lead, so a 404 is a deletion
	// Attempts reads how many HTTP requests the client has sent, as its Observe
	// hook counts them; nil counts calls here, which leaves out repetitions.
	Attempts func() int64
	// Now is the clock that stands in for Close's; nil means time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Remote is one Close organization. It satisfies [engine.Remote] and is safe
// for concurrent use. Errors of its methods are *engine.CallError.
type Remote struct {
	opt       Options
	client    *closeapi.Client
	calls     atomic.Int64
	smallPage atomic.Bool // Close refused pages of 200 in searches
	sight     atomic.Bool // the key sees every lead
}

var _ engine.Remote = (*Remote)(nil)

// New returns a Remote over o.Client. It sends nothing.
func New(o Options) *Remote {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.APIKeyID, _, _ = strings.Cut(o.APIKeyID, ".")
	o.Objects = maps.Clone(o.Objects)
	r := &Remote{opt: o, client: o.Client}
	r.sight.Store(o.CanSeeAll)
	return r
}

// SetCanSeeAll says anew whether the key sees every lead: Close may not have
// answered when the Remote was made, and a role may change.
func (r *Remote) SetCanSeeAll(all bool) { r.sight.Store(all) }

// Requests is how many requests were sent to Close so far.
func (r *Remote) Requests() int64 {
	if r.opt.Attempts != nil {
		return r.opt.Attempts()
	}
	return r.calls.Load()
}

// object finds the mapping of a type that the engine asks for.
func (r *Remote) object(objectType string) (*mapping.Object, error) {
	if o := r.opt.Objects[objectType]; o != nil {
		return o, nil
	}
	return nil, &engine.CallError{Class: classInvalid, Message: "no mapping is in force for " + objectType}
}
