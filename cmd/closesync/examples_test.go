package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// Every command shows how it is called, by lines that its own flags take.
func TestHelp_EveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	o := &options{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	root := newRoot(o)
	used := map[string]bool{}
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		path := strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), "closesync"))
		used[path] = true
		if strings.HasPrefix(path, "completion ") {
			return // cobra's own, which explain themselves
		}
		require.NotEmpty(t, c.Example, path)
		for line := range strings.Lines(c.Example) {
			_, args, ok := strings.Cut(line, "closesync ")
			require.True(t, ok, line)
			if path == "" || c.HasSubCommands() && c.Name() != "migrate" {
				continue
			}
			words := strings.Fields(args)
			found, rest, err := newRoot(o).Find(words)
			require.NoError(t, err, line)
			if found.CommandPath() != c.CommandPath() {
				continue // a step before or after it
			}
			var flags []string
			for _, w := range rest {
				if strings.HasPrefix(w, "--") {
					flags = append(flags, w)
				}
			}
			for _, f := range flags {
				name, _, _ := strings.Cut(strings.TrimPrefix(f, "--"), "=")
				require.True(t, found.Flags().Lookup(name) != nil || found.InheritedFlags().Lookup(name) != nil, "%s: %s", line, f)
			}
		}
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(root)
	for path := range examples {
		require.True(t, used[path], "examples of no command: %q", path)
	}
}
