//go:build linux || darwin

package engine

import (
	"os"
	"syscall"
)

// duplicate is the same open file under another descriptor, which children do not inherit.
func duplicate(f *os.File) (*os.File, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func replaceStdin(by *os.File) error { return os.NewSyscallError("dup2", dup2(int(by.Fd()), stdinFD)) }
