package broker

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is one run of a Java program.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // Closed when it has ended.
	err  error         // How it ended; valid then.
}

// launch starts cmd. On Linux the child dies with this process, however that ends.
func launch(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = childAttributes()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel's parent of the child is the thread, not the process: the thread has to stay until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// kill ends it at once and waits.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return
	}
	<-p.done
}

// terminate asks it to end.
func (p *process) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }
