package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// patience is how long tests wait for what must happen, on a machine that may be slow and busy: a test that needs it all has failed. A child may take
// longer to stop, so that a stop that hangs is seen.
const patience = 3 * time.Minute

// serviceArg makes the test binary the service: it is followed by the configuration file and by how far our clock is ahead of the machine's.
const serviceArg = "service-child"

// TestMain is also what the children of the tests run: the service, and the embedded engine below it.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "engine":
		if err := engine.ServeChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case len(os.Args) > 3 && os.Args[1] == serviceArg:
		if err := serveChild(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveChild is `tocsin run`, with a clock that can be ahead so that the scenarios lie in the past.
func serveChild(path, ahead string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := app.LoadConfig(path)
	if err != nil {
		return err
	}
	offset, err := time.ParseDuration(ahead)
	if err != nil {
		return err
	}
	err = app.Run(ctx, cfg, app.ServiceSettings{
		Stdin: os.Stdin, Log: os.Stderr, Clock: func() time.Time { return time.Now().Add(offset) },
		Ready: func(url string) { fmt.Println(url) }, Grace: 3 * patience,
	}, nil)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// discard is for what opens a store beside the service.
var discard = slog.New(slog.DiscardHandler)

// needEngine skips the test, visibly, where the engine's library cannot be had; in CI that is a failure.
func needEngine(t testing.TB) {
	t.Helper()
	_, err := locate()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

var locate = sync.OnceValues(func() (string, error) {
	return engine.Locate(context.Background(), engine.DefaultConfig("unused"))
})

// service is a child process that runs the service.
type service struct {
	cmd  *exec.Cmd
	url  string
	done chan struct{}
	err  error // valid when done is closed
	log  *syncBuffer
}

// launch starts the service and does not wait for it.
func launch(t testing.TB, config string, ahead time.Duration) (s *service, ready <-chan string) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	s = &service{cmd: exec.Command(self, serviceArg, config, ahead.String()), done: make(chan struct{}), log: &syncBuffer{}}
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	must(t, err)
	must(t, s.cmd.Start())
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			select {
			case first <- lines.Text():
			default:
			}
		}
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() { s.kill() })
	return s, first
}

// start starts the service and waits until it answers.
func start(t testing.TB, config string, ahead time.Duration) *service {
	t.Helper()
	s, ready := launch(t, config, ahead)
	s.await(t, ready)
	return s
}

func (s *service) await(t testing.TB, ready <-chan string) {
	t.Helper()
	select {
	case s.url = <-ready:
	case <-s.done:
		t.Fatalf("the service ended at once: %v\n%s", s.err, s.log)
	case <-time.After(patience):
		t.Fatalf("the service is not ready after %v\n%s", patience, s.log)
	}
}

// kill is kill -9. It may be called again.
func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// interrupt is Ctrl-C; it gives how the process ended.
func (s *service) interrupt(t testing.TB) error {
	t.Helper()
	must(t, s.cmd.Process.Signal(os.Interrupt))
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatalf("the service has not stopped %v after Ctrl-C\n%s", patience, s.log)
	}
	return s.err
}

// engine is the process id of the embedded engine below the service; 0 if there is none at the moment.
func (s *service) engine(t testing.TB) int {
	t.Helper()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc to find the engine's process in")
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // It has just ended.
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(s.cmd.Process.Pid) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			must(t, err)
			return pid
		}
	}
	return 0
}

// get fetches a path of the console.
func get(t testing.TB, url string) (status int, body string, err error) {
	t.Helper()
	client := http.Client{Timeout: patience}
	r, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

// health is the health page by check.
func health(t testing.TB, url string) map[string]console.Check {
	t.Helper()
	_, body, err := get(t, url+"/api/v1/health")
	if err != nil {
		return nil
	}
	var list []console.Check
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("health: %v: %s", err, body)
	}
	out := map[string]console.Check{}
	for _, c := range list {
		out[c.Name] = c
	}
	return out
}

// eventually asks again and again until ok; what says what is waited for and how things stand.
func eventually(t testing.TB, ok func() bool, what func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still not after %v: %s", patience, what())
		}
		time.Sleep(20 * time.Millisecond) // Between two questions to another process; nothing depends on its length.
	}
}

// writeConfig writes a configuration into dir.
func writeConfig(t testing.TB, dir string, cfg app.Config) string {
	t.Helper()
	b, err := yaml.Marshal(cfg)
	must(t, err)
	path := filepath.Join(dir, "tocsin.yaml")
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

// appendTo makes a file longer.
func appendTo(t testing.TB, path string, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = f.Write(data)
	must(t, errors.Join(err, f.Close()))
}

// syncBuffer takes a child's output while the test may look at it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// tempDir is a folder of the test's own. The engine outlives a killed service by a moment and may write while the folder is being removed, so
// removing it is tried until the engine has gone.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tocsin-test-")
	must(t, err)
	t.Cleanup(func() {
		eventually(t, func() bool { err = os.RemoveAll(dir); return err == nil }, func() string { return "the test's folder is removed: " + err.Error() })
	})
	return dir
}
