package receivers_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// listened is a line of what the listener says: an event, or how its connection stands.
type listened struct {
	State, ID, Type string
	Status          int
	Data            struct{ Sequence string }
}

// listener is a client of another hand that listens to the stream.
type listener struct {
	mu    sync.Mutex
	lines []listened
}

// listen starts Node with the npm package eventsource.
func listen(t *testing.T, stream, token string) *listener {
	t.Helper()
	node := need(t, "node")
	receivers(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, node, filepath.Join(here, "listen.mjs"))
	cmd.Env = append(os.Environ(), "STREAM="+stream, "TOKEN="+token)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &listener{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var x listened
			if err := json.Unmarshal(lines.Bytes(), &x); err == nil {
				l.mu.Lock()
				l.lines = append(l.lines, x)
				l.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the listener said: %s", said.String())
		}
	})
	return l
}

// state counts how often the connection was said to be so.
func (l *listener) state(s string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.lines {
		if x.State == s {
			n++
		}
	}
	return n
}

// events are the events so far, each as its type and id.
func (l *listener) events() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.lines {
		if x.State == "" {
			out = append(out, x.Type+" "+x.ID)
		}
	}
	return out
}

// TestAClientOfAnotherHandResumesTheStreamWithoutAGapOrARepeat lets the npm package eventsource listen while its connection is broken again and again:
// it comes back by itself with Last-Event-ID, and in the end has heard each change once and in order.
func TestAClientOfAnotherHandResumesTheStreamWithoutAGapOrARepeat(t *testing.T) {
	need(t, "node")
	p := newPlant(t)
	p.config = fmt.Sprintf("sources:\n  - {name: sshd, format: openssh, file: %q}\n", p.file("sshd.log", ""))
	p.write()
	reader := p.token("--name", "wall", "--role", "viewer", "--scope", "read")
	analyst := p.token("--name", "ana", "--role", "analyst", "--scope", "act", "--scope", "read")
	p.start()
	door := newDoor(t, strings.TrimPrefix(p.url, "http://"))
	l := listen(t, "http://"+door.address+"/api/v1/stream", reader)
	eventually(t, time.Minute, "the stream is open", func() bool { return l.state("open") == 1 })

	p.append("sshd.log", refusedLine("user01", time.Now().Add(-time.Minute)))
	eventually(t, 2*time.Minute, "the opening was heard", func() bool { return len(l.events()) > 0 })
	type card struct {
		ID       string
		Revision int
	}
	var page struct{ Incidents []card }
	fetch(t, p.url+"/api/v1/incidents", reader, &page)
	revision, act := page.Incidents[0].Revision, "close"
	for round := range 4 {
		door.shut()
		for range 3 { // While nobody hears it.
			body := fmt.Sprintf(`{"action": %q, "expected_version": %d, "verdict": "test"}`, act, revision)
			if act == "reopen" {
				body = fmt.Sprintf(`{"action": %q, "expected_version": %d}`, act, revision)
			}
			var done struct{ Version int }
			if err := json.Unmarshal(post(t, p.url+"/api/v1/incidents/"+page.Incidents[0].ID+"/actions", analyst, []byte(body)), &done); err != nil {
				t.Fatal(err)
			}
			revision = done.Version
			act = map[string]string{"close": "reopen", "reopen": "close"}[act]
		}
		door.open()
		want := 1 + 3*(round+1)
		eventually(t, 2*time.Minute, fmt.Sprint(want, " events were heard"), func() bool { return len(l.events()) >= want })
	}
	if n := l.state("open"); n < 5 {
		t.Errorf("the connection was opened %d times, and broken four times", n)
	}
	if got, want := l.events(), p.changes(reader); !slices.Equal(got, want) {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// changes are the changes of a plant, each as its type and sequence.
func (p *plant) changes(token string) (out []string) {
	p.t.Helper()
	for line := range bytes.Lines(send(p.t, "GET", p.url+"/api/v1/changes.ndjson", token, nil)) {
		var c struct{ Type, Sequence string }
		if err := json.Unmarshal(line, &c); err != nil {
			p.t.Fatal(err)
		}
		out = append(out, c.Type+" "+c.Sequence)
	}
	return out
}

// door stands before a server: shutting it breaks all connections and refuses new ones.
type door struct {
	address, to string
	mu          sync.Mutex
	closed      bool
	through     map[net.Conn]bool
}

func newDoor(t *testing.T, to string) *door {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{address: in.Addr().String(), to: to, through: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = in.Close(); d.shut() })
	go func() {
		for {
			c, err := in.Accept()
			if err != nil {
				return
			}
			if d.enter(c) {
				go d.pass(c)
			}
		}
	}()
	return d
}

// enter lets a connection in, or breaks it off.
func (d *door) enter(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		return false
	}
	d.through[c] = true
	return true
}

func (d *door) pass(c net.Conn) {
	defer func() {
		_ = c.Close()
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.through, c)
	}()
	_, port, _ := net.SplitHostPort(d.to)
	pass(c, port)
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = false
}

func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for c := range d.through {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
}
