package broker

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes end the child with the thread that started it, and keep the terminal's Ctrl-C away from it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// Suspend stops a child where it is, or lets it go on. A stop reaches one thread first, and the others may answer for a moment longer: it is over
// when the kernel tells the parent so, which is when the last thread stands (wait(2), WSTOPPED).
func Suspend(pid int, stop bool) error {
	if !stop {
		return unix.Kill(pid, unix.SIGCONT)
	}
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return err
	}
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}
