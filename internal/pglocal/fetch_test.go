//go:build unix

package pglocal

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	embedded "github.com/fergusstrange/embedded-postgres"
	"github.com/stretchr/testify/require"
)

var silent = slog.New(slog.DiscardHandler)

// release unpacks a Postgres that only tells its version.
func release(version string) unpack {
	return func(_ context.Context, staging string, _ embedded.PostgresVersion) error {
		bin := filepath.Join(staging, "postgres", "bin")
		if err := os.MkdirAll(bin, 0o700); err != nil {
			return err
		}
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
		return errors.Join(os.WriteFile(filepath.Join(bin, "postgres"), []byte(script), 0o700),
			os.WriteFile(filepath.Join(bin, "initdb"), []byte(script), 0o700))
	}
}

func held(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Whatever becomes of a download, its folder goes, and so do those of processes
// that were killed over theirs.
func TestFetch_LeavesNoStagingFolder(t *testing.T) {
	t.Parallel()
	at, err := layoutOf(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(at.binaries, fetchPrefix+"of-a-killed-process", "cache"), 0o700))
	broken := errors.New("no network")
	fails := func(_ context.Context, staging string, _ embedded.PostgresVersion) error {
		return errors.Join(broken, os.WriteFile(filepath.Join(staging, "half"), nil, 0o600))
	}
	for range 3 {
		_, err = fetch(t.Context(), at, 17, silent, fails)
		require.ErrorIs(t, err, broken)
		require.Empty(t, held(t, at.binaries))
	}
	_, err = fetch(t.Context(), at, 17, silent, release("unreadable"))
	require.ErrorContains(t, err, "does not run here")
	require.Empty(t, held(t, at.binaries))

	b, err := fetch(t.Context(), at, 17, silent, release("17.6"))
	require.NoError(t, err)
	require.Equal(t, binaries{dir: filepath.Join(at.binaries, "17", "bin"), major: 17, version: "17.6"}, b)
	require.Equal(t, []string{"17"}, held(t, at.binaries))
}

// A release that stopped working, as after a half copied folder, is fetched
// anew and takes its place.
func TestFetch_ReplacesWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	at, err := layoutOf(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(at.binaries, "16", "bin"), 0o700))
	b, err := fetch(t.Context(), at, 16, silent, release("16.10"))
	require.NoError(t, err)
	require.Equal(t, "16.10", b.version)
}

// The layout of a folder below a link is the same before and after the folder
// was made: the place of the socket depends on it.
func TestLayout_OfANewFolderIsItsLasting(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	behind := filepath.Join(base, strings.Repeat("long", 30))
	require.NoError(t, os.Mkdir(behind, 0o700))
	link := filepath.Join(base, "link")
	require.NoError(t, os.Symlink(behind, link))

	young, err := newServer(Options{DataDir: filepath.Join(link, "data")})
	require.NoError(t, err)
	again, err := newServer(Options{DataDir: filepath.Join(link, "data")})
	require.NoError(t, err)
	require.Equal(t, young.at, again.at)
	direct, err := newServer(Options{DataDir: filepath.Join(behind, "data")})
	require.NoError(t, err)
	require.Equal(t, young.at, direct.at)
}
