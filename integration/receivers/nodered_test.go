package receivers_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// took is what the flow noted of a delivery it could verify, or why it could not.
type took struct {
	ID, Subject, Type, Bad string
	Revision               int
}

// receivers fetches what package.json names, unless it is there, and gives the folder it is in.
func receivers(t *testing.T) string {
	t.Helper()
	npm := need(t, "npm")
	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	_, red := os.Stat(filepath.Join(modules, "node-red", "red.js"))
	_, source := os.Stat(filepath.Join(modules, "eventsource", "package.json"))
	if red != nil || source != nil {
		if _, err := output(t, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"); err != nil {
			t.Fatal(err)
		}
	}
	return modules
}

// nodeRED starts Node-RED on a port with a flow of this folder.
func nodeRED(t *testing.T, port, flow string, env ...string) {
	t.Helper()
	node, modules := need(t, "node"), receivers(t)
	red := filepath.Join(modules, "node-red", "red.js")
	dir := t.TempDir()
	for _, name := range []string{"settings.js", flow} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env = append(env, "PORT="+port, "NODE_PATH="+modules)
	run(t, dir, env, node, red, "--userDir", dir, "--settings", filepath.Join(dir, "settings.js"), flow)
	eventually(t, 2*time.Minute, "Node-RED answers", func() bool { return answers("http://127.0.0.1:" + port + "/seen") })
}

func seen(t *testing.T, port string) []took {
	t.Helper()
	resp, err := http.Get("http://127.0.0.1:" + port + "/seen")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out []took
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// gate stands before a receiver: while it is shut, connections are broken off.
type gate struct {
	address string
	open    atomic.Bool
	knocks  atomic.Int32 // while it was shut
}

func newGate(t *testing.T, port string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	g := &gate{address: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if !g.open.Load() {
				g.knocks.Add(1)
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
				continue
			}
			go pass(c, port)
		}
	}()
	return g
}

func pass(c net.Conn, port string) {
	defer c.Close()
	to, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { _, _ = io.Copy(to, c) }()
	_, _ = io.Copy(c, to)
}

// hurried is a clock that begins in the past and runs so much faster until it has come to the present.
type hurried struct {
	from   time.Time // of this machine
	behind time.Duration
	speed  int
}

func (h hurried) now() time.Time {
	real := time.Now()
	if then := h.from.Add(-h.behind + time.Duration(h.speed)*real.Sub(h.from)); then.Before(real) {
		return then
	}
	return real
}

// TestNodeREDGetsEveryFinalVersionOnceAfterTenMinutesAway is ten minutes by the desk's clock, which runs sixty times as fast; with TOCSIN_LONG
// they are ten minutes.
func TestNodeREDGetsEveryFinalVersionOnceAfterTenMinutesAway(t *testing.T) {
	const incidents, changes = 100, 1000
	port := free(t)
	nodeRED(t, port, "flows.json", "SECRET="+secret)
	g := newGate(t, port)
	clock := hurried{from: time.Now(), behind: 13 * time.Minute, speed: 60}
	if os.Getenv("TOCSIN_LONG") != "" {
		clock.behind = 0
	}
	o := &outbox{state: map[event.ID]incident.Delivery{}}
	cfg := endpoint(t, "native", "http://"+g.address+"/hook")
	desk, err := triage.NewDesk(cfg, triage.Settings{Source: "urn:tocsin:test", Now: clock.now, Log: slog.New(slog.DiscardHandler)}, o)
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, desk)
	last, total := map[string]int{}, 0
	for i := range changes {
		n, kind := i%incidents, incident.ChangeUpdated
		switch i / incidents {
		case 0:
			kind = incident.ChangeOpened
		case changes/incidents - 1:
			if n%2 == 0 {
				kind = incident.ChangeClosed
			}
		}
		c := revision(n, i/incidents+1, kind, clock.now())
		o.record(c)
		total++
		last[event.FormatID(event.IncidentPrefix, c.Incident.ID)] = int(c.Incident.Revision)
		if i%incidents == 0 {
			desk.Notify()
			wait(clock, time.Minute)
		}
	}
	g.open.Store(true)
	eventually(t, 3*time.Minute, "all is settled", func() bool {
		done, _ := o.count(incident.DeliveryDone)
		coalesced, _ := o.count(incident.DeliveryCoalesced)
		return done+coalesced == total
	})
	stop()
	verify(t, seen(t, port), last)
	if _, attempts := o.count(incident.DeliveryDone); attempts > 12 {
		t.Errorf("a delivery took %d attempts", attempts)
	}
	if n := g.knocks.Load(); n > 40 {
		t.Errorf("a receiver that was away was asked %d times in ten minutes", n)
	}
	t.Logf("%d changes; %d attempts while it was away; %d deliveries arrived", total, g.knocks.Load(), len(seen(t, port)))
}

// wait lets time pass by a clock.
func wait(c hurried, d time.Duration) {
	for end := c.now().Add(d); c.now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
}

func verify(t *testing.T, arrived []took, last map[string]int) {
	t.Helper()
	times, revisions := map[string]int{}, map[string][]int{}
	for _, x := range arrived {
		if x.Bad != "" {
			t.Fatalf("refused: %s", x.Bad)
		}
		times[x.ID]++
		revisions[x.Subject] = append(revisions[x.Subject], x.Revision)
		if !strings.HasPrefix(x.Type, "incident.") {
			t.Errorf("type %s", x.Type)
		}
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	for id, want := range last {
		got := revisions[id]
		if len(got) == 0 || got[0] != 1 || got[len(got)-1] != want || !slices.IsSorted(got) {
			t.Errorf("%s came as %v, its last revision is %d", id, got, want)
		}
	}
}
