package source

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The table of SECURITY.md has its 52 lines, and every test that it names is
// there.
func TestSecurity_TheTableNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "SECURITY.md"))
	require.NoError(t, err)
	known := testNames(t)
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| [^|]+ \| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, rows, 52)
	names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	for i, row := range rows {
		require.Equal(t, strconv.Itoa(i+1), row[1])
		for _, name := range names.FindAllStringSubmatch(row[2], -1) {
			require.Contains(t, known, name[1], "line %s", row[1])
		}
	}
}

func testNames(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	require.NoError(t, filepath.WalkDir(filepath.Join("..", ".."), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = true
		}
		return err
	}))
	return found
}
