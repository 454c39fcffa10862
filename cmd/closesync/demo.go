package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"closesync/config"
	"closesync/sync/closetest"
)

// startSandbox puts an imitation of Close on a free port of this machine and
// points every connection at it.
func (r *runOptions) startSandbox(ctx context.Context, cfg *config.Config) (stop func(), err error) {
	imitation := closetest.New(closetest.Options{Seed: 1, Leads: 100, Control: true, Consolidation: time.Second})
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: imitation, ReadHeaderTimeout: 10 * time.Second}
	work, cancel := context.WithCancel(ctx)
	go imitation.Run(work)
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.logger(cfg).Error("the imitation of Close stopped", "error", err)
		}
	}()
	base := "http://" + l.Addr().String()
	for i := range cfg.Connections {
		cfg.Connections[i].BaseURL = base + "/api/v1"
		cfg.Connections[i].APIKey = config.NewSecret(imitation.Key())
	}
	r.logger(cfg).Info("an imitation of Close with 100 leads answers", "base_url", base+"/api/v1", "control", base+"/_control/")
	return func() {
		cancel()
		_ = server.Close()
	}, nil
}
