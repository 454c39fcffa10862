package config

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// load reads settings from a map of files, never from the machine.
func load(file string, environ []string, args map[string]string, more ...string) (*Config, error) {
	files := map[string]string{}
	if file != "" {
		files[filepath.Join("/etc/c", FileName)] = file
	}
	for i := 0; i+1 < len(more); i += 2 {
		files[more[i]] = more[i+1]
	}
	return Load(Source{Args: args, Environ: environ, Dir: "/etc/c", ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}})
}

const full = `
connections:
  - name: default
    api_key_env: OTHER_KEY
  - name: second
    api_key_file: keys/second
    base_url: https://eu.example/api/v1/
schedule:
  events: "@every 5s"
  search: "*/2 * * * *"
  audit:  "0 4 * * 0"
guards: {max_deletes: 0, max_delete_percent: 100, max_creates: 7, max_clears: 3, inbound_deletes: 0, window: 10m}
rate:   {reserve_percent: 35}
push:   {verify: optimistic}
objects:
  lead:
    table: crm.accounts
    key: id
    close_id: close_id
    direction: from_close
    conflict: manual
    on_close_delete: flag:gone
    on_local_delete: ignore
    filter: {type: and, queries: [{type: match_all}, {type: id, value: 12345678901234567890}], negate: false}
    match: [name, url]
    external_id_field: custom.cf_ext
    fields:
      - {close: name, column: company_name}
      - close: custom.cf_Hk2
        column: tier
        conflict: local
  contact: {enabled: false}
`

func TestLoad_Defaults(t *testing.T) {
	c, err := load("", []string{"HOME=/home/ada"}, nil)
	require.NoError(t, err)
	require.Equal(t, []Connection{{Name: "default", APIKeyEnv: "CLOSE_API_KEY", BaseURL: DefaultBaseURL}}, c.Connections)
	require.Equal(t, "127.0.0.1:8080", c.Listen)
	require.True(t, c.ListenIsLoopback())
	require.Equal(t, Schedule{Events: "@every 15s", Search: "*/5 * * * *", Audit: "30 3 * * *"}, c.Schedule)
	require.Equal(t, Guards{MaxDeletes: 50, MaxDeletePercent: 10, MaxCreates: 1000, MaxClears: 50, Window: time.Hour}, c.Guards)
	require.Equal(t, 20, c.Rate.ReservePercent)
	require.Equal(t, "fresh", c.Push.Verify)
	require.Equal(t, slog.LevelInfo, c.LogLevel)
	require.Equal(t, "json", c.LogFormat)
	require.Nil(t, c.Objects)
	require.Empty(t, c.Warnings)
	require.Empty(t, c.File)
	require.Contains(t, c.DataDir, "closesync")
}

func TestLoad_WholeFile(t *testing.T) {
	c, err := load(full, []string{"OTHER_KEY=api_one", "CLOSE_API_KEY=unused"}, nil, "/etc/c/keys/second", "api_two\n")
	require.NoError(t, err)
	require.Equal(t, "api_one", c.Connections[0].APIKey.Reveal())
	require.Equal(t, "api_two", c.Connections[1].APIKey.Reveal())
	require.Equal(t, "https://eu.example/api/v1", c.Connections[1].BaseURL)
	zero := 0
	require.Equal(t, Guards{MaxDeletes: 0, MaxDeletePercent: 100, MaxCreates: 7, MaxClears: 3, InboundDeletes: &zero, Window: 10 * time.Minute}, c.Guards)

	lead := c.Objects["lead"]
	require.JSONEq(t, `{"type":"and","queries":[{"type":"match_all"},{"type":"id","value":12345678901234567890}],"negate":false}`, string(lead.Filter))
	require.Contains(t, string(lead.Filter), "12345678901234567890", "digits survive")
	require.Equal(t, []string{"name", "url"}, lead.Match)
	require.Equal(t, "flag:gone", lead.OnCloseDelete)
	require.Len(t, lead.Fields, 2)
	require.Equal(t, Field{Position: Position{FileName, 29}, Close: "custom.cf_Hk2", Column: "tier", Conflict: "local"}, lead.Fields[1])
	require.Equal(t, Position{FileName, 17}, lead.At("table"))
	require.Equal(t, lead.Position, lead.At("enabled"))
	require.False(t, *c.Objects["contact"].Enabled)
}

func TestLoad_Precedence(t *testing.T) {
	file := "listen: 127.0.0.1:1\nlog_level: debug\ndata_dir: state\n"
	c, err := load(file, nil, nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1", c.Listen)
	require.Equal(t, filepath.Join("/etc/c", "state"), c.DataDir)

	c, err = load(file, []string{"CLOSESYNC_LISTEN=127.0.0.1:2", "CLOSESYNC_LOG_LEVEL="}, nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:2", c.Listen)
	require.Equal(t, slog.LevelDebug, c.LogLevel, "an empty variable is unset")

	c, err = load(file, []string{"CLOSESYNC_LISTEN=127.0.0.1:2"}, map[string]string{FlagListen: "127.0.0.1:3"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3", c.Listen)

	c, err = load("connections: [{name: default, base_url: 'https://a.example'}, {name: b, api_key_env: B, base_url: 'https://b.example'}, {name: c, api_key_env: C}]",
		[]string{"CLOSE_BASE_URL=http://localhost:9/api/v1/"}, nil)
	require.NoError(t, err)
	require.Equal(t, "http://localhost:9/api/v1", c.Connections[0].BaseURL, "environment over file")
	require.Equal(t, "https://b.example", c.Connections[1].BaseURL)
	require.Equal(t, "http://localhost:9/api/v1", c.Connections[2].BaseURL)

	c, err = load("", nil, map[string]string{FlagConfig: "my.yaml"}, "/etc/c/my.yaml", "listen: localhost:4")
	require.NoError(t, err)
	require.Equal(t, filepath.Join("/etc/c", "my.yaml"), c.File)
}

func TestLoad_ContractExample(t *testing.T) {
	c, err := load(`connections:
  - name: default
    api_key_env: CLOSE_API_KEY        # or api_key_file
schedule:                             # robfig/cron expressions, 5 fields or @every
  events: "@every 15s"                # follow the event log
guards: {max_deletes: 50, max_delete_percent: 10, max_creates: 1000}
rate:   {reserve_percent: 20}         # share of each Close limit left to others
objects:
  lead:
    filter: null                      # everything
    match: []
    fields:
      - {close: name, column: company_name}
  contact: {enabled: true}            # false switches an object off
`, nil, nil)
	require.NoError(t, err)
	require.Nil(t, c.Objects["lead"].Filter)
	require.Equal(t, 9, c.Objects["lead"].Line)
}

// Each bad input is refused with its line and key, and with nothing else.
func TestFault_D15_BadConfig(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"unknown key", "guard: {max_deletes: 1}", "closesync.yaml:1: guard: unknown key; did you mean guards?"},
		{"unknown nested", "guards:\n  max_delete: 1", "closesync.yaml:2: guards.max_delete: unknown key; did you mean max_deletes?"},
		{"key in the file", "connections:\n- name: default\n  api_key: CANARY", "closesync.yaml:3: connections[0].api_key: unknown key; keys are not written in the file"},
		{"twice", "listen: 'a:1'\nlisten: 'b:1'", "closesync.yaml:2: listen: is written twice"},
		{"text for a number", "guards:\n  max_deletes: CANARY", "closesync.yaml:2: guards.max_deletes: must be a whole number"},
		{"fraction", "guards: {max_deletes: 1.5}", "guards.max_deletes: must be a whole number"},
		{"negative", "guards: {max_creates: -1}", "guards.max_creates: is out of range"},
		{"beyond int", "guards: {max_creates: 99999999999999999999}", "guards.max_creates: must be a whole number"},
		{"percent", "guards: {max_delete_percent: 101}", "guards.max_delete_percent: is out of range"},
		{"window", "guards: {window: 0s}", "guards.window: is no length of time"},
		{"window a number", "guards: {window: 5}", "guards.window: must be text"},
		{"reserve", "rate: {reserve_percent: 100}", "rate.reserve_percent: is out of range"},
		{"verify", "push: {verify: sometimes}", "push.verify: is none of the possible values; use fresh or optimistic"},
		{"list for a mapping", "guards: [1]", "guards: must hold keys"},
		{"mapping for a list", "connections: {name: a}", "connections: must be a list"},
		{"text for all", "CANARY", "closesync.yaml:1: must hold keys"},
		{"number for text", "listen: 8080", "listen: must be text"},
		{"port", "listen: 127.0.0.1:99999", "listen: has no port"},
		{"half an address", "listen: 999.1:1", "listen: is no address"},
		{"no port", "listen: 127.0.0.1", "listen: is no address"},
		{"cron", "schedule: {events: hourly}", "schedule.events: is no schedule"},
		{"cron six fields", "schedule: {events: '* * * * * *'}", "schedule.events: is no schedule"},
		{"cron never", "schedule: {audit: '0 0 30 2 *'}", "schedule.audit: is no schedule"},
		{"cron zone alone", "schedule: {audit: 'TZ=UTC'}", "schedule.audit: is no schedule"},
		{"cron zone alone, blank", "schedule: {audit: 'CRON_TZ=UTC '}", "schedule.audit: is no schedule"},
		{"cron zone unknown", "schedule: {audit: 'TZ=Mars/X 0 0 * * *'}", "schedule.audit: is no schedule"},
		{"cron empty", "schedule: {audit: ''}", "schedule.audit: is no schedule"},
		{"every zero", "schedule: {events: '@every 0s'}", "schedule.events: is no schedule"},
		{"public http", "public_url: http://sync.example", "public_url: is http; use https"},
		{"public relative", "public_url: sync.example", "public_url: is no absolute URL"},
		{"public query", "public_url: https://a/?x=1", "public_url: has a query"},
		{"public password", "public_url: https://u:CANARY@a/", "public_url: holds a user or password"},
		{"public ftp", "public_url: ftp://a/", "public_url: is neither https nor http"},
		{"loopback look-alike", "public_url: http://localhost.evil.example", "public_url: is http"},
		{"base http", "connections: [{name: default, base_url: 'http://10.0.0.1'}]", "base_url: is http"},
		{"database", "database_url: mysql://CANARY@h/d", "database_url: is no Postgres connection string"},
		{"database escape", "database_url: 'postgres://u:CANARY%zz@h/d'", "database_url: is no valid URL"},
		{"two without a name", "connections: [{api_key_env: K}, {api_key_env: L}]", "connections.name: is used twice"},
		{"bad name", "connections: [{name: 'A b', api_key_env: K}]", "connections.name: is no plain name"},
		{"name twice", "connections:\n- {name: a, api_key_env: K}\n- {name: a, api_key_env: K}", "closesync.yaml:3: connections.name: is used twice"},
		{"no key source", "connections: [{name: a}]", "connections.api_key_env: is missing"},
		{"both sources", "connections: [{name: a, api_key_env: K, api_key_file: f}]", "stands beside api_key_file"},
		{"key as variable", "connections: [{name: a, api_key_env: 'api_CANARY.x'}]", "is no name of an environment variable"},
		{"file absent", "connections: [{name: a, api_key_file: nowhere}]", "connections.api_key_file: cannot be read: no such file"},
		{"log level", "log_level: loud", "log_level: is no log level"},
		{"log format", "log_format: xml", "log_format: is no log format"},
		{"direction", "objects:\n  lead:\n    direction: up", "closesync.yaml:3: objects.lead.direction: is none of the possible values; use both, from_close or to_close"},
		{"conflict", "objects: {lead: {conflict: mine}}", "objects.lead.conflict: is none of"},
		{"delete rule", "objects: {lead: {on_close_delete: drop}}", "objects.lead.on_close_delete: is none of"},
		{"flag without column", "objects: {lead: {on_close_delete: 'flag:'}}", "objects.lead.on_close_delete: names no column"},
		{"enabled", "objects: {lead: {enabled: maybe}}", "objects.lead.enabled: must be true or false"},
		{"table", "objects: {lead: {table: a.b.c}}", "objects.lead.table: is no table name"},
		{"filter list", "objects: {lead: {filter: [1]}}", "objects.lead.filter: must be one query"},
		{"filter text", "objects: {lead: {filter: 'status:open'}}", "objects.lead.filter: must be JSON"},
		{"filter number", "objects: {lead: {filter: {a: 0x1F}}}", "objects.lead.filter.a: is a number JSON does not know"},
		{"field incomplete", "objects:\n  lead:\n    fields:\n      - {close: name}", "closesync.yaml:4: objects.lead.fields[0]: needs both close and column"},
		{"two fields, one column", "objects:\n  lead:\n    fields:\n      - {close: name, column: x}\n      - {close: url, column: x}", "closesync.yaml:5: objects.lead.fields: column x is used twice, by name and by url"},
		{"one field twice", "objects: {lead: {fields: [{close: a, column: x}, {close: a, column: y}]}}", "field a is mapped twice"},
		{"column of close_id", "objects: {lead: {close_id: x, fields: [{close: a, column: x}]}}", "column x is used twice, by close_id and by a"},
		{"key is close_id", "objects: {lead: {close_id: x, key: x}}", "objects.lead.key: is the column of close_id too"},
		{"long column", "objects: {lead: {key: " + strings.Repeat("k", 64) + "}}", "objects.lead.key: is longer than the 63 bytes"},
		{"syntax", "a: [1,", "closesync.yaml:1: not valid YAML"},
		{"tabs", "guards:\n\tmax_deletes: 1", "not valid YAML"},
		{"two documents", "listen: 'a:1'\n---\nlisten: 'b:1'", "holds more than one document"},
		{"anchor", "guards: &g {max_deletes: 1}", "guards: must hold keys"},
		{"control character", `listen: "a\u0007:1"`, "listen: holds control characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(c.file, nil, nil)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Len(t, e.Problems, 1, "%v", err)
			require.Contains(t, err.Error(), c.want)
			require.NotContains(t, err.Error(), "CANARY")
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestFault_D15_AllProblemsAtOnce(t *testing.T) {
	_, err := load("listen: 1\nguards: {max_deletes: x}\nobjects:\n  lead:\n    direction: up\n",
		[]string{"CLOSESYNC_WEBHOOK_KEY=zz", "CLOSESYNC_PUBLIC_URL=http://a.example", "CLOSESYNC_ADMIN_TOKEN=a b", "DATABASE_URL=CANARY"},
		map[string]string{FlagLogLevel: "loud", "api-key": "CANARY"})
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Problems, 9, "%v", err)
	for _, want := range []string{"closesync.yaml:1: listen", "closesync.yaml:5: objects.lead.direction",
		"environment: CLOSESYNC_WEBHOOK_KEY", "environment: DATABASE_URL", "flag: --log-level", "flag: --api-key: unknown flag"} {
		require.Contains(t, err.Error(), want)
	}
	require.NotContains(t, err.Error(), "CANARY")
}

func TestFault_D15_NamedFileMustExist(t *testing.T) {
	_, err := load("", []string{"CLOSESYNC_CONFIG=gone.yaml"}, nil)
	require.ErrorContains(t, err, "environment: CLOSESYNC_CONFIG: the config file cannot be read: no such file")
}

func TestParseSchedule(t *testing.T) {
	from := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for expr, want := range map[string]string{
		"30 3 * * *":                      "2026-11-02T03:30:00Z",
		"@every 15s":                      "2026-11-01T12:00:15Z",
		"@daily":                          "2026-11-02T00:00:00Z",
		"TZ=Europe/Berlin 30 3 * * *":     "2026-11-02T02:30:00Z",
		"  0  0 29 2 * ":                  "2028-02-29T00:00:00Z",
		"CRON_TZ=America/New_York @daily": "2026-11-02T05:00:00Z",
	} {
		s, ok := ParseSchedule(expr)
		require.True(t, ok, expr)
		require.Equal(t, want, s.Next(from).UTC().Format(time.RFC3339), expr)
	}
}

func TestSecret_NeverPrinted(t *testing.T) {
	const canary = "CANARY-0123456789"
	c, err := load("database_url: postgres://u:"+canary+"@h/d\nadmin_token_file: tok\n",
		[]string{"CLOSE_API_KEY=" + canary, "CLOSESYNC_WEBHOOK_KEY=" + strings.Repeat("ab", 32)}, nil, "/etc/c/tok", canary)
	require.NoError(t, err)
	require.Equal(t, canary, c.AdminToken.Reveal())

	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "config", c, "secret", c.AdminToken)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "config", c, "secret", c.AdminToken)
	asJSON, err := json.Marshal(c)
	require.NoError(t, err)
	asYAML, err := c.YAML()
	require.NoError(t, err)
	all := logged.String() + string(asJSON) + string(asYAML)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb+verb, *c, c.AdminToken)
	}
	require.NotContains(t, all, "CANARY")
	require.NotContains(t, all, fmt.Sprintf("%x", canary))
	require.NotContains(t, all, "abababab")
	require.Contains(t, string(asYAML), "# admin_token: [redacted]")
}

// What is printed is a file that gives the same settings again.
func TestYAML_RoundTrip(t *testing.T) {
	first, err := load(full, []string{"OTHER_KEY=api_one"}, nil, "/etc/c/keys/second", "api_two")
	require.NoError(t, err)
	text, err := first.YAML()
	require.NoError(t, err)
	second, err := load(string(text), []string{"OTHER_KEY=api_one"}, nil, "/etc/c/keys/second", "api_two")
	require.NoError(t, err, "%s", text)
	again, err := second.YAML()
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
	require.JSONEq(t, string(first.Objects["lead"].Filter), string(second.Objects["lead"].Filter))
	require.Equal(t, first.Guards, second.Guards)
}

func TestWarnings(t *testing.T) {
	c, err := load("", []string{"CLOSESYNC_LISTEN=:8080"}, nil)
	require.NoError(t, err)
	require.False(t, c.ListenIsLoopback())
	require.Len(t, c.Warnings, 1)
	c, err = load("", []string{"CLOSESYNC_ADMIN_TOKEN=short"}, nil)
	require.NoError(t, err)
	require.Len(t, c.Warnings, 1)
	require.NotContains(t, c.Warnings[0], "short:")
}
