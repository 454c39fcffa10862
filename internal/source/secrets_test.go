package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tracked lists the files of the repository; outside a checkout, all files.
func tracked(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..")
	out, err := exec.Command("git", "-C", root, "ls-files", "-co", "--exclude-standard").Output()
	if err != nil {
		t.Skip("no git checkout: which files are the project's is not known")
	}
	var files []string
	for _, f := range strings.Fields(string(out)) {
		files = append(files, filepath.Join(root, f))
	}
	require.Greater(t, len(files), 100)
	return files
}

// secrets are forms of credentials; examples in documents and payloads use
// other alphabets or lengths.
var secrets = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\bapi_[A-Za-z0-9]{22}\.[A-Za-z0-9]{22}\b|\bAKIA[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b`)

func TestSecurity_20_NoSecretInTheRepository(t *testing.T) {
	require.Regexp(t, secrets, "key: api_"+strings.Repeat("a1", 11)+"."+strings.Repeat("b2", 11), "the pattern finds a key")
	for _, f := range tracked(t) {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Empty(t, secrets.FindString(string(text)), f)
	}
}

// What reaches out of the process does so in the places listed here: Close's
// API, Postgres, and the program's own health. URLs in the data of a CRM are
// text and are never fetched; certificates are always checked.
func TestSecurity_30_OnlyKnownPlacesDialOut(t *testing.T) {
	outgoing := regexp.MustCompile(`http\.(Get|Post|Head|PostForm|NewRequest|NewRequestWithContext)\(|http\.(DefaultClient|Client\{|Transport\{)|net\.Dial|net\.Dialer\{|tls\.Dial|InsecureSkipVerify: *true`)
	allowed := []string{"sync/closeapi/", "cmd/closesync/healthcheck.go", "cmd/closesync/ask_worker.go", "internal/pglocal/", "internal/bench/",
		"internal/live/", "internal/testdb/", "sync/closetest/", "internal/strictfake/", "internal/sim/", "internal/harness/"}
	for _, f := range tracked(t) {
		name := strings.TrimPrefix(filepath.ToSlash(f), "../../")
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || isIn(name, allowed) {
			continue
		}
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Empty(t, outgoing.FindString(string(text)), name)
	}
}

func TestSecurity_29_CertificatesAreAlwaysChecked(t *testing.T) {
	off := regexp.MustCompile(`InsecureSkipVerify: *true|InsecureSkipVerify = true`)
	for _, f := range tracked(t) {
		if !strings.HasSuffix(f, ".go") || strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NotRegexp(t, off, string(text), f)
	}
}

func isIn(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
