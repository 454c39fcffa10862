package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
)

// transportWarning says what is weak about the way to a database: off this
// machine, rows and the worker's password need an encrypted connection to a
// server that proves who it is. "" for nothing, or for what pgx cannot read.
func transportWarning(url string) string {
	c, err := pgx.ParseConfig(url)
	if err != nil || local(c.Host) {
		return ""
	}
	var weak string
	switch {
	case c.TLSConfig == nil:
		weak = "is not encrypted"
	case unverified(c.TLSConfig):
		weak = "is encrypted, but the server need not prove who it is"
	case unencryptedFallback(c):
		weak = "may fall back to one that is not encrypted"
	default:
		return ""
	}
	return fmt.Sprintf("the connection to the database on %s %s: use sslmode=verify-full (and sslrootcert) in DATABASE_URL", c.Host, weak)
}

// unverified: pgx checks the host's name only for verify-full; for verify-ca
// it checks the chain by a function of its own.
func unverified(c *tls.Config) bool { return c.InsecureSkipVerify }

func unencryptedFallback(c *pgx.ConnConfig) bool {
	for _, f := range c.Fallbacks {
		if f.TLSConfig == nil {
			return true
		}
	}
	return false
}

// local reports whether a host is this machine: a socket's folder, or a
// loopback address.
func local(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" || host == "" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
