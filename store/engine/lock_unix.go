//go:build linux || darwin

package engine

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes an advisory lock that the kernel drops with the process, however it ends.
func tryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// ownGroup keeps the terminal's Ctrl-C away from the child: the parent ends it after its own last writes.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
