package config

import (
	"regexp"
	"strings"
)

// connectionName can stand in a URL path, a metric label and a log line.
var connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// connections checks those of the file, or makes the default one, and fetches
// their keys. A key that is missing is not a problem here: commands that need
// none still work, and run says how to get one.
func (l *loader) connections(list []Connection, s settings) []Connection {
	if len(list) == 0 {
		list = []Connection{{Name: DefaultConnection, APIKeyEnv: "CLOSE_API_KEY"}}
	}
	seen := map[string]bool{}
	for i := range list {
		c := &list[i]
		l.checkConnection(c, seen)
		seen[c.Name] = true
		c.APIKey = l.apiKey(c, s.apiKey)
		c.BaseURL = l.baseURL(c, s.baseURL)
	}
	return list
}

func (l *loader) checkConnection(c *Connection, seen map[string]bool) {
	bad := func(key, what, remedy string) { l.probs.add(c.Position, "connections."+key, what, remedy) }
	if c.Name == "" {
		c.Name = DefaultConnection
	}
	switch {
	case !connectionName.MatchString(c.Name):
		bad("name", "is no plain name", "use a-z, 0-9, - and _, at most 63 characters")
	case seen[c.Name]:
		bad("name", "is used twice", "give each connection its own")
	}
	if c.APIKeyEnv != "" && c.APIKeyFile != "" {
		bad("api_key_env", "stands beside api_key_file", "keep one of them")
		c.APIKeyFile = ""
	}
	if c.APIKeyEnv != "" && !variableName.MatchString(c.APIKeyEnv) {
		bad("api_key_env", "is no name of an environment variable", "write the name, not the key")
		return
	}
	if c.APIKeyEnv == "" && c.APIKeyFile == "" {
		if c.Name == DefaultConnection {
			c.APIKeyEnv = "CLOSE_API_KEY"
		} else {
			bad("api_key_env", "is missing", "name the environment variable that holds the key, or use api_key_file")
		}
	}
}

func (l *loader) apiKey(c *Connection, fromEnv setting) Secret {
	pos, key := Position{File: "environment"}, c.APIKeyEnv
	value := strings.TrimSpace(l.env[c.APIKeyEnv])
	if c.APIKeyFile != "" {
		pos, key = c.Position, "connections.api_key_file"
		file := setting{value: c.APIKeyFile, key: key, pos: pos, given: true}
		if c.Name == DefaultConnection && fromEnv.given {
			return l.printableKey(fromEnv.pos, fromEnv.key, fromEnv.value)
		}
		value = l.secret(setting{}, file).value
	}
	return l.printableKey(pos, key, value)
}

func (l *loader) printableKey(pos Position, key, value string) Secret {
	if !printable(value) {
		l.probs.add(pos, key, "holds a space or a control character", "copy the key again")
		return Secret{}
	}
	return NewSecret(value)
}

// baseURL: the environment or flag decides for the default connection and for
// those that name none.
func (l *loader) baseURL(c *Connection, given setting) string {
	s := setting{value: c.BaseURL, key: "connections.base_url", pos: c.Position}
	if given.given && (c.Name == DefaultConnection || c.BaseURL == "") {
		s = given
	}
	if s.value == "" {
		return DefaultBaseURL
	}
	return l.webURL(s)
}
