// Package config reads closesync's settings once, at the start: a flag wins
// over the environment, that over the config file, that over the default.
// The result is validated as a whole; what is wrong is reported all at once
// with file, line and key. Only cmd imports this package.
package config

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"
)

// DefaultBaseURL is Close's API root.
const DefaultBaseURL = "https://api.close.com/api/v1"

// DefaultConnection is the connection that exists when the file names none.
const DefaultConnection = "default"

// Config is the validated result. It is never changed after Load and may be
// read concurrently.
type Config struct {
	// File is the config file that was read; empty when there was none.
	File string
	// Connections holds at least one; names are unique.
	Connections []Connection
	// DatabaseURL is empty when the embedded Postgres is to be started.
	DatabaseURL Secret
	// Listen is host:port.
	Listen string
	// PublicURL has no trailing slash; empty follows the event log alone.
	PublicURL string
	// WebhookKey is the hex signature_key of a subscription made by hand.
	WebhookKey Secret
	AdminToken Secret
	DataDir    string
	LogLevel   slog.Level
	// LogFormat is "text" or "json".
	LogFormat string
	Schedule  Schedule
	Guards    Guards
	Rate      Rate
	Push      Push
	// Objects holds only what the file says, by object type; nil means the
	// built-in tables.
	Objects map[string]Object
	// Warnings are settings that work but are unwise, one sentence each.
	Warnings []string
}

// Connection is one Close organization.
type Connection struct {
	Name string
	// APIKey is empty when none was found; run then says how to get one.
	APIKey Secret
	// APIKeyEnv or APIKeyFile says where the key came from, or should.
	APIKeyEnv  string
	APIKeyFile string
	// BaseURL has no trailing slash.
	BaseURL string
	Position
}

// Schedule holds robfig/cron expressions: five fields or "@every DURATION",
// in UTC unless the expression names a zone.
type Schedule struct{ Events, Search, Audit string }

// Guards limit writes within Window. A batch over a limit becomes a hold.
type Guards struct {
	MaxDeletes       int
	MaxDeletePercent int // 0 to 100, of the linked records
	MaxCreates       int
	MaxClears        int // of one field
	// InboundDeletes limits deletes of local rows; nil is no limit.
	InboundDeletes *int
	Window         time.Duration
}

// Rate says how much of each Close limit is left to other integrations.
type Rate struct{ ReservePercent int }

// Push says how a change is sent: Verify "fresh" reads the record right
// before a PUT, "optimistic" does not.
type Push struct{ Verify string }

// ListenIsLoopback reports whether only this machine can reach Listen. A name
// other than localhost counts as reachable: it is not looked up.
func (c *Config) ListenIsLoopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && isLoopbackHost(host)
}

// isLoopbackHost accepts localhost, its subdomains and loopback addresses.
func isLoopbackHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
