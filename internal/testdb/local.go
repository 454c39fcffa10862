package testdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"closesync/internal/pglocal"
)

// openLocal starts this process's own server in a folder of its own, without
// durability. The server ends with the process; the folder is removed by stop
// or, after a kill, by the next process.
func openLocal(ctx context.Context) (*server, error) {
	root, err := localRoot()
	if err != nil {
		return nil, err
	}
	sweepFolders(root)
	dir, err := os.MkdirTemp(root, "run-")
	if err != nil {
		return nil, err
	}
	pg, err := startFromTemplate(ctx, root, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return connect(ctx, pg.DSN("postgres"), pg.DSN, func() {
		pg.Stop()
		_ = os.RemoveAll(dir)
	})
}

// localRoot is one folder per user: another's files could not be removed.
func localRoot() (string, error) {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = strings.NewReplacer(`\`, "-", "/", "-").Replace(u.Uid)
	}
	root := filepath.Join(os.TempDir(), "closesync-testdb-"+name)
	return root, os.MkdirAll(root, 0o755)
}

// startFromTemplate copies a finished cluster, which is several times faster
// than making one, and falls back on making one.
func startFromTemplate(ctx context.Context, root, dir string) (*pglocal.Server, error) {
	if err := ensureTemplate(ctx, root); err != nil {
		return nil, err
	}
	cluster := filepath.Join(dir, "postgres")
	// cp keeps owners and modes, on which Postgres insists.
	if err := exec.CommandContext(ctx, "cp", "-a", filepath.Join(templateDir(root), "postgres"), cluster).Run(); err != nil {
		_ = os.RemoveAll(cluster)
	}
	pg, err := start(ctx, dir)
	if errors.Is(err, pglocal.ErrVersion) { // Postgres was upgraded since
		_ = os.RemoveAll(templateDir(root))
		_ = os.RemoveAll(cluster)
		pg, err = start(ctx, dir)
	}
	return pg, err
}

func start(ctx context.Context, dir string) (*pglocal.Server, error) {
	return pglocal.Start(ctx, pglocal.Options{DataDir: dir, FastUnsafe: true})
}

func templateDir(root string) string { return filepath.Join(root, "template") }

// ensureTemplate makes the cluster to copy. Several processes may do so at
// once; the first rename wins and the others throw theirs away.
func ensureTemplate(ctx context.Context, root string) error {
	if _, err := os.Stat(filepath.Join(templateDir(root), "postgres", "PG_VERSION")); err == nil {
		return nil
	}
	dir, err := os.MkdirTemp(root, "make-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	pg, err := start(ctx, dir)
	if err != nil {
		return err
	}
	pg.Stop()
	if err := os.Rename(dir, templateDir(root)); err != nil {
		if _, there := os.Stat(templateDir(root)); there != nil {
			return fmt.Errorf("testdb: keep the template cluster: %w", err)
		}
	}
	return nil
}

// sweepFolders removes what killed processes left. Nothing here is anybody's
// data: only this package makes these folders. The ages leave alone a folder
// that its process has made but not locked yet.
func sweepFolders(root string) {
	for _, kind := range []struct {
		pattern string
		age     time.Duration
	}{{"run-*", time.Minute}, {"make-*", time.Hour}} {
		left, _ := filepath.Glob(filepath.Join(root, kind.pattern))
		for _, dir := range left {
			info, err := os.Stat(dir)
			if err == nil && time.Since(info.ModTime()) > kind.age && pglocal.Abandoned(dir) {
				_ = os.RemoveAll(dir)
			}
		}
	}
}
