//go:build unix

package closetest

import (
	"errors"
	"os"
	"syscall"
)

// lockFile keeps a second process out until the file is closed, or the process
// ends in whatever way.
func lockFile(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.New("another process keeps an imitation in it")
	}
	return nil
}
