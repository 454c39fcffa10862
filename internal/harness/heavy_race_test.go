//go:build race

package harness

import (
	"os"
	"regexp"
	"testing"
)

// crashEvery: behind how many steps of a scenario the worker is killed once.
const crashEvery = 10

// heavy passes over a test of great numbers: the race detector makes it ten
// times slower and sees nothing in it that a smaller one would not show. The
// Makefile says in HEAVY which ones it runs without.
func heavy(t *testing.T) {
	t.Helper()
	if names := os.Getenv("HEAVY"); names != "" && !regexp.MustCompile(names).MatchString(t.Name()) {
		t.Fatal("a heavy test that HEAVY in the Makefile does not name is never run")
	}
	t.Skip("of great numbers: runs without the race detector, see make test")
}
