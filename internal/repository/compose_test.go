package repository

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

const root = "../.."

// load reads docker-compose.yml with the given variables and no others.
func load(t *testing.T, env []string, profiles ...string) *types.Project {
	t.Helper()
	opts, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root), cli.WithEnv(env), cli.WithProfiles(profiles))
	require.NoError(t, err)
	project, err := opts.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

func TestCompose_WithoutProfileRunsWorkerAndPostgres(t *testing.T) {
	p := load(t, nil)
	require.ElementsMatch(t, []string{"postgres", "closesync"}, p.ServiceNames())

	worker, err := p.GetService("closesync")
	require.NoError(t, err)
	require.Equal(t, types.ServiceConditionHealthy, worker.DependsOn["postgres"].Condition)
	require.NotNil(t, worker.Build)
	require.FileExists(t, filepath.Join(root, "Dockerfile"))
	require.Contains(t, *worker.Environment["DATABASE_URL"], "@postgres:5432/")
	require.NotEmpty(t, worker.HealthCheck.Test)

	db, err := p.GetService("postgres")
	require.NoError(t, err)
	require.Equal(t, "postgres:17-alpine", db.Image)
	require.NotEmpty(t, db.HealthCheck.Test)
}

func TestCompose_ImageOfPostgresComesFromTheEnvironment(t *testing.T) {
	p := load(t, []string{"CLOSESYNC_POSTGRES_IMAGE=mirror.example/postgres:16"})
	require.Equal(t, "mirror.example/postgres:16", p.Services["postgres"].Image)
}

func TestCompose_SandboxIsAProfile(t *testing.T) {
	p := load(t, []string{"CLOSE_API_KEY=api_real.key"}, "sandbox")
	sandbox, err := p.GetService("sandbox")
	require.NoError(t, err)
	require.Equal(t, types.ShellCommand{"run", "--sandbox", "--sandbox-listen", "0.0.0.0:8088"}, sandbox.Command)
	require.NotEqual(t, *p.Services["closesync"].Environment["DATABASE_URL"], *sandbox.Environment["DATABASE_URL"],
		"one database holds one organization")
	require.Empty(t, *sandbox.Environment["CLOSE_API_KEY"], "the real account has no part in it")
	require.Equal(t, types.ServiceConditionHealthy, sandbox.DependsOn["postgres"].Condition)
	require.Equal(t, "/data", sandbox.Volumes[0].Target)
}

func TestCompose_EveryServiceIsWatched(t *testing.T) {
	for name, s := range load(t, nil, "sandbox").Services {
		require.NotNil(t, s.HealthCheck, name)
		require.False(t, s.HealthCheck.Disable, name)
		require.NotEmpty(t, s.HealthCheck.Test, name)
		require.Equal(t, "unless-stopped", s.Restart, name)
	}
}

// The flags that Compose and the Dockerfile use are read by the program.
func TestCompose_CommandsExist(t *testing.T) {
	for name, s := range load(t, nil, "sandbox").Services {
		if s.Build == nil {
			continue
		}
		out, err := exec.CommandContext(t.Context(), "go", append(append([]string{"run", "../../cmd/closesync"}, s.Command...), "--help")...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
}

func TestCompose_OurContainersAreConfined(t *testing.T) {
	p := load(t, nil, "sandbox")
	for _, name := range []string{"closesync", "sandbox"} {
		s := p.Services[name]
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		require.False(t, s.Privileged, name)
	}
}

func TestCompose_PortsAreOpenOnThisMachineOnly(t *testing.T) {
	for name, s := range load(t, nil, "sandbox").Services {
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, name)
		}
	}
}

// A secret in the file would end up in the repository.
func TestCompose_HoldsNoSecret(t *testing.T) {
	secret := regexp.MustCompile(`(?i)(key|token|password|secret)`)
	for name, s := range load(t, nil, "sandbox").Services {
		for variable, value := range s.Environment {
			if secret.MatchString(variable) && value != nil {
				require.Empty(t, *value, "%s: %s", name, variable)
			}
		}
	}
}

// instructions are the Dockerfile's, continued lines joined.
func instructions(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	require.NoError(t, err)
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	var out [][]string
	for line := range strings.Lines(joined) {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			out = append(out, words)
		}
	}
	return out
}

// final are the arguments of the named instruction in the last stage.
func final(t *testing.T, name string) (found [][]string) {
	t.Helper()
	for _, words := range instructions(t) {
		if words[0] == "FROM" {
			found = nil
		}
		if words[0] == name {
			found = append(found, words[1:])
		}
	}
	return found
}

func TestDockerfile_EndsInAnEmptyImageWithANumericUser(t *testing.T) {
	require.Equal(t, [][]string{{"scratch"}}, final(t, "FROM"))

	users := final(t, "USER")
	require.Len(t, users, 1)
	uid, _, _ := strings.Cut(users[0][0], ":")
	number, err := strconv.Atoi(uid)
	require.NoError(t, err, "Kubernetes' runAsNonRoot needs a number")
	require.Positive(t, number)
	require.Empty(t, final(t, "RUN"), "an empty image can run nothing")
	require.Empty(t, final(t, "VOLUME"))
}

func TestDockerfile_BringsWhatTheProgramNeeds(t *testing.T) {
	copies := slices.Concat(final(t, "COPY")...)
	require.Contains(t, copies, "/out/closesync")
	require.Contains(t, copies, "/etc/ssl/certs/ca-certificates.crt", "Close is reached by https")
	require.True(t, slices.ContainsFunc(instructions(t), func(words []string) bool {
		return words[0] == "RUN" && slices.Contains(words, "CGO_ENABLED=0") && slices.Contains(words, "./cmd/closesync")
	}), "an empty image has no C library")
	for _, name := range []string{"ENTRYPOINT", "CMD"} {
		require.True(t, strings.HasPrefix(final(t, name)[0][0], "["), "%s without a shell", name)
	}
}

func TestDockerfile_BuildContextLeavesSecretsOut(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	for _, name := range []string{".env", ".git", "closesync.yaml"} {
		require.Contains(t, lines, name)
	}
}
