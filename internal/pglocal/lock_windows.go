package pglocal

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// socketsSupported is false: the Windows builds of Postgres are reached over
// TCP on 127.0.0.1.
const socketsSupported = false

// tryLock takes the lock without waiting. It returns nil and no error if
// another process holds it. Windows frees it when the holder dies.
func tryLock(path string) (*os.File, error) { return lockFile(path, windows.LOCKFILE_EXCLUSIVE_LOCK) }

// shareLock is tryLock for a lock that others may share.
func shareLock(path string) (*os.File, error) { return lockFile(path, 0) }

func lockFile(path string, how uint32) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	// One byte far behind the process id, so that others may still read it.
	at := &windows.Overlapped{Offset: 1 << 20}
	err = windows.LockFileEx(windows.Handle(f.Fd()),
		how|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return nil, nil
	}
	return nil, err
}

func unlock(f *os.File) { _ = f.Close() }
