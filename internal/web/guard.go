package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard decides who may use the dashboard, the API and the job UI.
//
//	             token set          no token
//	loopback     401 without it     open to a loopback Host, not through a proxy
//	elsewhere    401 without it     403
//
// In every case a write that a browser sends from another site gets 403.
type guard struct {
	token    [sha256.Size]byte // the digest makes all lengths take the same time
	hasToken bool
	loopback bool
	failures *failures
	origin   *http.CrossOriginProtection
}

func newGuard(o Options) *guard {
	return &guard{
		token:    sha256.Sum256([]byte(o.AdminToken)),
		hasToken: o.AdminToken != "",
		loopback: o.Loopback,
		failures: newFailures(o.Now),
		origin:   http.NewCrossOriginProtection(),
	}
}

func (g *guard) wrap(next http.Handler) http.Handler {
	next = g.origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch status := g.check(r); status {
		case http.StatusOK:
			next.ServeHTTP(w, r)
		case http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", `Basic realm="closesync", charset="UTF-8"`)
			w.Header().Add("WWW-Authenticate", "Bearer")
			http.Error(w, "The admin token is needed: as Bearer, or as the password of any user.", status)
		case http.StatusTooManyRequests:
			w.Header().Set("Retry-After", "30")
			http.Error(w, "Too many wrong tokens from this address. Wait half a minute.", status)
		default:
			http.Error(w, "Closed. Set CLOSESYNC_ADMIN_TOKEN, or open it by a loopback address on the machine itself.", status)
		}
	})
}

func (g *guard) check(r *http.Request) int {
	switch {
	case g.hasToken:
		return g.checkToken(r)
	case g.loopback && loopbackHost(r.Host) && !proxied(r.Header):
		return http.StatusOK
	}
	return http.StatusForbidden
}

// checkToken counts wrong tokens only; a request without one is how every
// browser begins. A locked-out address is refused whatever it brings.
func (g *guard) checkToken(r *http.Request) int {
	token, given := credentials(r)
	if !given {
		return http.StatusUnauthorized
	}
	peer := peerOf(r.RemoteAddr)
	if g.failures.locked(peer) {
		return http.StatusTooManyRequests
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], g.token[:]) != 1 {
		g.failures.note(peer)
		return http.StatusUnauthorized
	}
	return http.StatusOK
}

// credentials gives the token of the Authorization header.
func credentials(r *http.Request) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// loopbackHost guards against DNS rebinding: a page of another site that makes
// its own name resolve to 127.0.0.1 still sends its name as Host.
func loopbackHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}

// proxied reports a request that another server passed on: then the peer is
// not on this machine, whatever the addresses say.
func proxied(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}
