package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// variables are the settings of the environment, all text: the library then
// has nothing to convert and so no error that could repeat a value.
type variables struct {
	APIKey      string `env:"CLOSE_API_KEY"`
	BaseURL     string `env:"CLOSE_BASE_URL"`
	DatabaseURL string `env:"DATABASE_URL"`
	Config      string `env:"CLOSESYNC_CONFIG"`
	Listen      string `env:"CLOSESYNC_LISTEN"`
	PublicURL   string `env:"CLOSESYNC_PUBLIC_URL"`
	WebhookKey  string `env:"CLOSESYNC_WEBHOOK_KEY"`
	AdminToken  string `env:"CLOSESYNC_ADMIN_TOKEN"`
	DataDir     string `env:"CLOSESYNC_DATA_DIR"`
	LogLevel    string `env:"CLOSESYNC_LOG_LEVEL"`
	LogFormat   string `env:"CLOSESYNC_LOG_FORMAT"`
}

// environ is a process environment by name.
type environ map[string]string

func parseEnviron(list []string) environ {
	out := make(environ, len(list))
	for _, pair := range list {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			out[name] = value
		}
	}
	return out
}

// readVariables fills the struct. Variables it does not name are not ours to
// judge: a container may carry many. Those that look misspelt are warned of.
func readVariables(e environ, probs *problems) variables {
	v, err := env.ParseAsWithOptions[variables](env.Options{Environment: e})
	if err != nil {
		probs.add(Position{File: "environment"}, "", "cannot be read", "")
	}
	return v
}

// secondary are variables of ours that are no settings of the program: of the
// Compose file.
var secondary = []string{"CLOSESYNC_PORT", "CLOSESYNC_POSTGRES_IMAGE"}

// misspelt warns of variables that look like settings and are none. Of those
// without our own prefix only near misses count; used are names that the file
// gives.
func misspelt(e environ, used map[string]bool) []string {
	known := slices.Clone(secondary)
	for f := range reflect.TypeFor[variables]().Fields() {
		known = append(known, f.Tag.Get("env"))
	}
	slices.Sort(known)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(e)) {
		near := nearest(name, known)
		switch {
		case slices.Contains(known, name) || used[name] || !strings.HasPrefix(name, "CLOSE"):
		case near != "":
			out = append(out, "environment: "+name+" is no setting; did you mean "+near+"?")
		case strings.HasPrefix(name, "CLOSESYNC_"):
			out = append(out, "environment: "+name+" is no setting")
		}
	}
	return out
}

// layer turns the variables into settings. An empty variable counts as unset,
// as in docker compose files.
func (v variables) layer() settings {
	get := func(name, value string) setting {
		value = strings.TrimSpace(value)
		return setting{value: value, key: name, pos: Position{File: "environment"}, given: value != ""}
	}
	return settings{
		databaseURL: get("DATABASE_URL", v.DatabaseURL),
		webhookKey:  get("CLOSESYNC_WEBHOOK_KEY", v.WebhookKey),
		adminToken:  get("CLOSESYNC_ADMIN_TOKEN", v.AdminToken),
		listen:      get("CLOSESYNC_LISTEN", v.Listen),
		publicURL:   get("CLOSESYNC_PUBLIC_URL", v.PublicURL),
		dataDir:     get("CLOSESYNC_DATA_DIR", v.DataDir),
		logLevel:    get("CLOSESYNC_LOG_LEVEL", v.LogLevel),
		logFormat:   get("CLOSESYNC_LOG_FORMAT", v.LogFormat),
		baseURL:     get("CLOSE_BASE_URL", v.BaseURL),
		apiKey:      get("CLOSE_API_KEY", v.APIKey),
	}
}
