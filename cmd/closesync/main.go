// Command closesync keeps Close and Postgres the same, in both directions.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	noCoreDumps()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	code := execute(ctx, &options{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs one command line and gives its exit code.
func execute(ctx context.Context, o *options, args []string) int {
	root := newRoot(o)
	root.SetArgs(args)
	err := o.lackingRight(root.ExecuteContext(ctx))
	if err != nil && err.Error() != "" {
		_, _ = fmt.Fprintln(o.err, "closesync: "+err.Error())
	}
	return exitCode(err, o.began)
}
