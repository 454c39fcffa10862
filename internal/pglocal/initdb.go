package pglocal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// initPrefix names clusters in the making. One is renamed to its lasting name
// only when complete, so a killed initdb leaves no half cluster to start.
const initPrefix = "postgres.init-"

// initCluster makes the cluster unless it is there. The caller holds the lock.
func (s *Server) initCluster(ctx context.Context) error {
	if clusterMajor(s.at.cluster) != 0 {
		return nil
	}
	if err := mustBeAbsent(s.at.cluster); err != nil {
		return err
	}
	sweep(filepath.Join(s.at.dir, initPrefix+"*"))
	fresh, err := os.MkdirTemp(s.at.dir, initPrefix)
	if err != nil {
		return fmt.Errorf("pglocal: %w", err)
	}
	if err := s.initInto(ctx, fresh); err != nil {
		// Never started, never renamed: nobody's data.
		_ = os.RemoveAll(fresh)
		return err
	}
	if err := os.Rename(fresh, s.at.cluster); err != nil {
		return fmt.Errorf("pglocal: %w", err)
	}
	return syncDir(s.at.dir)
}

// mustBeAbsent refuses a folder that is not a cluster but is not empty: it is
// somebody's, perhaps a damaged cluster, and not ours to replace.
func mustBeAbsent(cluster string) error {
	entries, err := os.ReadDir(cluster)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("pglocal: %w", err)
	case len(entries) == 0:
		return os.Remove(cluster)
	}
	return fmt.Errorf("pglocal: %s holds files but no PG_VERSION, so it is no complete cluster; "+
		"restore it or move it away", cluster)
}

// initInto fills the empty folder dir. The collation is C, the same on every
// machine and after every upgrade of the system; letters follow Unicode where
// the system can do so.
func (s *Server) initInto(ctx context.Context, dir string) error {
	if err := s.who.own(dir); err != nil {
		return err
	}
	var output string
	var err error
	for _, ctype := range characterTypes() {
		if output, err = s.runInitdb(ctx, dir, ctype); err == nil {
			return nil
		}
	}
	return fmt.Errorf("pglocal: initdb (%s): %w: %s", s.bin.dir, err, lastLines(output, 5))
}

func characterTypes() []string {
	if runtime.GOOS == "linux" {
		return []string{"C.UTF-8", "C"}
	}
	return []string{"C"}
}

func (s *Server) runInitdb(ctx context.Context, dir, ctype string) (string, error) {
	reach, err := s.who.reach(dir)
	if err != nil {
		return "", err
	}
	defer reach.close()
	args := []string{
		"-D", reach.paths[0], "-U", superuser, "-A", "trust",
		"-E", "UTF8", "--locale=C", "--lc-ctype=" + ctype,
	}
	if s.opts.FastUnsafe {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, s.bin.path("initdb"), args...)
	cmd.Dir = string(filepath.Separator) // ours may be closed to that user
	cmd.Env = serverEnv(s.bin)
	cmd.ExtraFiles = reach.files
	s.who.apply(cmd)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// serverEnv is all the server needs. The program's own environment holds
// secrets and PG* settings that must not leak into it.
func serverEnv(bin binaries) []string {
	env := []string{"PATH=" + bin.dir + string(os.PathListSeparator) + os.Getenv("PATH"), "LC_ALL=C"}
	for _, name := range []string{"TMPDIR", "SystemRoot", "TEMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// lastLines is the end of a program's output on one line.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
