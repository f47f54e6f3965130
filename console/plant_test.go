package console_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

const (
	second = int64(1_000_000)
	minute = 60 * second
	// night is 2026-11-21T02:00:00Z.
	night = int64(1795226400) * second
)

// plant is a Reader and an Analyst over a stitcher, with the events behind its incidents.
type plant struct {
	mu       sync.Mutex
	stitcher *incident.Stitcher
	fixed    []*incident.Incident // Incidents beside the stitcher's.
	events   map[event.ID]*event.Event
	rejected []event.Reject
	checks   []console.Check
	broken   error // What every read fails with.
	limits   []int // What was asked for.
	acts     []incident.Action
	changes  int
	views    kept
	replies  replies
	happened []incident.Change
	held     []incident.Suppression // Beside the stitcher's.
	now      int64
}

func (p *plant) Incidents(ctx context.Context, ids []event.ID) ([]*incident.Incident, error) {
	var out []*incident.Incident
	for _, id := range ids {
		in, err := p.Incident(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, nil
}

// board is the incidents as they are now.
func (p *plant) board() *board.Board {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := board.New(board.Settings{Now: func() int64 { return p.now }, Zones: func(string) string { return "cell-7" }})
	list := append(p.stitcher.Incidents(), p.fixed...)
	for _, a := range p.acts { // merged ones
		if in := p.stitcher.Get(a.Incident); in != nil {
			list = append(list, in)
		}
	}
	for i, in := range list {
		b.Publish([]incident.Change{{Batch: event.BatchID{Epoch: 1, Number: uint64(i + 1)}, Kind: incident.ChangeUpdated, Incident: in}})
	}
	return b
}

func (p *plant) List(ctx context.Context, q board.Query) (board.Page, error) {
	p.limits = append(p.limits, q.Limit)
	page, err := p.board().List(ctx, q)
	return page, cmp.Or(p.broken, err)
}

func (p *plant) Get(id event.ID) *board.Card       { return p.board().Get(id) }
func (p *plant) Of(c *incident.Change) *board.Card { return p.board().Of(c) }
func (p *plant) Last() triage.Sequence             { return p.board().Last() }
func (p *plant) ServeStream(w http.ResponseWriter, r *http.Request, pass triage.Pass) {
	p.feed().ServeStream(w, r, pass)
}

func (p *plant) ServeChanges(w http.ResponseWriter, r *http.Request, pass triage.Pass) {
	p.feed().ServeChanges(w, r, pass)
}

func (p *plant) feed() *triage.Feed { return triage.NewFeed("urn:tocsin:plant", "", p) }

func (p *plant) Changes(_ context.Context, after triage.Sequence, limit int) ([]incident.Change, error) {
	var out []incident.Change
	for i, in := range append(p.stitcher.Incidents(), p.fixed...) {
		c := incident.Change{Batch: event.BatchID{Epoch: 1, Number: uint64(i + 1)}, Kind: incident.ChangeUpdated, Actor: "system", Incident: in}
		if after.Less(triage.SequenceOf(&c)) && len(out) < limit {
			out = append(out, c)
		}
	}
	return out, p.broken
}

// kept are the views somebody has saved, by id.
type kept struct{ list map[string]console.QueueView }

func (k *kept) Views(context.Context) ([]console.QueueView, error) {
	return slices.Collect(maps.Values(k.list)), nil
}

func (k *kept) Keep(_ context.Context, v console.QueueView, _ string) (console.QueueView, error) {
	if k.list[v.ID].Revision != v.Revision {
		return v, incident.ErrStale
	}
	v.Revision++
	k.list[v.ID] = v
	return v, nil
}

func (k *kept) Drop(_ context.Context, v console.QueueView, _ string) error {
	if k.list[v.ID].Revision != v.Revision {
		return incident.ErrStale
	}
	delete(k.list, v.ID)
	return nil
}

func (p *plant) Incident(_ context.Context, id event.ID) (*incident.Incident, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if in := p.stitcher.Get(id); in != nil {
		return in, p.broken
	}
	for _, in := range p.fixed {
		if in.ID == id {
			return in, p.broken
		}
	}
	return nil, cmp.Or(p.broken, console.ErrNotFound)
}

func (p *plant) Event(_ context.Context, id event.ID) (*event.Event, error) {
	if e := p.events[id]; e != nil {
		return e, p.broken
	}
	return nil, cmp.Or(p.broken, console.ErrNotFound)
}

func (p *plant) Rejects(_ context.Context, limit int) ([]event.Reject, error) {
	p.limits = append(p.limits, limit)
	return p.rejected[:min(limit, len(p.rejected))], p.broken
}

func (p *plant) Act(_ context.Context, a incident.Action) ([]incident.Change, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts = append(p.acts, a)
	changes, err := p.stitcher.Act(a, event.BatchID{Epoch: 1, Number: uint64(len(p.acts))})
	p.changes += len(changes)
	p.happened = append(p.happened, changes...)
	return changes, err
}

// Look implements console.Looks.
func (p *plant) Look(a incident.Action) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.stitcher.Act(a, event.BatchID{Epoch: 1})
}

func newPlant() *plant {
	cfg := incident.DefaultConfig()
	cfg.Compile = compile
	return &plant{
		views: kept{map[string]console.QueueView{}}, stitcher: incident.NewStitcher(cfg, nil), events: map[event.ID]*event.Event{}, now: night + 41*minute,
		checks: []console.Check{{Name: "store", Good: true, Detail: "ClickHouse 26.5.1, 12 parts"}, {Name: "source okta", Good: false, Detail: "silent for 3 h: is the file still written?"}},
	}
}

// handler is the console over the plant.
func (p *plant) handler(t testing.TB) http.Handler {
	t.Helper()
	h, err := console.New(p.settings())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (p *plant) settings() console.Settings {
	return console.Settings{
		Reader: p, Analyst: p, Looks: p, Board: p, Feed: p, Saved: &p.views, Health: func() []console.Check { return p.checks }, Log: slog.New(slog.DiscardHandler), Now: func() int64 { return p.now },
		Replies: &p.replies, Suppressions: p, Measures: p, Shift: p,
		Bundle: fstest.MapFS{}, // The same pages whether a script was built or not.
	}
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	return ask(h, httptest.NewRequest(http.MethodGet, path, nil))
}

func post(h http.Handler, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return ask(h, r)
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	if r.Host == "example.com" { // what httptest puts where the test says nothing
		r.Host = "localhost:8080"
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// see adds an event at a time after night and gives its reference.
func (p *plant) see(at int64, format, raw string, e event.Event) *event.Ref {
	e.Time = night + at
	e.SeverityID = cmp.Or(e.SeverityID, 1)
	e.Envelope = event.Envelope{
		ID: event.NewID(format, fmt.Sprint(at), raw), Position: event.Position{Source: format + "-plant-1", Offset: int64(len(p.events)) * 731}, Format: format, Site: "plant-1",
		Received: e.Time + 2*second, Raw: []byte(raw), TimeSource: event.TimeParsed,
	}
	e.FindEntities()
	p.events[e.Envelope.ID] = &e
	return event.RefOf(&e)
}

func finding(rule, title string, severity incident.Severity, score int, tags []string, steps ...incident.Evidence) incident.Finding {
	first, last := steps[0].Event, steps[len(steps)-1].Event
	return incident.Finding{
		ID: event.NewID("finding", rule, first.Event.String()), Revision: 1, State: incident.Final, First: first.Time, Time: last.Time, Seen: last.Received, Score: score,
		Severity: severity, Rule: incident.RuleRef{ID: rule, Version: 2, Title: title, Tags: tags}, Evidence: steps,
	}
}

// compromised is the plant in the night in which a technician's account is taken over and a robot changed with it.
func compromised(t testing.TB) (*plant, *incident.Incident) {
	t.Helper()
	p := newPlant()
	ana := event.User{UID: "00u1anaf", Email: "ana.field@plant.example", Name: "ana.field@plant.example"}
	laptop := event.Device{UID: "aid-77f3c1", Hostname: "lt-ana-07.plant.example"}
	amr := event.Robot{UID: "acme/AMR-0042", Vendor: "acme", IP: "10.40.7.42", Zone: "cell-7", Restricted: event.True}
	abroad := event.Endpoint{IP: "203.0.113.77", More: &event.EndpointMore{Location: event.Location{Country: "BR"}}}
	prompt := func(at int64, status uint8) *event.Ref {
		return p.see(at, "okta", `{"eventType":"user.authentication.auth_via_mfa","outcome":{"result":"FAILURE"}}`, event.Event{
			ClassUID: event.ClassAuthentication, ActivityID: event.ActivityOther, Activity: event.MFAChallenge, StatusID: status, User: ana, SrcEndpoint: abroad,
			AuthFactor: event.AuthFactor{TypeID: 5}, StatusDetail: "user rejected push", Metadata: event.Metadata{Product: "Okta", Vendor: "Okta"},
		})
	}
	fatigue := finding("rb-0003", "Second-factor fatigue, then a sign-in from a new country", incident.High, 70, []string{"attack.t1621", "attack.t1078"},
		incident.Evidence{Step: "prompts", Event: prompt(0, 2)}, incident.Evidence{Step: "prompts", Event: prompt(20*second, 2)}, incident.Evidence{Step: "prompts", Event: prompt(41*second, 2)},
		incident.Evidence{Step: "passed", Event: prompt(65*second, 1)},
		incident.Evidence{Step: "sign_in", Event: p.see(66*second, "okta", `{"eventType":"user.session.start","outcome":{"result":"SUCCESS"},"client":{"ipAddress":"203.0.113.77"}}`, event.Event{
			ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 1, User: ana, SrcEndpoint: abroad, Service: event.Service{Name: "Fleet console"}, IsRemote: event.True,
		})})
	exception := finding("rb-0004", "Stale posture let onto the robot network by exception", incident.High, 60, []string{"ics.t0864"},
		incident.Evidence{Step: "posture", Event: p.see(4*minute, "intune", `{"deviceName":"LT-ANA-07","complianceState":"noncompliant"}`, event.Event{
			ClassUID: event.ClassDeviceConfigChange, ActivityID: 1, User: ana, Device: laptop, Posture: &event.Posture{SecurityLevelID: 2, PrevSecurityLevelID: 1},
		})},
		incident.Evidence{Step: "exception", Event: p.see(6*minute, "cisco_ise", `<181>Nov 21 02:06:00 ise01 CISE_Passed_Authentications 0000012345 1 0 5200 NOTICE`, event.Event{
			ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 1, User: ana, SrcEndpoint: event.Endpoint{MAC: "3c:22:fb:00:11:07", IP: "10.40.7.9"}, DstEndpoint: event.Endpoint{VLAN: "407"},
			Policy: &event.Policy{Name: "robot-vlan-exception"}, Device: laptop, AuthProtocol: "EAP-TLS",
		})})
	program := finding("rb-0005", "Mode change and new program on a robot in a restricted area", incident.Critical, 85, []string{"ics.t0858", "ics.t0843"},
		incident.Evidence{Step: "mode", Event: p.see(10*minute, "universal_robots", `mode: AUTOMATIC -> MANUAL`, event.Event{
			ClassUID: event.ClassRobotState, ActivityID: 1, Robot: with(amr, func(r *event.Robot) { r.ModeID, r.PrevModeID = 3, 1 }), Actor: event.Actor{User: ana},
		})},
		incident.Evidence{Step: "program", Event: p.see(11*minute, "universal_robots", `load program pick_v9_final.urp`, event.Event{
			ClassUID: event.ClassRobotControl, ActivityID: 4, StatusID: 1, Robot: with(amr, func(r *event.Robot) { r.ProgramUID = "pick_v9_final.urp" }), Actor: event.Actor{User: ana},
			Command: &event.Command{Name: "load", Args: "pick_v9_final.urp"}, SrcEndpoint: event.Endpoint{IP: "10.40.7.9"},
		})})
	program.Vars = []incident.Var{{Name: "user", Value: "user:00u1anaf"}, {Name: "robot", Value: "robot:acme/amr-0042"}}
	program.Rule.Response = "Have OT operations stop the cell if people are near; keep the controller's log."
	outside := event.Endpoint{IP: "198.51.100.200", Port: 8443}
	flow := func(at, bytes int64) *event.Ref {
		return p.see(at, "zeek", `{"_path":"conn","id.orig_h":"10.40.7.42","id.resp_h":"198.51.100.200"}`, event.Event{
			ClassUID: event.ClassNetwork, ActivityID: 6, SrcEndpoint: event.Endpoint{IP: "10.40.7.42"}, DstEndpoint: outside, Robot: &amr, AppProtocol: "ssl",
			Traffic: &event.Traffic{BytesOut: event.IntOf(bytes)}, Connection: event.Connection{Protocol: "tcp", DirectionID: 2},
		})
	}
	burst := finding("rb-0008", "Burst of telemetry to an address never seen before", incident.High, 65, []string{"attack.t1041"},
		incident.Evidence{Step: "burst", Event: flow(18*minute, 48_211_004)}, incident.Evidence{Step: "burst", Event: flow(18*minute, 51_003_118)}, incident.Evidence{Step: "burst", Event: flow(18*minute+second, 50_417_220)})
	burst.Repeats = 14
	alert := finding("rb-0012", "Network alert on a robot's address", incident.Medium, 40, nil, incident.Evidence{Step: "alert", Event: p.see(19*minute, "suricata", `{"event_type":"alert"}`, event.Event{
		ClassUID: event.ClassDetection, ActivityID: 1, SeverityID: 4, Finding: &event.Finding{Title: "TLS to a host with a self-signed certificate"}, SrcEndpoint: event.Endpoint{IP: "10.40.7.42"}, DstEndpoint: outside, Robot: &amr,
	})})
	notes := []event.Note{
		{Entity: "device:aid-77f3c1", What: "posture", Prev: "secure", Value: "at_risk", Ref: exception.Evidence[0].Event},
		{Entity: "robot:acme/amr-0042", What: "firmware", Prev: "5.14.2", Value: "5.14.3", Ref: p.see(-25*minute, "universal_robots", `firmware 5.14.3 installed`, event.Event{
			ClassUID: event.ClassAppLifecycle, ActivityID: 8, Robot: &amr, App: &event.Product{Name: "controller", Version: "5.14.3", PrevVersion: "5.14.2"},
		})},
		{Entity: "robot:acme/amr-0042", What: "mode", Prev: "automatic", Value: "manual", Actor: "user:00u1anaf", Ref: program.Evidence[0].Event},
		{Entity: "robot:acme/amr-0042", What: "program", Prev: "pick_v8.urp", Value: "pick_v9_final.urp", Actor: "user:00u1anaf", Ref: program.Evidence[1].Event},
	}
	p.stitcher.Apply([]incident.Finding{fatigue, exception, program, burst, alert}, notes, event.BatchID{Epoch: 1}, night+20*minute)
	all := p.stitcher.Incidents()
	if len(all) != 1 {
		t.Fatalf("the plant has %d incidents, not one", len(all))
	}
	p.rejected = []event.Reject{{
		Position: event.Position{Source: "okta-plant-1", Offset: 88213}, Format: "okta", Received: night, Code: "json_syntax", Reason: "The object ends at byte 54 inside a string.", Raw: []byte(`{"uuid":"7b0fd2c6-4f60-11f0-9d1a-1e00d9a8f7c1","publ`),
	}}
	return p, all[0]
}

func with(r event.Robot, edit func(*event.Robot)) *event.Robot {
	edit(&r)
	return &r
}

// routine are further incidents for the queue.
func routine() []*incident.Incident {
	var out []*incident.Incident
	for i, title := range []string{"Repeated protective stops of AMR-0017", "Sign-in of a contractor outside the shift", "Modbus write from an engineering laptop", "Program changed under ticket CHG-20931"} {
		out = append(out, &incident.Incident{
			ID: event.NewID("routine", title), Revision: int32(i + 2), Status: []incident.Status{incident.Acknowledged, incident.Open, incident.Open, incident.Closed}[i], Title: title,
			Verdict: []incident.Verdict{"", "", "", incident.AuthorisedActivity}[i], Severity: []incident.Severity{incident.Medium, incident.Low, incident.High, incident.Informational}[i], Score: 55 - 12*i,
			Owner: []string{"robot-operations", "it", "ot", "ot"}[i], Assignee: []string{"m.weber", "", "", "j.diaz"}[i], First: night - int64(i+1)*47*minute, Last: night, Opened: night, Updated: night - int64(i+1)*40*minute,
			Robots: [][]string{{"robot:amr-0017"}, nil, nil, {"robot:amr-0003", "robot:amr-0004"}}[i], Domains: [][]string{{"robot"}, {"identity"}, {"ot", "network"}, {"robot", "change"}}[i],
		})
	}
	return out
}
