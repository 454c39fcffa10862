package webhook

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

const (
	keysFresh   = 10 * time.Second // keys are used this long without asking
	keysRefetch = 5 * time.Second  // a mismatch asks again, at most this often
	keysMost    = 4096             // names remembered, unknown ones included
)

// errBusy says that too many unknown names were asked for.
var errBusy = errors.New("webhook: too many lookups of unknown connections")

// keyCache stands between requests, which anyone can send, and Keys, which may
// ask the database: a flood of forged requests costs one lookup in five
// seconds.
type keyCache struct {
	keys    Keys
	now     func() time.Time
	unknown *rate.Limiter // lookups of names not remembered
	flight  singleflight.Group

	mu      sync.Mutex
	entries map[string]keyEntry
}

type keyEntry struct {
	keys    []SigningKey
	unknown bool
	at      time.Time
}

func newKeyCache(keys Keys, now func() time.Time) *keyCache {
	return &keyCache{keys: keys, now: now, unknown: rate.NewLimiter(20, 100), entries: map[string]keyEntry{}}
}

// get returns the keys, at most maxAge old.
func (c *keyCache) get(ctx context.Context, connection string, maxAge time.Duration) ([]SigningKey, error) {
	now := c.now()
	c.mu.Lock()
	e, found := c.entries[connection]
	c.mu.Unlock()
	if found && now.Sub(e.at) < maxAge && !now.Before(e.at) {
		return e.answer()
	}
	if (!found || e.unknown) && !c.unknown.AllowN(now, 1) {
		return nil, errBusy
	}
	v, err, _ := c.flight.Do(connection, func() (any, error) { return c.fetch(ctx, connection, now) })
	if err != nil {
		return nil, err
	}
	return v.(keyEntry).answer()
}

// fetch asks Keys and remembers the answer, an unknown name too.
func (c *keyCache) fetch(ctx context.Context, connection string, now time.Time) (keyEntry, error) {
	keys, err := c.keys.Keys(ctx, connection)
	if err != nil && !errors.Is(err, ErrUnknownConnection) {
		return keyEntry{}, err
	}
	e := keyEntry{keys: keys, unknown: err != nil, at: now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= keysMost {
		// Guesses make room; a real name stays, or it would have to compete
		// with them for its next lookup.
		maps.DeleteFunc(c.entries, func(_ string, e keyEntry) bool { return e.unknown })
	}
	c.entries[connection] = e
	return e, nil
}

func (e keyEntry) answer() ([]SigningKey, error) {
	if e.unknown {
		return nil, ErrUnknownConnection
	}
	return e.keys, nil
}
