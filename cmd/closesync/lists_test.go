package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// With --json a list is one array of objects that each have an id, whether it
// holds anything or not, and nothing else stands on stdout.
func TestLists_AsJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	empty := map[string]bool{"errors": true, "errors list": true, "conflicts": true, "conflicts list": true, "holds": true, "holds list": true, "webhook status": true}
	lists := [][]string{
		{"errors"}, {"errors", "list"}, {"conflicts"}, {"conflicts", "list"}, {"holds"}, {"holds", "list"}, {"plan"}, {"resync", "--dry-run"},
		{"resync"}, {"plan"}, {"history", "lead/1"}, {"why", "lead/1"}, {"webhook", "status"}, {"connection", "list"}, {"connection", "test"},
		{"mapping", "show"}, {"migrate", "status"}, {"check"}, {"mapping", "check"}, {"record", "search", "lead", "brackwater"},
		{"record", "filter", "lead", "--query", `{"type":"object_type","object_type":"lead"}`},
	}
	for i, args := range lists {
		got := w.run(append(args, "--json")...)
		require.Zero(t, got.code, "%v: %s", args, got.err)
		list := decode[[]map[string]any](t, got)
		require.NotNil(t, list, "%v: [] and not null", args)
		if name := args[0]; len(args) == 1 && empty[name] || len(args) > 1 && empty[name+" "+args[1]] || i == 9 || name == "history" {
			require.Empty(t, list, "%v", args)
			continue
		}
		require.NotEmpty(t, list, "%v", args)
		for _, item := range list {
			require.NotEmpty(t, item["id"], "%v: %v", args, item)
		}
	}
}
