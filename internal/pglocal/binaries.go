package pglocal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// oldestMajor is the oldest Postgres the program supports.
const oldestMajor = 14

// binaries is one usable installation.
type binaries struct {
	dir     string // holds initdb and postgres
	major   int
	version string // as printed, for messages
}

func (b binaries) path(program string) string {
	return filepath.Join(b.dir, executable(program))
}

func executable(program string) string {
	if runtime.GOOS == "windows" {
		return program + ".exe"
	}
	return program
}

// installFolders are the usual places besides PATH, per operating system.
var installFolders = map[string][]string{
	"linux": {
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
		"/usr/pgsql-*/bin",          // the PGDG packages of RHEL and Fedora
		"/usr/libexec/postgresql*",  // Alpine
		"/usr/lib/postgresql*/bin",  // SUSE
		"/usr/local/pgsql/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	},
	"darwin": {
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/Library/PostgreSQL/*/bin",
		"/opt/local/lib/postgresql*/bin",
	},
	"windows": {
		`C:\Program Files\PostgreSQL\*\bin`,
		`C:\Program Files (x86)\PostgreSQL\*\bin`,
	},
}

// locate finds the installation to use: one whose major version is that of
// the existing cluster, else the first of PATH, else the newest installed,
// else a download. Its error names the remedies.
func locate(ctx context.Context, at layout, log *slog.Logger) (binaries, error) {
	need := clusterMajor(at.cluster)
	found := installed(ctx, at)
	if b, ok := choose(found, need); ok {
		return b, nil
	}
	b, err := fetch(ctx, at, need, log, download)
	if err == nil {
		return b, nil
	}
	if need != 0 && len(found) > 0 {
		return binaries{}, wrongMajor(at.cluster, need, found)
	}
	return binaries{}, noBinaries(err)
}

// choose takes the first of found, or the first of the needed major version.
func choose(found []binaries, need int) (binaries, bool) {
	i := slices.IndexFunc(found, func(b binaries) bool { return need == 0 || b.major == need })
	if i < 0 {
		return binaries{}, false
	}
	return found[i], true
}

// installed lists usable installations in order of preference.
func installed(ctx context.Context, at layout) []binaries {
	var folders []string
	if initdb, err := exec.LookPath(executable("initdb")); err == nil {
		folders = append(folders, filepath.Dir(initdb))
	}
	var elsewhere []binaries
	for _, pattern := range append(installFolders[runtime.GOOS], filepath.Join(at.binaries, "*", "bin")) {
		dirs, _ := filepath.Glob(pattern)
		elsewhere = append(elsewhere, usable(ctx, dirs)...)
	}
	slices.SortStableFunc(elsewhere, func(a, b binaries) int { return b.major - a.major })
	return append(usable(ctx, folders), elsewhere...)
}

// usable keeps the folders that hold both programs in a supported version.
func usable(ctx context.Context, dirs []string) []binaries {
	var out []binaries
	for _, dir := range dirs {
		b := binaries{dir: dir}
		if _, err := os.Stat(b.path("initdb")); err != nil {
			continue
		}
		text, err := exec.CommandContext(ctx, b.path("postgres"), "--version").Output()
		if err != nil {
			continue
		}
		b.version, b.major = parseVersion(string(text))
		if b.major >= oldestMajor {
			out = append(out, b)
		}
	}
	return out
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\)\s+((\d+)\S*)`)

// parseVersion reads "postgres (PostgreSQL) 15.18 (Debian …)".
func parseVersion(text string) (version string, major int) {
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		return "", 0
	}
	major, _ = strconv.Atoi(m[2])
	return m[1], major
}

// clusterMajor is the major version that made the cluster, 0 if there is none.
func clusterMajor(cluster string) int {
	text, err := os.ReadFile(filepath.Join(cluster, "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return major
}

// ErrVersion means that the data folder was made by a major version of which
// no binaries can be found. The data is left as it is.
var ErrVersion = errors.New("the data folder belongs to another major version of Postgres")

func wrongMajor(cluster string, need int, found []binaries) error {
	var have []string
	for _, b := range found {
		have = append(have, fmt.Sprintf("%s in %s", b.version, b.dir))
	}
	return fmt.Errorf("pglocal: %s was made by Postgres %d, but only %s is installed: %w. "+
		"Install Postgres %d, or move the data with pg_upgrade, or set DATABASE_URL. Nothing was changed",
		cluster, need, strings.Join(have, ", "), ErrVersion, need)
}

// ErrNoBinaries means that this machine has no Postgres and none could be
// fetched.
var ErrNoBinaries = errors.New("no Postgres found on this machine")

func noBinaries(cause error) error {
	return fmt.Errorf("pglocal: %w, and fetching one did not work (%w). Either install it: %s; "+
		"or start one in Docker: docker compose up -d postgres, and point DATABASE_URL at it; "+
		"or set DATABASE_URL to a Postgres you have (%d or newer)",
		ErrNoBinaries, cause, installCommand(), oldestMajor)
}

func installCommand() string {
	switch runtime.GOOS {
	case "darwin":
		return "brew install postgresql@17"
	case "windows":
		return "winget install PostgreSQL.PostgreSQL.17"
	}
	for _, manager := range [][2]string{
		{"apt-get", "sudo apt-get install -y postgresql"},
		{"dnf", "sudo dnf install -y postgresql-server"},
		{"apk", "sudo apk add postgresql"},
		{"pacman", "sudo pacman -S postgresql"},
		{"zypper", "sudo zypper install postgresql-server"},
	} {
		if _, err := exec.LookPath(manager[0]); err == nil {
			return manager[1]
		}
	}
	return "your package manager's Postgres server package"
}
