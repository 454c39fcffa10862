package config

import (
	"log/slog"
	"strings"
)

// minAdminToken is the length below which a token is called weak.
const minAdminToken = 16

// build checks every setting and puts the result together.
func (l *loader) build(f fileLayer, s settings) *Config {
	c := &Config{
		File:     l.path,
		Guards:   f.guards,
		Rate:     f.rate,
		Push:     f.push,
		Objects:  f.objects,
		Listen:   l.listen(s.listen),
		DataDir:  l.dataDir(s.dataDir),
		LogLevel: l.logLevel(s.logLevel),
	}
	c.LogFormat = l.logFormat(s.logFormat)
	c.PublicURL = l.webURL(s.publicURL)
	c.Schedule = Schedule{
		Events: l.cron(f.schedule.events),
		Search: l.cron(f.schedule.search),
		Audit:  l.cron(f.schedule.audit),
	}
	c.DatabaseURL = l.databaseURL(l.secret(s.databaseURL, s.databaseURLFile))
	c.WebhookKey = l.webhookKey(l.secret(s.webhookKey, s.webhookKeyFile))
	c.AdminToken = l.adminToken(l.secret(s.adminToken, s.adminTokenFile))
	c.Connections = l.connections(f.connections, s)
	c.Warnings = append(warnings(c), l.misspelt(c)...)
	return c
}

func (l *loader) logLevel(s setting) slog.Level {
	switch strings.ToLower(s.value) {
	case "debug":
		return slog.LevelDebug
	case "info", "":
		return slog.LevelInfo
	case "warn", "warning":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	l.probs.add(s.pos, s.key, "is no log level", "use debug, info, warn or error")
	return slog.LevelInfo
}

func (l *loader) logFormat(s setting) string {
	switch s.value {
	case "text", "json":
		return s.value
	case "":
		if l.src.Terminal {
			return "text"
		}
		return "json"
	}
	l.probs.add(s.pos, s.key, "is no log format", "use text or json")
	return "json"
}

func (l *loader) dataDir(s setting) string {
	if s.value != "" {
		return l.resolve(s.value)
	}
	return defaultDataDir(l.env, l.src.Root)
}

// secret gives the secret itself, or the content of the file that holds it
// when no layer gave the secret.
func (l *loader) secret(direct, file setting) setting {
	if direct.value != "" || file.value == "" {
		return direct
	}
	text, err := l.src.ReadFile(l.resolve(file.value))
	switch {
	case err != nil:
		l.probs.add(file.pos, file.key, "cannot be read: "+cause(err), "name a file that holds nothing but the secret")
		return direct
	case strings.TrimSpace(string(text)) == "":
		l.probs.add(file.pos, file.key, "names an empty file", "name a file that holds nothing but the secret")
		return direct
	}
	file.value = strings.TrimSpace(string(text))
	return file
}

func (l *loader) misspelt(c *Config) []string {
	used := map[string]bool{}
	for _, conn := range c.Connections {
		used[conn.APIKeyEnv] = true
	}
	return misspelt(l.env, used)
}

// warnings tells what works and is unwise.
func warnings(c *Config) []string {
	var out []string
	if t := c.AdminToken.Reveal(); t != "" && len(t) < minAdminToken {
		out = append(out, "the admin token is shorter than 16 characters: make one with `openssl rand -hex 32`")
	}
	if !c.ListenIsLoopback() && c.AdminToken.IsZero() {
		out = append(out, "listen is reachable from other machines and no admin token is set: dashboard, /jobs/ and /api/ answer 403")
	}
	return out
}
