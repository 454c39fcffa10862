package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"closesync/sync/closetest"
)

func newSandboxCommand(o *options) *cobra.Command {
	var listen string
	var leads int
	var seed uint64
	c := &cobra.Command{
		Use: "sandbox", Short: "Serve an imitation of Close", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return o.serveSandbox(c.Context(), listen, closetest.Options{Seed: seed, Leads: leads, Control: isLoopback(listen)})
		},
	}
	// Shadows the root's --listen, which means closesync's own address.
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8088", "`address`")
	c.Flags().IntVar(&leads, "leads", 100, "leads at the start")
	c.Flags().Uint64Var(&seed, "seed", 1, "the same seed gives the same records")
	return c
}

// isLoopback decides about the control API, which asks for no key.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// serveSandbox serves until ctx ends.
func (o *options) serveSandbox(ctx context.Context, listen string, opt closetest.Options) error {
	imitation := closetest.New(opt)
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: imitation, ReadHeaderTimeout: 10 * time.Second}
	url := "http://" + l.Addr().String() + "/api/v1"
	_, _ = fmt.Fprintf(o.out, "CLOSE_BASE_URL=%s\nCLOSE_API_KEY=%s\n", url, imitation.Key())
	_, _ = fmt.Fprintf(o.err, "An imitation of Close with %d leads answers at %s until Ctrl-C.\n"+
		"Set the two variables above and start: closesync run\n", opt.Leads, url)
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	ran := make(chan struct{})
	go func() { defer close(ran); imitation.Run(work) }()
	go func() {
		<-work.Done()
		end, stop := context.WithTimeout(context.WithoutCancel(work), 2*time.Second)
		defer stop()
		_ = server.Shutdown(end)
	}()
	err = server.Serve(l)
	cancel()
	<-ran
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
