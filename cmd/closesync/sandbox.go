package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"closesync/sync/closetest"
)

func newSandboxCommand(o *options) *cobra.Command {
	var listen, file string
	var leads int
	var seed uint64
	var control bool
	c := &cobra.Command{
		Use: "sandbox", Short: "Serve an imitation of Close", Args: cobra.NoArgs,
		Long: "Serve an imitation of Close, for trying closesync and for testing programs of your own. " +
			"On a loopback address its control API lies under /_control/ and asks for no key: with it a program plays the salesperson, breaks answers and sets limits. GET /_control/ lists the calls.",
		RunE: func(c *cobra.Command, _ []string) error {
			if leads < 0 {
				return usageError("--leads is a number of leads, 0 or more")
			}
			opt := closetest.Options{Seed: seed, Leads: leads, Control: control || isLoopback(listen)}
			return o.serveSandbox(c.Context(), listen, file, opt)
		},
	}
	// Shadows the root's --listen, which means closesync's own address.
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8088", "`address`")
	c.Flags().IntVar(&leads, "leads", 100, "leads at the start")
	c.Flags().Uint64Var(&seed, "seed", 1, "the same seed gives the same records")
	c.Flags().StringVar(&file, "file", "", "`file` that keeps the records from one start to the next")
	c.Flags().BoolVar(&control, "control", false, "serve the control API to other machines, too")
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
func (o *options) serveSandbox(ctx context.Context, listen, file string, opt closetest.Options) error {
	i, err := serveImitation(ctx, listen, file, opt)
	if err != nil {
		return err
	}
	defer i.stop()
	_, _ = fmt.Fprintf(o.out, "CLOSE_BASE_URL=%s\nCLOSE_API_KEY=%s\n", i.baseURL(), i.Key())
	_, _ = fmt.Fprintf(o.err, "An imitation of Close with %d leads answers at %s until Ctrl-C.\n"+
		"Set the two variables above and start: closesync run\n", i.Count("lead"), i.baseURL())
	if opt.Control {
		_, _ = fmt.Fprintf(o.err, "What a person would do in the app, and faults: %s lists the calls.\n", i.controlURL())
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-i.ended:
		return err
	}
}
