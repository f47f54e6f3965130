package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
	"github.com/tocsin-siem/tocsin/triage"
)

// teachers are the sources that say who has which address. Their records come before the events they explain (docs/rules.md, N7), one source after
// the other; all others grow as they like.
var teachers = []string{"dhcpd", "cisco_ise", "crowdstrike"}

// logFile is what one source is going to say.
type logFile struct {
	name, format string
	data         []byte
}

// night is the main scenario with records among it that are none.
func night(r *rand.Rand) (files []logFile) {
	for _, src := range scenarios.All()[0].Sources {
		f := logFile{src.Name, src.Format, nil}
		for line := range bytes.Lines(src.Data()) {
			if r.IntN(60) == 0 {
				f.data = fmt.Appendf(f.data, "{\"broken\": %d, \xff\n", r.IntN(1000))
			}
			f.data = append(f.data, line...)
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b logFile) int { return rank(a.name) - rank(b.name) })
	return files
}

func rank(name string) int {
	if i := slices.Index(teachers, name); i >= 0 {
		return i
	}
	return len(teachers)
}

// outlet is one run of the service over growing files.
type outlet struct {
	t      *testing.T
	dir    string
	config string
	cfg    app.Config
	ahead  time.Duration
	svc    *service
}

func newOutlet(t *testing.T, files []logFile, hook string) *outlet {
	o := &outlet{t: t, dir: tempDir(t)}
	sc := scenarios.All()[0]
	cfg := app.DefaultConfig()
	cfg.Engine.Dir = filepath.Join(o.dir, "engine")
	cfg.Console.Listen = "127.0.0.1:0"
	cfg.Correlate.Checkpoint = time.Second
	cfg.Ingest.Idle = 24 * time.Hour // No source goes idle: then the order of arrival does not matter (N5).
	cfg.Ingest.Linger = 20 * time.Millisecond
	must(t, app.ScenarioTables(&cfg.Enrich, sc.Tables, o.dir))
	for _, f := range files {
		path := filepath.Join(o.dir, f.name+".log")
		must(t, os.WriteFile(path, nil, 0o600))
		cfg.Sources = append(cfg.Sources, app.SourceConfig{Name: f.name, Format: f.format, File: path, Site: "werk-1", Timezone: "Europe/Berlin"})
	}
	if hook != "" {
		cfg.Triage.Poll = 50 * time.Millisecond
		cfg.Triage.Retry = slices.Repeat([]time.Duration{200 * time.Millisecond}, 50)
		key := filepath.Join(o.dir, "key")
		must(t, os.WriteFile(key, []byte("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32))), 0o600))
		cfg.Triage.Endpoints = []triage.EndpointConfig{{Name: "soc", URL: hook, Secret: triage.Secret{File: key}, AllowCIDRs: []string{"127.0.0.0/8"}, AllowPlainHTTP: true, Timeout: time.Minute}}
	}
	o.cfg = cfg
	o.config = writeConfig(t, o.dir, cfg)
	// Our clock reads the morning after the night, whenever the test runs.
	o.ahead = time.Until(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	return o
}

func (o *outlet) say(name string, data []byte) {
	appendTo(o.t, filepath.Join(o.dir, name+".log"), data)
}

// heard waits until the log has all that a source has said.
func (o *outlet) heard(name string, size int) {
	o.t.Helper()
	want := fmt.Sprintf("; read to %d", size)
	eventually(o.t, func() bool { return strings.HasSuffix(health(o.t, o.svc.url)["source "+name].Detail, want) },
		func() string {
			return fmt.Sprintf("source %s%s; it stands at %q\n%s", name, want, health(o.t, o.svc.url)["source "+name].Detail, o.svc.log)
		})
}

// trace is what a run leaves behind.
type trace struct {
	Events   map[string]string // by id: content and entities
	Rejects  map[string]string // by source and offset
	Findings map[string]string // by id: rule, state, score and evidence
	Groups   []string          // incidents as sets of findings
	Changes  []incident.Change
}

// trace opens the store that the service has left and reads everything.
func (o *outlet) trace() trace {
	t := o.t
	t.Helper()
	db, err := app.OpenDatabase(t.Context(), o.cfg, discard, nil, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	out := trace{Events: map[string]string{}, Rejects: map[string]string{}, Findings: map[string]string{}}
	rows := count(t, db.DB, "SELECT count() FROM events")
	for e, err := range db.Events(t.Context(), store.EventFilter{}) {
		must(t, err)
		refs := slices.Clone(e.Entities)
		slices.SortFunc(refs, func(a, b event.EntityRef) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		out.Events[e.Envelope.ID.String()] = fmt.Sprintf("%s %d %v %s", e.Envelope.Position.Source, e.Envelope.Position.Offset, refs, hex.EncodeToString(event.Append(nil, e)))
	}
	if int(rows) != len(out.Events) {
		t.Errorf("the log has %d rows of %d events: some stand there twice", rows, len(out.Events))
	}
	for r, err := range db.Rejects(t.Context(), store.RejectFilter{}) {
		must(t, err)
		key := fmt.Sprintf("%s %d", r.Position.Source, r.Position.Offset)
		if out.Rejects[key] != "" {
			t.Errorf("the reject at %s stands there twice", key)
		}
		out.Rejects[key] = r.Code + " " + string(r.Raw)
	}
	for f, err := range db.Findings(t.Context(), store.FindingFilter{}) {
		must(t, err)
		if f.State == incident.Withdrawn {
			continue
		}
		var evidence []string
		for _, ev := range f.Evidence {
			evidence = append(evidence, ev.Event.Event.String())
		}
		slices.Sort(evidence)
		out.Findings[f.ID.String()] = fmt.Sprintf("%s %s %d %v", f.Rule.ID, f.State, f.Score, evidence)
	}
	for in, err := range db.Incidents(t.Context(), store.IncidentFilter{Status: []incident.Status{incident.Open, incident.Acknowledged, incident.Closed}}) {
		must(t, err)
		if len(in.Findings) > 0 { // The others were ended when their findings were withdrawn: announcements may differ.
			out.Groups = append(out.Groups, group(in))
		}
	}
	slices.Sort(out.Groups)
	for c, err := range db.Changes(t.Context(), store.ChangeCursor{}, 0) {
		must(t, err)
		out.Changes = append(out.Changes, c)
	}
	return out
}

// group is an incident as the set of its findings.
func group(in *incident.Incident) string {
	var ids []string
	for i := range in.Findings {
		ids = append(ids, in.Findings[i].Rule.ID+" "+in.Findings[i].ID.String())
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}

func count(t testing.TB, db *store.DB, statement string) (n uint64) {
	t.Helper()
	r, err := db.Query(context.Background(), statement)
	must(t, err)
	for row, err := range r.Rows {
		must(t, err)
		n = row[0].(uint64)
	}
	return n
}

// differences compares two maps and shows at most a few of what differs.
func differences(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	shown := 0
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range want {
			if !yield(k) {
				return
			}
		}
		for k := range got {
			if _, both := want[k]; !both && !yield(k) {
				return
			}
		}
	}) {
		w, inWant := want[k]
		g, inGot := got[k]
		if w == g {
			continue
		}
		if shown++; shown > 5 {
			continue
		}
		switch {
		case !inGot:
			t.Errorf("%s %s is lost: %.300s", what, k, w)
		case !inWant:
			t.Errorf("%s %s is a ghost: %.300s", what, k, g)
		default:
			t.Errorf("%s %s differs (-undisturbed +killed):\n%s", what, k, cmp.Diff(w, g))
		}
	}
	if shown > 5 {
		t.Errorf("… %d of %d %ss differ in all", shown, len(want), what)
	}
}

// Whatever is killed whenever: every accepted record is in the log once, every published change follows from the log.
func TestKillsAtRandomMomentsChangeNothing(t *testing.T) {
	needEngine(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	files := night(rand.New(rand.NewPCG(seed, 1)))

	calm := newOutlet(t, files, "")
	calm.svc = start(t, calm.config, calm.ahead)
	for _, f := range files {
		calm.say(f.name, f.data)
		if rank(f.name) < len(teachers) {
			calm.heard(f.name, len(f.data))
		}
	}
	for _, f := range files {
		calm.heard(f.name, len(f.data))
	}
	if err := calm.svc.interrupt(t); err != nil {
		t.Fatalf("the undisturbed run ended with %v\n%s", err, calm.svc.log)
	}
	want := calm.trace()
	if len(want.Events) < 5000 || len(want.Rejects) < 20 || len(want.Findings) < 10 || len(want.Groups) == 0 {
		t.Fatalf("the test is void: %d events, %d rejects, %d findings, %d incidents", len(want.Events), len(want.Rejects), len(want.Findings), len(want.Groups))
	}

	hook := newReceiver(t)
	rough := newOutlet(t, files, hook.url())
	disturb(rough, files, rand.New(rand.NewPCG(seed, 2)))
	hook.quiet(t, rough.svc)
	if err := rough.svc.interrupt(t); err != nil {
		t.Fatalf("the last run ended with %v\n%s", err, rough.svc.log)
	}
	got := rough.trace()
	differences(t, "event", want.Events, got.Events)
	differences(t, "reject", want.Rejects, got.Rejects)
	differences(t, "finding", want.Findings, got.Findings)
	if diff := cmp.Diff(want.Groups, got.Groups); diff != "" {
		t.Errorf("incidents (-undisturbed +killed):\n%s", diff)
	}
	hook.follows(t, got.Changes, "soc")
}

// kills is how often the service or its engine is killed.
const kills = 8

// disturb lets the files grow bit by bit and kills what runs now and then.
func disturb(o *outlet, files []logFile, r *rand.Rand) {
	t := o.t
	type bite struct {
		name string
		data []byte
		end  int // wait until the log has so much of it; 0: do not
	}
	var bites []bite
	cut := func(f logFile, pieces int, wait bool) (out []bite) {
		at := 0
		for i := range pieces {
			end := len(f.data)
			if i < pieces-1 {
				end = at + r.IntN(len(f.data)-at)/2
			}
			out = append(out, bite{name: f.name, data: f.data[at:end]})
			at = end
		}
		if wait {
			out[len(out)-1].end = len(f.data)
		}
		return out
	}
	var rest [][]bite
	for _, f := range files {
		if rank(f.name) < len(teachers) {
			bites = append(bites, cut(f, 3, true)...)
		} else {
			rest = append(rest, cut(f, 4, false))
		}
	}
	for len(rest) > 0 {
		i := r.IntN(len(rest))
		bites = append(bites, rest[i][0])
		if rest[i] = rest[i][1:]; len(rest[i]) == 0 {
			rest = slices.Delete(rest, i, i+1)
		}
	}
	when := map[int]bool{}
	for len(when) < kills {
		when[r.IntN(len(bites))] = true
	}
	o.svc = start(t, o.config, o.ahead)
	for i, b := range bites {
		o.say(b.name, b.data)
		if when[i] {
			o.strike(r)
		}
		if b.end > 0 {
			o.heard(b.name, b.end)
		}
	}
	for _, f := range files {
		o.heard(f.name, len(f.data))
	}
}

// strike kills the engine, or the service once or twice, at a moment nobody chose.
func (o *outlet) strike(r *rand.Rand) {
	t := o.t
	pause := func(most int) { time.Sleep(time.Duration(r.IntN(most)) * time.Millisecond) }
	pause(300)
	if pid := o.svc.engine(t); pid != 0 && r.IntN(3) == 0 {
		t.Logf("kill the engine")
		if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) { // The one that was killed before may just have gone.
			must(t, err)
		}
		return
	}
	o.svc.kill()
	for r.IntN(3) == 0 {
		t.Logf("kill the service while it starts")
		s, _ := launch(t, o.config, o.ahead)
		pause(900)
		s.kill()
	}
	t.Logf("kill the service")
	o.svc = start(t, o.config, o.ahead)
}
