//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecurity_19_NoCoreDumps(t *testing.T) {
	if os.Getenv("CLOSESYNC_TEST_CORE") != "" {
		noCoreDumps()
		var limit syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_CORE, &limit))
		require.Zero(t, limit)
		return
	}
	// In a process of its own: the limit can only be lowered.
	child := exec.Command(os.Args[0], "-test.run=^TestSecurity_19_NoCoreDumps$")
	child.Env = append(os.Environ(), "CLOSESYNC_TEST_CORE=1")
	out, err := child.CombinedOutput()
	require.NoError(t, err, string(out))
}
