package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

func TestConnectionAddAndRemove(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{
		"a file without connections": "# mine\nlisten: 127.0.0.1:9000 # here\n",
		"a block list":               "connections:\n  # the first\n  - name: default\n    api_key_env: CLOSE_API_KEY # a comment\nlisten: 127.0.0.1:9000\n",
		"a flow list":                "listen: 127.0.0.1:9000\nconnections: [{name: default, api_key_env: CLOSE_API_KEY}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 0)
			file := filepath.Join(t.TempDir(), "closesync.yaml")
			require.NoError(t, os.WriteFile(file, []byte(before), 0o600))
			got := w.run("connection", "add", "second", "--api-key-env", "SECOND_KEY", "--config", file)
			require.Zero(t, got.code, got.err)
			type row struct {
				ID   string `json:"id"`
				From string `json:"key_from"`
			}
			want := []row{{"default", "CLOSE_API_KEY"}, {"second", "SECOND_KEY"}}
			require.Equal(t, want, decode[[]row](t, w.run("connection", "list", "--json", "--config", file)))
			require.Equal(t, 2, w.run("connection", "add", "second", "--api-key-env", "X", "--config", file).code, "the name is taken")
			require.Equal(t, want, decode[[]row](t, w.run("connection", "list", "--json", "--config", file)), "the file is left as it was")
			require.Zero(t, w.run("connection", "remove", "second", "--config", file).code)
			require.Equal(t, want[:1], decode[[]row](t, w.run("connection", "list", "--json", "--config", file)))
			require.Equal(t, 2, w.run("connection", "remove", "default", "--config", file).code)

			after, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, w.run("config", "show", "--config", file).out, "listen: 127.0.0.1:9000")
			if name == "a block list" {
				require.Contains(t, string(after), "# a comment")
			}
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		})
	}
}

// Two connections over the same tables take the capture from each other.
func TestConnectionsShareNoTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	file := filepath.Join(t.TempDir(), "closesync.yaml")
	one := "connections: [{name: default, api_key_env: CLOSE_API_KEY}]\n"
	require.NoError(t, os.WriteFile(file, []byte(one), 0o600))
	got := w.run("connection", "add", "second", "--api-key-env", "CLOSE_API_KEY", "--config", file)
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.err, "`closesync run` will refuse this file")
	require.Contains(t, got.err, "crm.leads")
	got = w.run("run", "--once", "--config", file)
	require.Equal(t, 2, got.code, got.err)
	require.Contains(t, got.err, "closesync connection remove")
	require.Zero(t, w.run("connection", "remove", "second", "--config", file).code)
}

func TestConnectionAddMakesTheFile(t *testing.T) {
	t.Parallel()
	text, err := addConnection(nil, yaml.MapSlice{{Key: "name", Value: "b"}, {Key: "api_key_env", Value: "B"}})
	require.NoError(t, err)
	require.Equal(t, "connections:\n  - name: default\n    api_key_env: CLOSE_API_KEY\n  - name: b\n    api_key_env: B\n", string(text))
}
