//go:build unix

package pglocal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// identity is the user the server runs as. Postgres refuses to run as root, so
// for root it is another one; else it is our own and other is false.
type identity struct {
	other    bool
	uid, gid int
	name     string
}

func runsAsRoot() bool { return os.Geteuid() == 0 }

// identityFor picks the owner of the existing cluster, else user postgres,
// else nobody, if we are root.
func identityFor(cluster string) (identity, error) {
	if !runsAsRoot() {
		return identity{}, ownCluster(cluster)
	}
	if info, err := os.Stat(cluster); err == nil {
		stat := info.Sys().(*syscall.Stat_t)
		if stat.Uid == 0 {
			return identity{}, fmt.Errorf("pglocal: %s belongs to root, whom Postgres refuses: chown -R postgres %s", cluster, cluster)
		}
		return identity{other: true, uid: int(stat.Uid), gid: int(stat.Gid), name: "the owner of " + cluster}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if errors.Join(err1, err2) == nil {
			return identity{other: true, uid: uid, gid: gid, name: name}, nil
		}
	}
	return identity{}, errors.New("pglocal: Postgres refuses to run as root, and there is neither a user postgres nor nobody")
}

// ownCluster says early what Postgres would say obscurely.
func ownCluster(cluster string) error {
	info, err := os.Stat(cluster)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pglocal: %w", err)
	}
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("pglocal: %s belongs to user %d, not to you (%d)", cluster, stat.Uid, os.Geteuid())
	}
	return nil
}

// own gives a path to the identity.
func (i identity) own(path string) error {
	if !i.other {
		return nil
	}
	return os.Lchown(path, i.uid, i.gid)
}

// makeDir makes a folder that only the identity may enter, and refuses one
// that belongs to somebody else: the fallback lies in a folder open to all.
func (i identity) makeDir(dir string, mode os.FileMode) error {
	if err := os.Mkdir(dir, mode); err == nil {
		return i.own(dir)
	} else if !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("pglocal: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("pglocal: %w", err)
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if !info.IsDir() || owner != os.Geteuid() && (!i.other || owner != i.uid) {
		return fmt.Errorf("pglocal: %s is not a folder of ours", dir)
	}
	if err := i.own(dir); err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

// apply makes cmd run as the identity, in its own process group.
func (i identity) apply(cmd *exec.Cmd) {
	attr := attributes(cmd)
	if i.other {
		attr.Credential = &syscall.Credential{Uid: uint32(i.uid), Gid: uint32(i.gid)}
	}
}

// reach holds how the server names the folders it is given: by their paths,
// or by inherited descriptors (files, from number 3 on).
type reach struct {
	paths []string
	files []*os.File
}

func (r reach) close() {
	for _, f := range r.files {
		_ = f.Close()
	}
}

// reach finds names by which the identity can enter dirs. Below a folder that
// is closed to it (root's home, a mktemp -d) Linux lets it go through an
// inherited descriptor, which needs no change to anybody's permissions.
// Elsewhere the error says which folder is closed.
func (i identity) reach(dirs ...string) (reach, error) {
	closed := ""
	for _, dir := range dirs {
		if closed == "" {
			closed = i.closedParent(dir)
		}
	}
	if closed == "" {
		return reach{paths: dirs}, nil
	}
	if runtime.GOOS != "linux" {
		return reach{}, fmt.Errorf("pglocal: %s (Postgres runs as it) cannot enter %s: chmod o+x it, or set CLOSESYNC_DATA_DIR to another folder", i.name, closed)
	}
	var r reach
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			r.close()
			return reach{}, fmt.Errorf("pglocal: %w", err)
		}
		r.paths = append(r.paths, "/proc/self/fd/"+strconv.Itoa(3+len(r.files)))
		r.files = append(r.files, f)
	}
	return r, nil
}

// closedParent is the first folder above dir that the identity may not enter,
// "" if there is none.
func (i identity) closedParent(dir string) string {
	if !i.other {
		return ""
	}
	for p := filepath.Dir(dir); ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil {
			return p
		}
		stat, mode := info.Sys().(*syscall.Stat_t), info.Mode().Perm()
		var search os.FileMode = 0o001
		switch {
		case int(stat.Uid) == i.uid:
			search = 0o100
		case int(stat.Gid) == i.gid:
			search = 0o010
		}
		if mode&search == 0 {
			return p
		}
		if p == filepath.Dir(p) {
			return ""
		}
	}
}

// syncDir makes a rename in dir survive a loss of power.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}

// stateDir is ~/.local/state/closesync, on macOS the folder meant for it.
func stateDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "closesync"), nil
	}
	return filepath.Join(home, ".local", "state", "closesync"), nil
}
