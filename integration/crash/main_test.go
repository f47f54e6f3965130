// Package crash_test kills and starves the whole thing: tocsin as a process of its own, the embedded ClickHouse engine and a real Apache Kafka.
// `make integration` does it ten times, `make integration-long` two hundred times; ROUNDS says otherwise.
package crash_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/store/engine"
)

const (
	// serviceArg makes the test binary the service: the configuration file and how far our clock is ahead of the machine's follow.
	serviceArg = "service-child"
	// session is how long the group waits for a killed member. Configuration files may not say less than 6 s; a test need not wait that long
	// after each of hundreds of kills.
	session = 2500 * time.Millisecond
	// patience is how long anything may take; a test that needs it all has failed.
	patience = 5 * time.Minute
)

// TestMain is also what the children of the tests run: the service, and the embedded engine below it.
func TestMain(m *testing.M) {
	child := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	switch {
	case len(os.Args) > 1 && os.Args[1] == "engine":
		child(engine.ServeChild(os.Stdin, os.Stdout))
	case len(os.Args) > 3 && os.Args[1] == serviceArg:
		child(serveChild(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// serveChild is `tocsin run`, with a clock that can be ahead so that the records lie in the past.
func serveChild(path, ahead string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := app.LoadConfig(path)
	if err != nil {
		return err
	}
	cfg.Kafka.Session = session
	offset, err := time.ParseDuration(ahead)
	if err != nil {
		return err
	}
	err = app.Run(ctx, cfg, app.ServiceSettings{
		Log: os.Stderr, Clock: func() time.Time { return time.Now().Add(offset) }, Ready: func(url string) { fmt.Println(url) }, Grace: 2 * patience,
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
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc to find processes in")
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
	err  error // Valid when done is closed.
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
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("the last words of service %d:\n%s", s.cmd.Process.Pid, s.log.tail())
		}
	})
	return s, first
}

// start starts the service and waits until it answers.
func start(t testing.TB, config string, ahead time.Duration) *service {
	t.Helper()
	s, ready := launch(t, config, ahead)
	select {
	case s.url = <-ready:
	case <-s.done:
		t.Fatalf("the service ended at once: %v\n%s", s.err, s.log)
	case <-time.After(patience):
		t.Fatalf("the service is not ready after %v\n%s", patience, s.stuck(t))
	}
	return s
}

func (s *service) pid() int { return s.cmd.Process.Pid }

// kill is kill -9. It may be called again.
func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// ended waits for the end of the service and gives how it ended.
func (s *service) ended(t testing.TB) error {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatalf("the service has not ended after %v\n%s", patience, s.stuck(t))
	}
	return s.err
}

// stuck says how a service stands that has not done what it was to do: its health, its last words, and where its goroutines are. That ends it.
func (s *service) stuck(t testing.TB) string {
	t.Helper()
	var out strings.Builder
	checks := s.health(t)
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		fmt.Fprintf(&out, "%s: %s (good: %t)\n", name, checks[name].Detail, checks[name].Good)
	}
	out.WriteString(s.log.tail())
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // The runtime writes all stacks and ends the process.
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		s.kill()
	}
	_, stacks, _ := strings.Cut(s.log.String(), "SIGQUIT: quit")
	out.WriteString(ours(stacks))
	return out.String()
}

// ours is the stacks of goroutines, each as its state and our functions in it, those that are alike once.
func ours(stacks string) string {
	count := map[string]int{}
	for _, stack := range strings.Split(stacks, "\n\n") {
		head, frames, _ := strings.Cut(strings.TrimSpace(stack), "\n")
		_, state, _ := strings.Cut(head, "[")
		var names []string
		for line := range strings.Lines(frames) {
			if name, is := strings.CutPrefix(line, "github.com/tocsin-siem/tocsin/"); is {
				names = append(names, name[:max(0, strings.LastIndex(name, "("))])
			}
		}
		if len(names) > 0 {
			count["["+state+" "+strings.Join(names[:min(6, len(names))], " < ")]++
		}
	}
	var out strings.Builder
	for _, stack := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(&out, "%d × %s\n", count[stack], stack)
	}
	return out.String()
}

// interrupt is Ctrl-C; it fails the test if the service does not end well.
func (s *service) interrupt(t testing.TB) {
	t.Helper()
	must(t, s.cmd.Process.Signal(os.Interrupt))
	if err := s.ended(t); err != nil {
		t.Fatalf("the service ended with %v\n%s", err, s.log)
	}
}

// engine is the process id of the embedded engine below the service; 0 if there is none at the moment.
func (s *service) engine(t testing.TB) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // It has just ended.
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(s.pid()) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			must(t, err)
			return pid
		}
	}
	return 0
}

// memory is how much of the machine's memory the service has (VmRSS) and had at most (VmHWM), in MiB.
func (s *service) memory(t testing.TB) (now, peak int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	must(t, err)
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		switch {
		case words[0] == "VmRSS:":
			now, _ = strconv.Atoi(words[1])
		case words[0] == "VmHWM:":
			peak, _ = strconv.Atoi(words[1])
		}
	}
	return now >> 10, peak >> 10
}

// get fetches a path of the console.
func get(url string) (status int, body []byte, err error) {
	client := http.Client{Timeout: time.Minute}
	r, err := client.Get(url)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	body, err = io.ReadAll(r.Body)
	return r.StatusCode, body, err
}

// health is the health page by check; it is empty while nobody answers.
func (s *service) health(t testing.TB) map[string]console.Check {
	t.Helper()
	out := map[string]console.Check{}
	_, body, err := get(s.url + "/api/v1/health")
	if err != nil {
		return out
	}
	var list []console.Check
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("health: %v: %s", err, body)
	}
	for _, c := range list {
		out[c.Name] = c
	}
	return out
}

// bad waits until a check of the health page is bad and says all the words, and holds /api/v1/health and /readyz against it.
func (s *service) bad(t testing.TB, check string, words ...string) {
	t.Helper()
	eventually(t, func() bool {
		c := s.health(t)[check]
		if c.Name == "" || c.Good {
			return false
		}
		for _, w := range words {
			if !strings.Contains(c.Detail, w) {
				return false
			}
		}
		return true
	}, func() string {
		return fmt.Sprintf("check %q is bad and says %q; it is %+v", check, words, s.health(t)[check])
	})
	if status, body, err := get(s.url + "/api/v1/health"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("/api/v1/health answers %d (%v), want 503: %s", status, err, body)
	}
	status, body, err := get(s.url + "/readyz")
	var ready struct{ Checks []console.Check }
	if err == nil {
		err = json.Unmarshal(body, &ready)
	}
	named := false
	for _, c := range ready.Checks {
		named = named || c.Name == check && !c.Good
	}
	// A restart would not help, so the supervisor must not see an unready process; people see why it waits.
	if err != nil || status != http.StatusOK || !named {
		t.Errorf("/readyz answers %d (%v), want 200 with %s not good: %s", status, err, check, body)
	}
	t.Logf("health: %s: %s", check, s.health(t)[check].Detail)
}

// good waits until a check is good again.
func (s *service) good(t testing.TB, check string) {
	t.Helper()
	eventually(t, func() bool { return s.health(t)[check].Good }, func() string {
		return fmt.Sprintf("check %q is good again; it is %+v", check, s.health(t)[check])
	})
}

// eventually asks again and again until ok; what says what is waited for and how things stand.
func eventually(t testing.TB, ok func() bool, what func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still not after %v: %s", patience, what())
		}
		time.Sleep(50 * time.Millisecond) // Between two questions to another process; nothing depends on its length.
	}
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

func (s *syncBuffer) tail() string {
	text := s.String()
	return text[max(0, len(text)-3000):]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

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
