package webhook

import (
	"net/netip"
	"sync"
	"time"
)

const (
	refusalBurst  = 30          // refusals an address has at hand
	refusalRefill = time.Second // one more comes back in this time
	refusalMost   = 8192        // addresses remembered
)

// refusals counts refused requests by address. An address that has used up its
// refusals is turned away before its body is read. Private and loopback
// addresses are never turned away: a proxy there carries the genuine
// deliveries too, and X-Forwarded-For is not to be believed.
type refusals struct {
	now func() time.Time

	mu sync.Mutex
	// fullAt is when the address would have all its refusals back.
	fullAt map[netip.Addr]time.Time
}

func newRefusals(now func() time.Time) *refusals {
	return &refusals{now: now, fullAt: map[netip.Addr]time.Time{}}
}

// spent reports whether the address is to be turned away.
func (r *refusals) spent(addr netip.Addr) bool {
	if !limited(addr) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fullAt[addr].Sub(r.now()) > (refusalBurst-1)*refusalRefill
}

// note takes one refusal from the address.
func (r *refusals) note(addr netip.Addr) {
	if !limited(addr) {
		return
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	at, found := r.fullAt[addr]
	if !found && len(r.fullAt) >= refusalMost {
		r.prune(now)
	}
	if at.Before(now) {
		at = now
	}
	r.fullAt[addr] = at.Add(refusalRefill)
}

// prune forgets the addresses that are full again; all, if none is.
func (r *refusals) prune(now time.Time) {
	for a, at := range r.fullAt {
		if !at.After(now) {
			delete(r.fullAt, a)
		}
	}
	if len(r.fullAt) >= refusalMost {
		clear(r.fullAt)
	}
}

func limited(addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsLoopback() && !addr.IsPrivate() && !addr.IsLinkLocalUnicast()
}

// address of the peer; an IPv6 peer counts by its /64, which one host owns.
func address(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is6() && limited(addr) {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}
