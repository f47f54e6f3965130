package load_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// process is a child of the test: this binary in another role.
type process struct {
	cmd  *exec.Cmd
	in   io.Closer // Its end is the child's.
	done chan struct{}
	err  error // Valid when done is closed.
	log  lastWords
}

// start starts a child; each line it prints is given to heard, by one goroutine.
func start(t testing.TB, heard func(line string), args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p := &process{cmd: exec.Command(self, args...), done: make(chan struct{})}
	p.cmd.Stderr = &p.log
	p.in, err = p.cmd.StdinPipe()
	must(t, err)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			heard(lines.Text())
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("the last words of %s:\n%s", args[0], p.log.String())
		}
	})
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the child in good order.
func (p *process) stop(t testing.TB) {
	t.Helper()
	_ = p.in.Close()
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("a child ended with %v", p.err)
		}
	case <-time.After(patience):
		t.Errorf("a child does not end within %v", patience)
	}
}

// lastWords keeps the end of what is written.
type lastWords struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > 1<<20 {
		l.b.Reset()
	}
	return l.b.Write(p)
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.b.String()
	return text[max(0, len(text)-3000):]
}

// usage is what a process has used.
type usage struct {
	cpu       time.Duration
	rss, peak int64 // Bytes.
}

// usageOf reads /proc; a process that is gone has used nothing.
func usageOf(pid int) (u usage) {
	const userHertz = 100 // Of the kernel's interface, whatever its own clock does.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if words := strings.Fields(rest); len(words) > 12 {
		user, _ := strconv.ParseInt(words[11], 10, 64)
		system, _ := strconv.ParseInt(words[12], 10, 64)
		u.cpu = time.Duration(user+system) * time.Second / userHertz
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		kb, _ := strconv.ParseInt(words[1], 10, 64)
		switch words[0] {
		case "VmRSS:":
			u.rss = kb << 10
		case "VmHWM:":
			u.peak = kb << 10
		}
	}
	return u
}

// childOf is the process below another one; 0 if there is none.
func childOf(pid int) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // It has just ended.
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			return child
		}
	}
	return 0
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
