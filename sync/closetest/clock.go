package closetest

import (
	"sync"
	"time"
)

// Clock is a virtual clock: it stands still until advanced. Safe for
// concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock standing at start.
func NewClock(start time.Time) *Clock { return &Clock{now: start.UTC()} }

// Now is the clock's instant, in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d, which may be negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Instants are microseconds since 1970 inside the package: compact, ordered
// and exactly the precision Close prints.
func micros(t time.Time) int64 { return t.UnixMicro() }

// zoned prints a record's instant: "2026-05-02T09:14:07.390000+00:00".
func appendZoned(dst []byte, us int64) []byte {
	return append(appendZoneless(dst, us), "+00:00"...)
}

// appendZoneless prints an event's instant: no zone at all, meaning UTC.
func appendZoneless(dst []byte, us int64) []byte {
	return time.UnixMicro(us).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000")
}

func zoned(us int64) string    { return string(appendZoned(nil, us)) }
func zoneless(us int64) string { return string(appendZoneless(nil, us)) }

// parseInstant accepts every form seen in Close's payloads and filters; a
// stamp without zone means UTC, a plain date its first instant.
func parseInstant(s string) (int64, bool) {
	for _, layout := range []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999", "2006-01-02",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return micros(t), true
		}
	}
	return 0, false
}
