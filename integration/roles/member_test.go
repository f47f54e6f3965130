package roles_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

// member is a child process that runs a role.
type member struct {
	t     *testing.T
	name  string // Such as ingest-2; a member that is started again keeps it.
	role  app.Role
	cmd   *exec.Cmd
	url   string
	ready chan string
	done  chan struct{}
	err   error // Valid when done is closed.
	log   *logBuffer
	start time.Duration // CPU time of the process when it was ready.
}

// launch starts a member and does not wait for it.
func launch(t *testing.T, name string, role app.Role, config string, ahead time.Duration) *member {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	m := &member{
		t: t, name: name, role: role, cmd: exec.Command(self, memberArg, string(role), config, ahead.String()),
		ready: make(chan string, 1), done: make(chan struct{}), log: &logBuffer{},
	}
	m.cmd.Stderr = m.log
	out, err := m.cmd.StdoutPipe()
	must(t, err)
	must(t, m.cmd.Start())
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case m.ready <- lines.Text():
			default:
			}
		}
		m.err = m.cmd.Wait()
		close(m.done)
	}()
	return m
}

// await waits until the member answers.
func (m *member) await() *member {
	m.t.Helper()
	if m.url != "" {
		return m
	}
	select {
	case m.url = <-m.ready:
		m.start = used(m.cmd.Process.Pid)
	case <-m.done:
		m.t.Fatalf("%s ended at once: %v\n%s", m.name, m.err, m.log)
	case <-time.After(patience):
		m.t.Fatalf("%s is not ready after %v\n%s", m.name, patience, m.log)
	}
	return m
}

// isReady reports whether the member answers, without waiting.
func (m *member) isReady() bool {
	if m.url == "" && len(m.ready) == 0 {
		return false
	}
	m.await()
	return true
}

// kill is kill -9. It may be called again.
func (m *member) kill() {
	_ = m.cmd.Process.Kill()
	<-m.done
}

func (m *member) ended() bool {
	select {
	case <-m.done:
		return true
	default:
		return false
	}
}

// leave is SIGTERM; a member that does not end well fails the test.
func (m *member) leave() {
	m.t.Helper()
	must(m.t, m.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-m.done:
	case <-time.After(patience):
		m.t.Errorf("%s has not stopped %v after SIGTERM\n%s", m.name, patience, m.log)
		m.kill()
	}
	if m.err != nil {
		m.t.Errorf("%s ended with %v\n%s", m.name, m.err, m.log)
	}
}

// suspend is SIGSTOP, and returns when the last thread stands; resume is SIGCONT.
func (m *member) suspend() { must(m.t, broker.Suspend(m.cmd.Process.Pid, true)) }
func (m *member) resume()  { must(m.t, broker.Suspend(m.cmd.Process.Pid, false)) }

// health is the member's health page by check; nil while it does not answer.
func (m *member) health() map[string]console.Check {
	body, err := m.get("/api/v1/health")
	if err != nil {
		return nil
	}
	var list []console.Check
	if json.Unmarshal(body, &list) != nil {
		return nil
	}
	out := map[string]console.Check{}
	for _, c := range list {
		out[c.Name] = c
	}
	return out
}

func (m *member) get(path string) ([]byte, error) {
	r, err := browser.Get(m.url + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, r.Status, b)
	}
	return b, err
}

// browser does not follow redirects: an act answers with one.
var browser = &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// logBuffer takes a child's output while the test may look at it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *logBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// String is the end of the output.
func (s *logBuffer) String() string {
	const most = 6 << 10
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.b.Bytes()
	return string(b[max(0, len(b)-most):])
}
