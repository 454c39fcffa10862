//go:build unix

package pglocal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// socketsSupported: Postgres and pgx meet over a Unix socket here.
const socketsSupported = true

// tryLock takes the lock without waiting. It returns nil and no error if
// another process holds it. The kernel frees it when the holder dies, and Go
// opens files close-on-exec, so the server does not inherit it.
func tryLock(path string) (*os.File, error) { return flock(path, unix.LOCK_EX) }

// shareLock is tryLock for a lock that others may share.
func shareLock(path string) (*os.File, error) { return flock(path, unix.LOCK_SH) }

func flock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, err
}

func unlock(f *os.File) { _ = f.Close() }
