// Package receivers_test sends to programs of other hands: Node-RED with the libraries of Standard Webhooks and CloudEvents, and Prometheus
// Alertmanager.
package receivers_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

const secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// need ends a test where a program is missing: with a failure on the build machine, else skipped.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil && os.Getenv("TOCSIN_INTEGRATION") != "" {
		return path
	}
	if os.Getenv("CI") == "true" && os.Getenv("TOCSIN_INTEGRATION") != "" {
		t.Fatalf("%s is required with CI=true", program)
	}
	t.Skipf("needs %s and TOCSIN_INTEGRATION=1", program)
	return ""
}

// patience is how long anything may take at least, on a machine that may be slow and busy; a test that needs it all has failed.
const patience = 5 * time.Minute

// free is a port of loopback that nobody listens on just now, for a program that starts later. It is none of those that the system gives to
// connections and to whoever asks for any, so that nobody has it by then.
func free(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(10_000 + rand.IntN(22_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("of a hundred ports none is free")
	return ""
}

// run starts a program that ends with the test, and shows what it said if the test failed.
func run(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), said.String())
		}
	})
}

// output runs a program to its end and gives what it wrote on standard output; what it said besides is in the error.
func output(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, said.String())
	}
	return out.String(), nil
}

// eventually waits until something holds, for so long or for our patience.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	within = max(within, patience)
	for end := time.Now().Add(within); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func answers(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// outbox is what is owed, in memory.
type outbox struct {
	mu      sync.Mutex
	changes []incident.Change
	state   map[event.ID]incident.Delivery
}

func (o *outbox) record(changes ...incident.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range changes {
		c.Batch = event.BatchID{Epoch: 1, Number: uint64(len(o.changes) + 1)}
		o.changes = append(o.changes, c)
	}
}

// Pending implements triage.Outbox.
func (o *outbox) Pending(_ context.Context, r triage.Route, limit int) ([]incident.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []incident.Delivery
	for _, c := range o.changes {
		d := o.state[incident.DeliveryID(c.Incident.ID, c.Incident.Revision, r.Endpoint)]
		if !r.Owes(&c) || d.State != "" && d.State != incident.DeliveryPending || len(out) == limit {
			continue
		}
		d.ID, d.Endpoint, d.Change = incident.DeliveryID(c.Incident.ID, c.Incident.Revision, r.Endpoint), r.Endpoint, c
		out = append(out, d)
	}
	return out, nil
}

// Settle implements triage.Outbox.
func (o *outbox) Settle(_ context.Context, deliveries []incident.Delivery) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range deliveries {
		o.state[d.ID] = d
	}
	return nil
}

func (o *outbox) count(state incident.DeliveryState) (n, attempts int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.state {
		attempts = max(attempts, d.Attempts)
		if d.State == state {
			n++
		}
	}
	return n, attempts
}

// revision is a change of incident n.
func revision(n, rev int, kind incident.ChangeKind, at time.Time) incident.Change {
	in := &incident.Incident{
		ID: event.NewID("incident", fmt.Sprint(n)), Revision: int32(rev), Status: incident.Open, Title: fmt.Sprintf("Mode change on h%d", n), Severity: incident.High, Owner: "robot-operations",
		First: at.UnixMicro(), Last: at.UnixMicro(), Opened: at.UnixMicro(), Updated: at.UnixMicro(),
	}
	if kind == incident.ChangeClosed {
		in.Status, in.Verdict, in.ClosedAt = incident.Closed, incident.Misuse, at.UnixMicro()
	}
	return incident.Change{Kind: kind, Fields: []string{"findings"}, Actor: "rule:r1", Incident: in}
}

// endpoint is the configuration of one on loopback.
func endpoint(t *testing.T, adapter, url string) triage.Config {
	t.Helper()
	t.Setenv("TOCSIN_TEST_SECRET", secret)
	cfg := triage.DefaultConfig()
	cfg.ConsoleURL, cfg.Poll = "https://console.example", 20*time.Millisecond
	cfg.Endpoints = []triage.EndpointConfig{{
		Name: "soar", Adapter: adapter, URL: url, Secret: triage.Secret{Env: "TOCSIN_TEST_SECRET"}, AllowPlainHTTP: true, AllowCIDRs: []string{"127.0.0.0/8"}, Timeout: time.Minute,
	}}
	return cfg
}
