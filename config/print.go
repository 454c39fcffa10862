package config

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// YAML prints the effective settings in the form of the config file, with
// every secret as "[redacted]". Secrets that the file has no key for appear as
// comments, so that the output can be used as a file.
func (c *Config) YAML() ([]byte, error) {
	doc := yaml.MapSlice{
		{Key: "connections", Value: c.connectionsDoc()},
		{Key: "listen", Value: c.Listen},
		{Key: "public_url", Value: c.PublicURL},
		{Key: "data_dir", Value: c.DataDir},
		{Key: "log_level", Value: strings.ToLower(c.LogLevel.String())},
		{Key: "log_format", Value: c.LogFormat},
		{Key: "schedule", Value: yaml.MapSlice{
			{Key: "events", Value: c.Schedule.Events},
			{Key: "search", Value: c.Schedule.Search},
			{Key: "audit", Value: c.Schedule.Audit},
		}},
		{Key: "guards", Value: c.guardsDoc()},
		{Key: "rate", Value: yaml.MapSlice{{Key: "reserve_percent", Value: c.Rate.ReservePercent}}},
		{Key: "push", Value: yaml.MapSlice{{Key: "verify", Value: c.Push.Verify}}},
	}
	if len(c.Objects) > 0 {
		doc = append(doc, yaml.MapItem{Key: "objects", Value: c.objectsDoc()})
	}
	body, err := yaml.MarshalWithOptions(doc, yaml.IndentSequence(true))
	if err != nil {
		return nil, err
	}
	return append([]byte(c.secretsComment()), body...), nil
}

func (c *Config) secretsComment() string {
	var b strings.Builder
	file := c.File
	if file == "" {
		file = "none"
	}
	b.WriteString("# config file: " + strings.ReplaceAll(file, "\n", " ") + "\n")
	for _, s := range []struct {
		name  string
		value Secret
	}{{"database_url", c.DatabaseURL}, {"webhook_key", c.WebhookKey}, {"admin_token", c.AdminToken}} {
		state := "not set"
		if !s.value.IsZero() {
			state = redacted
		}
		b.WriteString("# " + s.name + ": " + state + "\n")
	}
	for _, conn := range c.Connections {
		if conn.APIKey.IsZero() {
			b.WriteString("# connection " + conn.Name + " has no API key\n")
		}
	}
	return b.String()
}

func (c *Config) connectionsDoc() []yaml.MapSlice {
	var out []yaml.MapSlice
	for _, conn := range c.Connections {
		item := yaml.MapSlice{{Key: "name", Value: conn.Name}}
		if conn.APIKeyFile != "" {
			item = append(item, yaml.MapItem{Key: "api_key_file", Value: conn.APIKeyFile})
		} else {
			item = append(item, yaml.MapItem{Key: "api_key_env", Value: conn.APIKeyEnv})
		}
		out = append(out, append(item, yaml.MapItem{Key: "base_url", Value: conn.BaseURL}))
	}
	return out
}

func (c *Config) guardsDoc() yaml.MapSlice {
	g := yaml.MapSlice{
		{Key: "max_deletes", Value: c.Guards.MaxDeletes},
		{Key: "max_delete_percent", Value: c.Guards.MaxDeletePercent},
		{Key: "max_creates", Value: c.Guards.MaxCreates},
		{Key: "max_clears", Value: c.Guards.MaxClears},
		{Key: "window", Value: c.Guards.Window.String()},
	}
	if c.Guards.InboundDeletes != nil {
		g = append(g, yaml.MapItem{Key: "inbound_deletes", Value: *c.Guards.InboundDeletes})
	}
	return g
}

func (c *Config) objectsDoc() yaml.MapSlice {
	var out yaml.MapSlice
	for _, name := range slices.Sorted(maps.Keys(c.Objects)) {
		out = append(out, yaml.MapItem{Key: name, Value: objectDoc(c.Objects[name])})
	}
	return out
}

func objectDoc(o Object) yaml.MapSlice {
	doc := yaml.MapSlice{{Key: "enabled", Value: o.Enabled == nil || *o.Enabled}}
	for _, kv := range [][2]string{
		{"table", o.Table}, {"key", o.Key}, {"close_id", o.CloseID}, {"direction", o.Direction},
		{"conflict", o.Conflict}, {"on_close_delete", o.OnCloseDelete}, {"on_local_delete", o.OnLocalDelete},
		{"external_id_field", o.ExternalIDField},
	} {
		if kv[1] != "" {
			doc = append(doc, yaml.MapItem{Key: kv[0], Value: kv[1]})
		}
	}
	if o.Filter != nil {
		doc = append(doc, yaml.MapItem{Key: "filter", Value: compactJSON(o.Filter)})
	}
	if len(o.Match) > 0 {
		doc = append(doc, yaml.MapItem{Key: "match", Value: o.Match})
	}
	if o.Fields != nil {
		doc = append(doc, yaml.MapItem{Key: "fields", Value: fieldsDoc(o.Fields)})
	}
	return doc
}

func fieldsDoc(fields []Field) []yaml.MapSlice {
	out := []yaml.MapSlice{}
	for _, f := range fields {
		item := yaml.MapSlice{{Key: "close", Value: f.Close}, {Key: "column", Value: f.Column}}
		if f.Conflict != "" {
			item = append(item, yaml.MapItem{Key: "conflict", Value: f.Conflict})
		}
		out = append(out, item)
	}
	return out
}

// compactJSON prints a filter as JSON text, which the reader takes back.
func compactJSON(raw []byte) string {
	var v json.RawMessage = raw
	out, err := json.Marshal(v)
	if err != nil {
		return string(raw)
	}
	return string(out)
}
