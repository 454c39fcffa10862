package web

import (
	"net/netip"
	"sync"
	"time"
)

const (
	failureBurst  = 10              // wrong tokens at once
	failureRefill = 3 * time.Second // one more comes back in this time
	failureMost   = 4096            // addresses remembered
)

// failures locks an address out after too many wrong tokens. Addresses are
// those of the connection; X-Forwarded-For is not believed.
type failures struct {
	now func() time.Time

	mu     sync.Mutex
	fullAt map[netip.Addr]time.Time // when the address has all its tries back
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, fullAt: map[netip.Addr]time.Time{}}
}

func (f *failures) locked(peer netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fullAt[f.counted(peer)].Sub(f.now()) > (failureBurst-1)*failureRefill
}

// counted is the address whose count holds for the peer. When too many guess at
// once to tell them apart, all that are not known yet share one.
func (f *failures) counted(peer netip.Addr) netip.Addr {
	if _, known := f.fullAt[peer]; !known && len(f.fullAt) >= failureMost {
		return netip.Addr{}
	}
	return peer
}

func (f *failures) note(peer netip.Addr) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.fullAt) >= failureMost {
		for a, at := range f.fullAt {
			if at.Before(now) {
				delete(f.fullAt, a)
			}
		}
	}
	peer = f.counted(peer)
	at := f.fullAt[peer]
	if at.Before(now) {
		at = now
	}
	f.fullAt[peer] = at.Add(failureRefill)
}

// peerOf counts IPv6 by the /64 that one host owns.
func peerOf(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	if p, err := addr.Prefix(64); addr.Is6() && err == nil {
		return p.Addr()
	}
	return addr
}
