// Package languages_test feeds the whole thing, the program as people run it with the embedded ClickHouse engine and a real Apache Kafka, by
// producers that share no code with it: the official Java client with its own Avro and Protocol Buffers, and franz-go. `make integration` runs it.
package languages_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/integration/broker"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// patience is how long anything may take; a test that needs it all has failed.
const patience = 5 * time.Minute

// needEngine skips the test, visibly, where the engine's library cannot be had; in CI that is a failure.
func needEngine(t *testing.T) {
	t.Helper()
	_, err := engine.Locate(t.Context(), engine.DefaultConfig("unused"))
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// plant is an installation: the program, its configuration, and the service where it runs.
type plant struct {
	t       *testing.T
	program string
	config  string
	url     string
	service *exec.Cmd
	done    chan struct{}
	err     error // How the service ended; valid when done is closed.
	log     *syncBuffer
}

// newPlant builds the program and writes its configuration; settings are YAML beside those of console and engine.
func newPlant(t *testing.T, settings string) *plant {
	t.Helper()
	dir := tempDir(t)
	address := broker.FreeAddress(t)
	o := &plant{t: t, program: filepath.Join(dir, "tocsin"), config: filepath.Join(dir, "tocsin.yaml"), url: "http://" + address, log: &syncBuffer{}}
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", o.program, "../../cmd/tocsin").CombinedOutput(); err != nil {
		t.Fatalf("build tocsin: %v\n%s", err, said)
	}
	settings += fmt.Sprintf("console: {listen: %q}\nengine: {dir: %q}\n", address, filepath.Join(dir, "engine"))
	must(t, os.WriteFile(o.config, []byte(settings), 0o600))
	t.Cleanup(func() {
		o.kill()
		if t.Failed() {
			t.Logf("what the service said:\n%s", o.log)
		}
	})
	return o
}

// start runs the service and returns when it answers.
func (o *plant) start() {
	o.t.Helper()
	o.service = exec.Command(o.program, "run", "--config", o.config)
	o.service.Stderr = o.log
	must(o.t, o.service.Start())
	done := make(chan struct{})
	o.done = done
	go func() {
		o.err = o.service.Wait()
		close(done)
	}()
	o.eventually(func() bool { return len(o.health()) > 0 }, func() string { return "the service answers" })
}

// stop is Ctrl-C; it fails the test if the service does not end well.
func (o *plant) stop() {
	o.t.Helper()
	must(o.t, o.service.Process.Signal(os.Interrupt))
	select {
	case <-o.done:
	case <-time.After(patience):
		o.t.Fatalf("the service has not ended after %v", patience)
	}
	if o.err != nil {
		o.t.Fatalf("the service ended with %v", o.err)
	}
	o.service = nil
}

func (o *plant) kill() {
	if o.service != nil {
		_ = o.service.Process.Kill()
		<-o.done
	}
}

// command runs the program and gives what it prints.
func (o *plant) command(arguments ...string) []byte {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.program, append(arguments, "--config", o.config)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("tocsin %s: %v\n%s%s", strings.Join(arguments, " "), err, out, said.Bytes())
	}
	return out
}

// rows reads one JSON value a line.
func rows[T any](t *testing.T, text []byte) (out []T) {
	t.Helper()
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var row T
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		out = append(out, row)
	}
}

// get fetches a path of the console.
func (o *plant) get(path string) (status int, body []byte, err error) {
	client := http.Client{Timeout: time.Minute}
	r, err := client.Get(o.url + path)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	body, err = io.ReadAll(r.Body)
	return r.StatusCode, body, err
}

// health is /api/v1/health by check; it is empty while nobody answers.
func (o *plant) health() map[string]console.Check {
	o.t.Helper()
	out := map[string]console.Check{}
	_, body, err := o.get("/api/v1/health")
	if err != nil {
		return out
	}
	var list []console.Check
	if err := json.Unmarshal(body, &list); err != nil {
		o.t.Fatalf("health: %v: %s", err, body)
	}
	for _, c := range list {
		out[c.Name] = c
	}
	return out
}

// readTo is how far the log has a source, as health tells; -1 for not at all.
func (o *plant) readTo(source string) (offset int64) {
	_, rest, found := strings.Cut(o.health()["source "+source].Detail, "; read to ")
	if _, err := fmt.Sscan(strings.TrimSuffix(rest, "; idle"), &offset); !found || err != nil {
		return -1
	}
	return offset
}

// eventually asks again and again until ok, or until the service has ended; what says what is waited for.
func (o *plant) eventually(ok func() bool, what func() string) {
	o.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		select {
		case <-o.done:
			o.t.Fatalf("the service has ended with %v; waited for: %s", o.err, what())
		case <-time.After(50 * time.Millisecond): // Between two questions to another process; nothing depends on its length.
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("still not after %v: %s", patience, what())
		}
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
		for deadline := time.Now().Add(patience); ; {
			err := os.RemoveAll(dir)
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("remove the test's folder: %v", err)
				return
			}
			time.Sleep(50 * time.Millisecond) // The engine is ending.
		}
	})
	return dir
}
