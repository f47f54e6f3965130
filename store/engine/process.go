package engine

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// childHeap is the soft limit of the child's Go heap: it only carries bytes from the socket to a file and back.
	childHeap = "GOMEMLIMIT=256MiB"
	// closeTime is how long Close waits for the child before it kills it: drainTime and the closing of the tables.
	closeTime = drainTime + 7*time.Second
	// tailSize is how many bytes of the child's last words are kept.
	tailSize = 16 << 10
)

// Process is a running engine. Its methods may be called from any goroutine.
type Process struct {
	addr, version, token string

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr *tail
	close  sync.Once
	done   chan struct{}
	err    error // valid when done is closed
}

// Start locates the library (fetching it if needed), starts the engine as a child process and waits until it answers.
// ctx bounds the start only; the child lives until Close or until this process ends in whatever way.
func Start(ctx context.Context, cfg Config) (*Process, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	library, err := Locate(ctx, cfg)
	if err != nil {
		return nil, err
	}
	cfg.LibraryPath = library
	if cfg.Token == "" {
		cfg.Token = rand.Text()
	}
	p := &Process{token: cfg.Token, stderr: &tail{}, done: make(chan struct{})}
	stdout, err := p.spawn(cfg)
	if err != nil {
		return nil, fmt.Errorf("start the embedded engine: %w", err)
	}
	if err := p.awaitReady(ctx, cfg, stdout); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("start the embedded engine: %w", err)
	}
	return p, nil
}

func (p *Process) spawn(cfg Config) (stdout io.Reader, err error) {
	command := cfg.Command
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		command = []string{self, "engine", "serve", "--child"}
	}
	line, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Env = childEnv(os.Environ())
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.Stderr = p.stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	// A child that died at once breaks this pipe; why it died is for awaitReady to say.
	_, _ = p.stdin.Write(append(line, '\n'))
	return stdout, nil
}

// childEnv passes on what a process needs to run, and nothing that could be a secret of the parent's. The engine's time
// zone is UTC whatever the machine's is.
func childEnv(parent []string) []string {
	env := []string{"TZ=UTC", childHeap}
	for _, entry := range parent {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "GOCOVERDIR", "GORACE", "GOTRACEBACK":
			env = append(env, entry)
		}
	}
	return env
}

func (p *Process) awaitReady(ctx context.Context, cfg Config, stdout io.Reader) error {
	lines := make(chan Ready, 1)
	go func() {
		var r Ready
		out := bufio.NewReader(stdout)
		line, err := out.ReadBytes('\n')
		if err == nil && json.Unmarshal(line, &r) == nil {
			lines <- r
		}
		cfg.hear(out) // Wait must not close the pipe under a reader
		p.wait()
	}()
	timeout := time.NewTimer(cfg.StartTimeout)
	defer timeout.Stop()
	select {
	case r := <-lines:
		if r.Error != "" {
			return errors.New(r.Error)
		}
		p.addr, p.version = r.Addr, r.Version
		return nil
	case <-p.done:
		// The line may have come just before the end.
		select {
		case r := <-lines:
			if r.Error != "" {
				return errors.New(r.Error)
			}
		default:
		}
		return p.err
	case <-timeout.C:
		return fmt.Errorf("it is not ready after %v%s", cfg.StartTimeout, p.stderr.words())
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Process) wait() {
	err := p.cmd.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	p.err = fmt.Errorf("the embedded engine has ended: %w%s", err, p.stderr.words())
	close(p.done)
}

// Addr is the host:port where the engine serves HTTP.
func (p *Process) Addr() string { return p.addr }

// Token is the password for user [User].
func (p *Process) Token() string { return p.token }

// Version is what the engine's version() says.
func (p *Process) Version() string { return p.version }

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended, with its last words on standard error; nil while it runs.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Close asks the child to end, gives running statements a few seconds, and kills it if it does not. An error means that
// it had to be killed; nothing acknowledged is lost by that. Further calls wait for the end as well.
func (p *Process) Close() error {
	var killed bool
	p.close.Do(func() {
		_ = p.stdin.Close()
		select {
		case <-p.done:
		case <-time.After(closeTime):
			killed = true
			_ = p.cmd.Process.Kill()
		}
	})
	<-p.done
	if killed {
		return fmt.Errorf("the embedded engine did not end within %v and was killed", closeTime)
	}
	return nil
}

// tail keeps the last bytes written to it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
	cut  bool   // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
		t.cut = true
	}
	return len(p), nil
}

// words is the tail as the end of an error message, empty if nothing was said.
func (t *tail) words() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.text))
	if text == "" {
		return ""
	}
	if t.cut {
		text = "… " + text
	}
	return "; it said: " + text
}
