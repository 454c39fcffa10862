package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"closesync/config"
	"closesync/sync/closetest"
)

// imitation is an imitation of Close that answers on an address.
type imitation struct {
	*closetest.Server
	origin string // http://host:port, as this machine reaches it
	ended  chan error
	stop   func()
}

// serveImitation answers on listen until stop is called. A file keeps what
// happens from one start to the next; "" keeps nothing.
func serveImitation(ctx context.Context, listen, file string, opt closetest.Options) (*imitation, error) {
	var server *closetest.Server
	if file == "" {
		server = closetest.New(opt)
	} else {
		var err error
		if server, err = closetest.Open(file, opt); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		_ = server.Close()
		return nil, err
	}
	front := http.NewServeMux()
	front.Handle("/", server)
	front.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	h := &http.Server{Handler: front, ReadHeaderTimeout: 10 * time.Second}
	work, cancel := context.WithCancel(ctx)
	i := &imitation{Server: server, origin: localURL(l.Addr().String()), ended: make(chan error, 1)}
	ran := make(chan struct{})
	go func() { defer close(ran); server.Run(work) }()
	go func() { i.ended <- h.Serve(l) }()
	i.stop = func() {
		cancel()
		end, done := context.WithTimeout(context.WithoutCancel(work), 2*time.Second)
		defer done()
		if h.Shutdown(end) != nil {
			_ = h.Close()
		}
		<-ran
		_ = server.Close()
	}
	return i, nil
}

func (i *imitation) baseURL() string { return i.origin + "/api/v1" }

func (i *imitation) controlURL() string { return i.origin + "/_control/" }

// startSandbox starts an imitation of Close and points every connection at it.
// Beside an embedded Postgres it keeps its records: a mirror that outlives what
// it mirrors would be of no use. With a database of one's own it begins anew.
func (r *runOptions) startSandbox(ctx context.Context, cfg *config.Config) (*imitation, error) {
	file := ""
	if cfg.DatabaseURL.IsZero() {
		dir, err := dataDir(cfg)
		if err != nil {
			return nil, err
		}
		file = filepath.Join(dir, "sandbox.jsonl")
	}
	i, err := serveImitation(ctx, r.sandboxListen, file, closetest.Options{Seed: 1, Leads: 100, Control: true, Consolidation: time.Second})
	if err != nil {
		return nil, err
	}
	for n := range cfg.Connections {
		cfg.Connections[n].BaseURL = i.baseURL()
		cfg.Connections[n].APIKey = config.NewSecret(i.Key())
	}
	r.logger(cfg).Info("an imitation of Close answers", "leads", i.Count("lead"), "base_url", i.baseURL(), "control", i.controlURL())
	return i, nil
}

// whereToLook tells a person who tries closesync what to try.
func (r *runOptions) whereToLook(a *app, dashboard string) {
	db := a.pool.Config().ConnConfig
	psql := fmt.Sprintf("psql -h %s -p %d -U %s %s", db.Host, db.Port, db.User, db.Database)
	if a.cfg.LogFormat != "text" {
		a.log.Info("the database", "psql", psql)
		return
	}
	settings := []string{"CLOSE_BASE_URL=" + r.imitation.baseURL(), "CLOSE_API_KEY=" + r.imitation.Key()}
	if dir, err := filepath.Abs(a.cfg.DataDir); err == nil && a.cfg.DatabaseURL.IsZero() && a.cfg.DataDir != "" {
		settings = append(settings, "CLOSESYNC_DATA_DIR="+dir)
	}
	program, err := os.Executable()
	if err != nil {
		program = "closesync"
	}
	_, _ = fmt.Fprintf(r.err, `
  Dashboard   %s
  Database    %s
              UPDATE crm.leads SET name = 'Edited here' WHERE id = 1;
  Close       %s plays the salesperson, for instance:
              curl -s %slist -d '{"object_type":"lead"}' | head -c 400
  Commands    export %s
              %s status
  Ctrl-C ends it; the next start goes on from here.

`, dashboard, psql, r.imitation.controlURL(), r.imitation.controlURL(), strings.Join(settings, " "), program)
}
