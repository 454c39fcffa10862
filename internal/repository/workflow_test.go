package repository

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// workflow is the part of a GitHub workflow that is judged here.
type workflow struct {
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]struct {
		Permissions map[string]string `yaml:"permissions"`
		Timeout     int               `yaml:"timeout-minutes"`
		Steps       []struct {
			Uses string         `yaml:"uses"`
			With map[string]any `yaml:"with"`
			Run  string         `yaml:"run"`
		} `yaml:"steps"`
	} `yaml:"jobs"`
}

func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.y*ml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]workflow{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var w workflow
		require.NoError(t, yaml.Unmarshal(text, &w), file)
		all[filepath.Base(file)] = w
	}
	return all
}

// A tag can be moved to other code; a commit cannot.
func TestWorkflow_ActionsArePinnedByCommit(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".github/workflows/ci.yml"))
	require.NoError(t, err)
	pinned := regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	found := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); strings.Contains(line, "uses:") {
			require.Regexp(t, pinned, line)
			found++
		}
	}
	require.Positive(t, found)
}

func TestWorkflow_MayOnlyRead(t *testing.T) {
	for file, w := range workflows(t) {
		require.Equal(t, map[string]string{"contents": "read"}, w.Permissions, file)
		// With it a stranger's code would run with this repository's rights.
		require.NotContains(t, w.On, "pull_request_target", file)
		for name, job := range w.Jobs {
			require.Empty(t, job.Permissions, "%s: %s", file, name)
			require.Positive(t, job.Timeout, "%s: %s runs for ever", file, name)
			for _, step := range job.Steps {
				require.NotContains(t, step.Run, "${{", "%s: %s: text of others would become a command", file, name)
				if strings.HasPrefix(step.Uses, "actions/checkout@") {
					require.Equal(t, false, step.With["persist-credentials"], "%s: %s", file, name)
				}
			}
		}
	}
}

func TestWorkflow_RunsWhatAPersonRuns(t *testing.T) {
	var runs []string
	for _, job := range workflows(t)["ci.yml"].Jobs {
		for _, step := range job.Steps {
			runs = append(runs, step.Run)
		}
	}
	require.Contains(t, runs, ".ci/run")
	script, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	require.NoError(t, err)
	lines := strings.Split(string(script), "\n")
	for _, want := range []string{"export CI=true", "make test", "make lint"} {
		require.Contains(t, lines, want)
	}
}
