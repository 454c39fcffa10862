package config

import (
	"time"
)

// fileLayer is what the config file says.
type fileLayer struct {
	settings
	connections []Connection
	schedule    struct{ events, search, audit setting }
	guards      Guards
	rate        Rate
	push        Push
	objects     map[string]Object
}

func defaultFileLayer() fileLayer {
	var f fileLayer
	f.schedule.events.value = "@every 15s"
	f.schedule.search.value = "*/5 * * * *"
	f.schedule.audit.value = "30 3 * * *"
	f.guards = Guards{MaxDeletes: 50, MaxDeletePercent: 10, MaxCreates: 1000, MaxClears: 50, Window: time.Hour}
	f.rate = Rate{ReservePercent: 20}
	f.push = Push{Verify: "fresh"}
	return f
}

func (f *fileLayer) read(root node) {
	root.keys(map[string]func(node){
		"connections":       func(n node) { f.connections = readConnections(n) },
		"schedule":          f.readSchedule,
		"guards":            f.readGuards,
		"rate":              f.readRate,
		"push":              f.readPush,
		"objects":           func(n node) { f.objects = readObjects(n) },
		"database_url":      f.databaseURL.from,
		"database_url_file": f.databaseURLFile.from,
		"webhook_key_file":  f.webhookKeyFile.from,
		"admin_token_file":  f.adminTokenFile.from,
		"listen":            f.listen.from,
		"public_url":        f.publicURL.from,
		"data_dir":          f.dataDir.from,
		"log_level":         f.logLevel.from,
		"log_format":        f.logFormat.from,
	})
}

func readConnections(n node) []Connection {
	var out []Connection
	for _, item := range n.items() {
		if !item.set() {
			item.bad("is empty", "write name and api_key_env")
			continue
		}
		c := Connection{Position: item.pos}
		item.keys(map[string]func(node){
			"name":         func(n node) { c.Name = n.text() },
			"api_key_env":  func(n node) { c.APIKeyEnv = n.text() },
			"api_key_file": func(n node) { c.APIKeyFile = n.text() },
			"base_url":     func(n node) { c.BaseURL = n.text() },
		})
		out = append(out, c)
	}
	return out
}

func (f *fileLayer) readSchedule(n node) {
	n.keys(map[string]func(node){
		"events": f.schedule.events.from,
		"search": f.schedule.search.from,
		"audit":  f.schedule.audit.from,
	})
}

// maxGuard keeps products of counts inside int32 on every platform.
const maxGuard = 1_000_000_000

func (f *fileLayer) readGuards(n node) {
	const count = "write a whole number, 0 or more"
	g := &f.guards
	n.keys(map[string]func(node){
		"max_deletes":        func(n node) { g.MaxDeletes = n.whole(g.MaxDeletes, 0, maxGuard, count) },
		"max_creates":        func(n node) { g.MaxCreates = n.whole(g.MaxCreates, 0, maxGuard, count) },
		"max_clears":         func(n node) { g.MaxClears = n.whole(g.MaxClears, 0, maxGuard, count) },
		"max_delete_percent": func(n node) { g.MaxDeletePercent = n.whole(g.MaxDeletePercent, 0, 100, "write 0 to 100") },
		"inbound_deletes": func(n node) {
			if n.set() {
				i := n.whole(0, 0, maxGuard, count)
				g.InboundDeletes = &i
			}
		},
		"window": func(n node) { g.Window = n.duration(g.Window) },
	})
}

func (f *fileLayer) readRate(n node) {
	n.keys(map[string]func(node){
		"reserve_percent": func(n node) {
			f.rate.ReservePercent = n.whole(f.rate.ReservePercent, 0, 90, "write 0 to 90")
		},
	})
}

func (f *fileLayer) readPush(n node) {
	n.keys(map[string]func(node){
		"verify": func(n node) {
			if w := n.word("fresh", "optimistic"); w != "" {
				f.push.Verify = w
			}
		},
	})
}
