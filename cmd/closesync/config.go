package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newConfigCommand(o *options) *cobra.Command {
	return group("config", "Settings", nil, &cobra.Command{
		Use: "show", Short: "Print the settings in force, without secrets", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			text, err := cfg.YAML()
			if err != nil {
				return err
			}
			for _, w := range cfg.Warnings {
				_, _ = fmt.Fprintln(o.err, "warning: "+w)
			}
			_, err = o.out.Write(text)
			return err
		},
	})
}
