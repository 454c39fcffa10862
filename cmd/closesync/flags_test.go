package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// Other users of a machine can read the arguments of a process, so no flag
// takes a secret; those that name where one is are fine.
func TestSecurity_13_NoFlagTakesASecret(t *testing.T) {
	root := newRoot(&options{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	seen := 0
	check := func(f *pflag.Flag) {
		seen++
		if strings.HasSuffix(f.Name, "-env") || strings.HasSuffix(f.Name, "-file") {
			return
		}
		for _, word := range []string{"key", "token", "secret", "password", "database-url"} {
			require.NotContains(t, f.Name, word)
		}
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.Flags().VisitAll(check)
		c.PersistentFlags().VisitAll(check)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	require.Greater(t, seen, 20)
}
