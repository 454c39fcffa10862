package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples are what --help shows for each command, by its path.
var examples = map[string][]string{
	"":                  {"closesync --sandbox", "CLOSE_API_KEY=api_… DATABASE_URL=postgres://… closesync run"},
	"run":               {"closesync run --sandbox", "closesync run --once", "closesync run --resync lead,lead_4ZQ…"},
	"resync":            {"closesync resync", "closesync resync contact lead_4ZQ…", "closesync resync --dry-run --json"},
	"plan":              {"closesync plan", "closesync plan lead --out plan.json"},
	"apply":             {"closesync plan --out plan.json", "closesync apply plan.json"},
	"status":            {"closesync status", "closesync status --json --wait-idle 30s"},
	"check":             {"closesync check"},
	"migrate":           {"closesync migrate up"},
	"migrate down":      {"closesync migrate down"},
	"migrate status":    {"closesync migrate status --json"},
	"conflicts":         {"closesync conflicts", "closesync conflicts resolve 7 --take local"},
	"conflicts list":    {"closesync conflicts list", "closesync conflicts list --all --json"},
	"conflicts show":    {"closesync conflicts show 7"},
	"conflicts resolve": {"closesync conflicts resolve 7 --take close", "closesync conflicts resolve 7 --take value='Acme Inc.'"},
	"errors":            {"closesync errors", "closesync errors retry --all"},
	"errors list":       {"closesync errors list --json"},
	"errors retry":      {"closesync errors retry 12 lead_4ZQ…", "closesync errors retry --all"},
	"holds":             {"closesync holds", "closesync holds approve 3"},
	"holds list":        {"closesync holds list --all"},
	"holds approve":     {"closesync holds approve 3"},
	"holds reject":      {"closesync holds reject 3"},
	"history":           {"closesync history lead_4ZQ…", "closesync history contact/12 --json"},
	"why":               {"closesync why lead_4ZQ…", "closesync why opportunity/7"},
	"pause":             {"closesync pause", "closesync pause --direction to_close"},
	"resume":            {"closesync resume"},
	"record":            {"closesync record get lead lead_4ZQ…"},
	"record get":        {"closesync record get lead lead_4ZQ… --fields name,status_label"},
	"record create":     {`closesync record create lead --data '{"name":"Acme"}'`, "closesync record create contact --data @contact.json"},
	"record update":     {`closesync record update lead lead_4ZQ… --data '{"name":"Acme Inc."}'`},
	"record delete":     {"closesync record delete opportunity oppo_8XW…"},
	"record search":     {"closesync record search lead acme", "closesync record search contact 'ada by' --mode beginning_of_words --json"},
	"record filter":     {"closesync record filter lead --query @f.json --fields name,custom"},
	"request":           {"closesync request GET '/lead/?_limit=1'", `closesync request POST /task/ --data '{"lead_id":"lead_4ZQ…","text":"Call"}'`},
	"webhook":           {"closesync webhook status"},
	"webhook status":    {"closesync webhook status --json"},
	"webhook ensure":    {"CLOSESYNC_PUBLIC_URL=https://sync.example.com closesync webhook ensure"},
	"webhook rotate":    {"closesync webhook rotate"},
	"webhook delete":    {"closesync webhook delete"},
	"connection":        {"closesync connection list"},
	"connection list":   {"closesync connection list --json"},
	"connection add":    {"closesync connection add emea --api-key-env CLOSE_API_KEY_EMEA"},
	"connection remove": {"closesync connection remove emea"},
	"connection test":   {"closesync connection test", "closesync connection test emea"},
	"mapping":           {"closesync mapping show"},
	"mapping show":      {"closesync mapping show --json"},
	"mapping check":     {"closesync mapping check"},
	"mapping init":      {"closesync mapping init", "closesync mapping init --create-marker --config new.yaml"},
	"adopt":             {"closesync adopt", "closesync adopt --yes"},
	"sandbox":           {"closesync sandbox --leads 1000 --listen 127.0.0.1:8088"},
	"config":            {"closesync config show"},
	"config show":       {"closesync config show --config closesync.yaml"},
	"healthcheck":       {"closesync healthcheck"},
	"version":           {"closesync version"},
	"completion":        {"closesync completion bash > /etc/bash_completion.d/closesync"},
}

// addExamples gives each command its examples, unless it has some.
func addExamples(c *cobra.Command, path string) {
	if c.Example == "" {
		for i, line := range examples[path] {
			if i > 0 {
				c.Example += "\n"
			}
			c.Example += "  " + line
		}
	}
	for _, sub := range c.Commands() {
		addExamples(sub, strings.TrimSpace(path+" "+sub.Name()))
	}
}
