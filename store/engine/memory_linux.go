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

// mapMemory gives the file's bytes as this process's memory. What lies behind the end of the file must not be touched.
func mapMemory(f *os.File, size int64) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
}

func unmapMemory(b []byte) { _ = unix.Munmap(b) }

// growMemory lengthens the file to a size, and takes the memory for it.
func growMemory(f *os.File, from, to int64) error {
	return os.NewSyscallError("fallocate", unix.Fallocate(int(f.Fd()), 0, from, to-from))
}
