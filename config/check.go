package config

import (
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

func (l *loader) listen(s setting) string {
	if s.value == "" {
		return "127.0.0.1:8080"
	}
	const remedy = "write host:port, as in 127.0.0.1:8080"
	host, port, err := net.SplitHostPort(s.value)
	if err != nil || !isHost(host) {
		l.probs.add(s.pos, s.key, "is no address", remedy)
		return ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		l.probs.add(s.pos, s.key, "has no port from 0 to 65535", remedy)
	}
	return s.value
}

// isHost reports whether a host can be one: digits and dots, or colons, must
// make an address; a name is looked up when it is listened on. Empty is every
// address.
func isHost(host string) bool {
	if strings.Contains(host, ":") || host != "" && strings.Trim(host, "0123456789.") == "" {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return !strings.ContainsFunc(host, func(r rune) bool { return unicode.IsSpace(r) || r == '/' })
}

// webURL checks an absolute URL that is https, or http to this machine, and
// drops a trailing slash. Empty stays empty.
func (l *loader) webURL(s setting) string {
	if s.value == "" {
		return ""
	}
	u, err := url.Parse(s.value) // its error repeats the value
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		l.probs.add(s.pos, s.key, "is no absolute URL", "write it as https://host/path")
	case u.User != nil:
		l.probs.add(s.pos, s.key, "holds a user or password", "remove it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		l.probs.add(s.pos, s.key, "has a query or fragment", "write the root alone, as https://host/path")
	case u.Scheme == "http" && !isLoopbackHost(u.Hostname()):
		l.probs.add(s.pos, s.key, "is http", "use https; http is for this machine alone")
	case u.Scheme != "https" && u.Scheme != "http":
		l.probs.add(s.pos, s.key, "is neither https nor http", "write it as https://host/path")
	default:
		return strings.TrimRight(u.String(), "/")
	}
	return ""
}

// databaseURL accepts both forms of libpq. What is inside is checked by the
// driver when it connects.
func (l *loader) databaseURL(s setting) Secret {
	v := s.value
	if v == "" {
		return Secret{}
	}
	const remedy = "write postgres://user@host:5432/database or host=… dbname=…"
	if strings.HasPrefix(v, "postgres://") || strings.HasPrefix(v, "postgresql://") {
		if _, err := url.Parse(v); err != nil {
			l.probs.add(s.pos, s.key, "is no valid URL", "escape special characters of the password with %")
		}
		return NewSecret(v)
	}
	if strings.Contains(v, "://") || !strings.Contains(v, "=") {
		l.probs.add(s.pos, s.key, "is no Postgres connection string", remedy)
	}
	return NewSecret(v)
}

// webhookKey wants what Close gives: 32 bytes in hex. Shorter than 16 bytes is
// no key.
func (l *loader) webhookKey(s setting) Secret {
	if s.value == "" {
		return Secret{}
	}
	if raw, err := hex.DecodeString(s.value); err != nil || len(raw) < 16 {
		l.probs.add(s.pos, s.key, "is no signature key", "copy signature_key of the subscription, 64 hex digits")
	}
	return NewSecret(s.value)
}

func (l *loader) adminToken(s setting) Secret {
	if !printable(s.value) {
		l.probs.add(s.pos, s.key, "holds a space or a control or non-ASCII character", "make one with `openssl rand -hex 32`")
	}
	return NewSecret(s.value)
}

// printable reports text that can stand in an HTTP header.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > unicode.MaxASCII || r == 0x7f })
}
