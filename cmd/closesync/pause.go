package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newPauseCommand(o *options) *cobra.Command {
	return o.pauseCommand("pause", "Stop writing, in one direction or both; what changes waits", true)
}

func newResumeCommand(o *options) *cobra.Command {
	return o.pauseCommand("resume", "Go on after a pause", false)
}

func (o *options) pauseCommand(use, short string, paused bool) *cobra.Command {
	var direction string
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: o.deciding(func(ctx context.Context, s *session, _ []string) error {
			if direction != "" && direction != "to_close" && direction != "from_close" {
				return usageError("--direction is to_close or from_close")
			}
			for _, m := range s.stores {
				if err := m.SetPause(ctx, direction, paused); err != nil {
					return err
				}
				_, _ = fmt.Fprintf(o.err, "connection %s: %s done\n", m.Name, use)
			}
			return nil
		}),
	}
	c.Flags().StringVar(&direction, "direction", "", "`to_close` or from_close; both without it")
	return c
}
