package closetest

import (
	"context"
	"time"
)

// Options choose the size and manners of the imitation. The zero value is an
// empty organization that is quick, consistent and without limits.
type Options struct {
	Seed uint64
	// Now is the server's clock; nil means the real one. Clock, when set, is
	// used instead and may be advanced over the control API.
	Now   func() time.Time
	Clock *Clock
	// Sleep waits for d or until ctx ends; nil means a real timer. It serves
	// Latency and slow faults only.
	Sleep func(ctx context.Context, d time.Duration)

	// Leads is how many leads exist at the start. The per-lead counts default
	// to 2 contacts and 1 opportunity when Leads is set; -1 means none.
	Leads                int
	ContactsPerLead      int
	OpportunitiesPerLead int
	// CustomFields is how many of the built-in definitions exist per object
	// type: 0 means all of them, -1 none.
	CustomFields int
	// PadBytes lengthens the description of seeded leads.
	PadBytes int

	Limits Limits
	// Consolidation is how long updates of one object fold into one event.
	Consolidation time.Duration
	WebhookDelay  time.Duration
	// EventLag is the longest an event may take to appear in the log. The lag
	// of each is random, so that an older event may appear after a newer one.
	EventLag time.Duration
	// EventCursorLife is how long cursors of the log live; zero means for ever.
	EventCursorLife time.Duration
	// IndexLag is how long a write takes to reach the search index.
	IndexLag time.Duration
	// MergeDelay is the time between the answer to a merge and its effect.
	MergeDelay time.Duration
	// ExportDelay is the time from the request of an export to its file.
	ExportDelay time.Duration
	// ConvertDelay is how long a custom field stays in conversion.
	ConvertDelay time.Duration
	Latency      time.Duration

	// Webhooks steers disorder in the delivery of webhooks.
	Webhooks WebhookOptions

	// NoopTouches makes a PUT that changes nothing move date_updated.
	NoopTouches bool
	// RefuseContactMove answers 400 to a PUT of a contact's lead_id.
	RefuseContactMove bool
	// StatusActivities adds activity.*_status_change events.
	StatusActivities bool
	// RelaxCursors lets search cursors live longer than 30 seconds.
	RelaxCursors bool
	// NoHistory keeps no requests and no changes; violations are still recorded.
	NoHistory bool
	// Control mounts /_control/.
	Control bool
}

// Limits are the rate buckets. A group is a method and the first part of the
// path, such as "GET lead" or "POST data/search".
type Limits struct {
	// Key is how many requests a key may make per Window and group. Zero
	// means no limit; answers then carry a constant header.
	Key int `json:"key"`
	// Burst is how many requests beyond the announced limit pass all the same.
	Burst int `json:"burst"`
	// OrgFactor times Key is the organization's limit; zero means 3.
	OrgFactor int `json:"org_factor"`
	// Window is the bucket's length; zero means one second.
	Window time.Duration `json:"window"`
	// Groups override Key for one group.
	Groups map[string]int `json:"groups"`
	// Separator joins the parts of the header; empty means ", ".
	Separator string `json:"separator"`
	// Decimals the header's reset has at most; zero means 3, -1 none.
	Decimals int `json:"decimals"`
	// NoHeaders answers 429 without RateLimit and retry-after.
	NoHeaders bool `json:"no_headers"`
	// LegacyBody adds the deprecated JSON body to a 429.
	LegacyBody bool `json:"legacy_body"`
	// Grace is how long after a 429 further requests are not yet a violation,
	// for clients that had them under way.
	Grace time.Duration `json:"grace"`
}

// WebhookOptions steer disorder in delivery. All chances are 0..1.
type WebhookOptions struct {
	Duplicate float64 `json:"duplicate"`
	Drop      float64 `json:"drop"`
	Shuffle   bool    `json:"shuffle"`
	// Keep the same timestamp and hash on retries instead of signing again.
	KeepSignature bool `json:"keep_signature"`
	// PauseAfter and QueueLimit default to 3 days and 100,000.
	PauseAfter time.Duration `json:"pause_after"`
	QueueLimit int           `json:"queue_limit"`
	// Timeout of one delivery; zero means 10 seconds.
	Timeout time.Duration `json:"timeout"`
}

func (o *Options) fill() {
	if o.Clock != nil {
		o.Now = o.Clock.Now
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleepReal
	}
	o.ContactsPerLead = countOr(o.ContactsPerLead, 2)
	o.OpportunitiesPerLead = countOr(o.OpportunitiesPerLead, 1)
	if o.Webhooks.PauseAfter == 0 {
		o.Webhooks.PauseAfter = 72 * time.Hour
	}
	if o.Webhooks.QueueLimit == 0 {
		o.Webhooks.QueueLimit = 100_000
	}
	if o.Webhooks.Timeout == 0 {
		o.Webhooks.Timeout = 10 * time.Second
	}
}

func countOr(n, def int) int {
	switch {
	case n < 0:
		return 0
	case n == 0:
		return def
	}
	return n
}

func sleepReal(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
