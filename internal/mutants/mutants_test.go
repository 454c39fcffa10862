package main

import (
	"maps"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMutants_AllFortyAreThere(t *testing.T) {
	list := all()
	require.Len(t, list, 40)
	for i, m := range list {
		require.Equal(t, i+1, m.N)
		require.Equal(t, m.None == "", len(m.Edits) > 0 && m.Package != "" && m.Run != "" && m.Why != "", "mutant %d", m.N)
	}
}

// Those that edit different files are built together.
func TestMutants_EachAppliesAndCompiles(t *testing.T) {
	root, err := absolute("../..")
	require.NoError(t, err)
	var groups []map[string]string
	for _, m := range all() {
		files, err := m.apply(root)
		require.NoError(t, err)
		groups = join(groups, files)
	}
	for _, files := range groups {
		over, err := overlay(root, t.TempDir(), files)
		require.NoError(t, err)
		cmd := exec.Command("go", append([]string{"build", "-overlay=" + over}, built(files)...)...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// built are the packages to compile: the program only if it is edited itself.
func built(files map[string]string) []string {
	for f := range files {
		if strings.HasPrefix(f, "cmd/") {
			return []string{"./sync/...", "./cmd/closesync"}
		}
	}
	return []string{"./sync/..."}
}

func join(groups []map[string]string, files map[string]string) []map[string]string {
	for _, g := range groups {
		free := true
		for f := range files {
			_, taken := g[f]
			free = free && !taken
		}
		if free {
			maps.Copy(g, files)
			return groups
		}
	}
	return append(groups, files)
}

func TestMutants_ATextThatIsNotThereIsAnError(t *testing.T) {
	_, err := Mutant{N: 7, Edits: []Edit{{"main.go", "no such text in it", ""}}}.apply(".")
	require.ErrorContains(t, err, "0 times")
}
