package engine

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile makes a file that lies in memory alone and ends with its last descriptor, and says under which path this process reads it.
func memoryFile() (*os.File, string, error) {
	fd, err := unix.MemfdCreate("insert", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, "", os.NewSyscallError("memfd_create", err)
	}
	path := fmt.Sprintf("/proc/self/fd/%d", fd)
	f := os.NewFile(uintptr(fd), path)
	if _, err := os.Stat(path); err != nil { // There is no /proc.
		_ = f.Close()
		return nil, "", err
	}
	return f, path, nil
}
