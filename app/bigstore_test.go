package app_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// The plant of the big store.
const (
	bigRobots, bigPeople, bigDevices = 5000, 2000, 8000
	bigSpan                          = 30 * 24 * time.Hour
	bigBatch                         = 50_000
)

// bigConfig is a service over the store in a folder, with an inventory, rules, an endpoint and people who sign in.
func bigConfig(t *testing.T, dir string) app.Config {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Engine.Dir, cfg.Console.Listen, cfg.Telemetry.Log.Level = filepath.Join(dir, "engine"), "127.0.0.1:0", "warn"
	cfg.Console.SignIn.Local = true
	cfg.Enrich.Assets = filepath.Join(dir, "assets.csv")
	must(t, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(bigRules()), 0o600))
	cfg.Rules.Paths = []string{filepath.Join(dir, "rules.yaml")}
	cfg.SetList("watched", filepath.Join(dir, "watched.txt"))
	must(t, os.WriteFile(filepath.Join(dir, "watched.txt"), []byte("eve\n"), 0o600))
	must(t, os.WriteFile(cfg.Enrich.Assets, bigInventory(), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("whsec_"+strings.Repeat("AAAA", 10)+"\n"), 0o600))
	cfg.Triage.Endpoints = []triage.EndpointConfig{{Name: bigEndpoint, URL: "http://127.0.0.1:9/", AllowCIDRs: []string{"127.0.0.0/8"}, AllowPlainHTTP: true, Secret: triage.Secret{File: filepath.Join(dir, "secret")}}}
	return cfg
}

// bigRules are the rules that the findings say they are of.
func bigRules() string {
	b := smallRules
	for i := range 20 {
		b += fmt.Sprintf(`---
id: rb-%04d
version: 1
title: Rule %d
description: For the pages of findings.
severity: medium
match:
  count:
    id: step
    class: authentication.logon
    where: status == "Failure" and user.name startsWith "person" and src_endpoint.ip != ""
    bind: {person: user}
    at_least: 3
    within: 1h
tests:
  - name: it fires
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: person-1}, src_endpoint: {ip: 10.0.0.1}}
      - {at: 1m, class: authentication.logon, status: Failure, user: {name: person-1}, src_endpoint: {ip: 10.0.0.1}}
      - {at: 2m, class: authentication.logon, status: Failure, user: {name: person-1}, src_endpoint: {ip: 10.0.0.1}}
    fires: [{at: 2m, vars: {person: person-1}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: person-1}, src_endpoint: {ip: 10.0.0.1}}
    fires: []
`, i, i)
	}
	return b
}

func bigInventory() []byte {
	b := []byte("id,kind,vendor,model,site,zone,criticality\n")
	for i := range bigRobots {
		b = fmt.Appendf(b, "r-%04d,amr,Acme,A-%d,plant-%d,cell-%02d,2\n", i, 1000+i%4, 1+i%3, i%40)
	}
	return b
}

// bigStore is what the questions are about.
type bigStore struct {
	incident, event string
	end             time.Time
	filled          time.Time // When it was written, by our clock.
}

// fillBig writes the store, unless it is there already: the first tenth of the time as the program writes it, which the others repeat with
// other ids and later times, so that it takes minutes. What repeats it shows the times of the first tenth, in as much time.
func fillBig(t *testing.T, cfg app.Config, dir string, total int) bigStore {
	t.Helper()
	big := bigStore{incident: event.FormatID(event.IncidentPrefix, bigIncident(7))}
	done := filepath.Join(dir, "filled")
	if b, err := os.ReadFile(done); err == nil {
		at, rest, _ := strings.Cut(string(b), " ")
		big.event = rest
		big.end, err = time.Parse(time.RFC3339, at)
		must(t, err)
		big.filled = big.end.Add(-time.Minute)
		return big
	}
	began := time.Now()
	db, err := app.OpenDatabase(t.Context(), cfg, discard, nil, nil)
	must(t, err)
	defer db.Close()
	big.end = time.Now().UTC().Truncate(time.Second)
	big.filled = big.end.Add(-time.Minute)
	tenth := total / 10 / bigBatch * bigBatch
	big.event = writeTenth(t, db, big.end.Add(-bigSpan), tenth, total)
	t.Logf("%d events, %d findings and %d incidents written after %s", tenth, total/100, total/2000, time.Since(began).Round(time.Second))
	for k := 1; k < 10; k++ {
		for _, s := range repeatTenth(k) {
			must(t, db.Exec(t.Context(), s))
		}
	}
	for n, err := range rowsOf(t, db, "SELECT toInt64(count()) FROM events") {
		must(t, err)
		if n[0] != int64(10*tenth) {
			t.Fatalf("the store holds %v events, want %d", n, 10*tenth)
		}
	}
	writeClosed(t, db, big.end)
	t.Logf("%d events after %s", 10*tenth, time.Since(began).Round(time.Second))
	must(t, os.WriteFile(done, []byte(big.end.Format(time.RFC3339)+" "+big.event), 0o600))
	return big
}

// writeTenth writes n events from a time on, with all the findings and incidents, and gives the id of one of the last events.
func writeTenth(t *testing.T, db *app.Database, begin time.Time, n, total int) (last string) {
	t.Helper()
	dice := rand.New(rand.NewPCG(1, 2))
	events := make([]event.Event, bigBatch)
	cast := bigCast()
	incidents := total / 2000 / (n / bigBatch)
	for from, number := 0, uint64(1); from < n; from, number = from+bigBatch, number+1 {
		for i := range events {
			events[i] = cast.event(dice, from+i, begin.Add(time.Duration(float64(bigSpan)*float64(from+i)/float64(total))).UnixMicro())
		}
		last = events[0].Envelope.ID.String()
		newest := events[bigBatch-1].Time
		batch := &event.Batch{ID: event.BatchID{Epoch: 1, Number: number}, Events: events, Received: newest, Marks: []event.Mark{{Source: "fleet", Newest: newest + 9*bigSpan.Microseconds()/10, Received: newest}}}
		must(t, logTo(t.Context(), db, &incident.Entry{Batch: batch, Notes: bigNotes(events)}))
		findings, changes := bigFindings(batch.ID, events, (int(number)-1)*incidents, incidents)
		must(t, db.Record(t.Context(), batch.ID, findings, changes))
	}
	return last
}

// repeatTenth are the statements that write the first batches once more, k tenths of the time later; with their markers, since a process that begins
// the log removes what has none.
func repeatTenth(k int) []string {
	span := int(bigSpan.Hours()) / 10
	hours := k * span
	const fresh = "CAST(sipHash128(id, %d) AS FixedString(16)) AS id"
	return []string{
		fmt.Sprintf("INSERT INTO events SELECT * REPLACE("+fresh+", toUInt32(hour + %d) AS hour, time + toIntervalHour(%d) AS time, offset + 1000000000 * %d AS offset, number + 1000 * %d AS number) FROM (SELECT * FROM events WHERE number < 1000)", k, hours, hours, k, k),
		fmt.Sprintf("INSERT INTO notes SELECT * REPLACE(time + toIntervalHour(%d) AS time, number + 1000 * %d AS number) FROM (SELECT * FROM notes WHERE number < 1000)", hours, k),
		fmt.Sprintf("INSERT INTO batches SELECT * REPLACE(number + 1000 * %d AS number) FROM (SELECT * FROM batches WHERE number < 1000)", k),
		fmt.Sprintf("INSERT INTO entity_index (entity, time, class_uid, id, written) SELECT if(e = reinterpretAsUInt64(substring(i, 1, 8)), reinterpretAsUInt64(substring(sipHash128(i, %d), 1, 8)), e), t + toIntervalHour(%d), c, CAST(sipHash128(i, %d) AS FixedString(16)), w FROM (SELECT entity AS e, time AS t, class_uid AS c, id AS i, written AS w FROM entity_index WHERE time < (SELECT min(time) + toIntervalHour(%d) FROM events))", k, hours, k, span),
	}
}

func rowsOf(t *testing.T, db *app.Database, statement string) iter.Seq2[[]any, error] {
	t.Helper()
	r, err := db.Query(t.Context(), statement)
	must(t, err)
	return r.Rows
}

// bigCast is who and what the events are about.
type bigCaster struct{ modes []string }

func bigCast() bigCaster { return bigCaster{[]string{"AUTOMATIC", "MANUAL", "SERVICE"}} }

// event is the i-th event of the plant.
func (c bigCaster) event(dice *rand.Rand, i int, at int64) event.Event {
	pos := event.Position{Source: "fleet", Offset: int64(i)}
	e := event.Event{Time: at, SeverityID: uint8(1 + dice.IntN(2)*dice.IntN(4))}
	user := fmt.Sprintf("person-%04d", dice.IntN(bigPeople))
	device := fmt.Sprintf("ws-%04d", dice.IntN(bigDevices))
	address := fmt.Sprintf("10.%d.%d.%d", 20+dice.IntN(4), dice.IntN(250), 1+dice.IntN(250))
	format, detail := "vda5050", ""
	switch kind := dice.IntN(100); {
	case kind < 40:
		robot := fmt.Sprintf("r-%04d", dice.IntN(bigRobots))
		e.ClassUID, e.ActivityID = event.ClassRobotState, 1
		e.Robot = &event.Robot{UID: robot, Vendor: "Acme", Firmware: fmt.Sprintf("4.%d", dice.IntN(3)), MapUID: "hall-2", ModeID: 1, Battery: event.FloatOf(float64(dice.IntN(100)))}
		detail = fmt.Sprintf(`"serialNumber":%q,"operatingMode":%q,"batteryState":{"batteryCharge":%d},"agvPosition":{"x":%.3f,"y":%.3f}`, robot, c.modes[0], dice.IntN(100), dice.Float64()*90, dice.Float64()*90)
	case kind < 65:
		format = "zeek"
		e.ClassUID, e.ActivityID = event.ClassNetwork, 6
		e.SrcEndpoint.IP, e.DstEndpoint.IP, e.DstEndpoint.Port = address, fmt.Sprintf("192.0.2.%d", dice.IntN(250)), uint16(443+dice.IntN(5))
		e.Traffic = &event.Traffic{BytesOut: event.IntOf(dice.Int64N(1e6)), BytesIn: event.IntOf(dice.Int64N(1e6))}
		detail = fmt.Sprintf(`"id.orig_h":%q,"id.resp_h":%q,"uid":"C%x","conn_state":"SF","history":"ShADadFf","orig_bytes":%d`, address, e.DstEndpoint.IP, dice.Uint64(), dice.IntN(1e6))
	case kind < 80:
		format = "okta"
		e.ClassUID, e.ActivityID, e.StatusID = event.ClassAuthentication, 1, uint8(1+dice.IntN(2))
		e.User.Name, e.SrcEndpoint.IP, e.Device.Hostname = user, address, device
		detail = fmt.Sprintf(`"actor":{"alternateId":%q},"client":{"ipAddress":%q,"userAgent":"Mozilla/5.0 (X11; Linux x86_64)"},"target":%q,"transaction":"%x"`, user, address, device, dice.Uint64())
	default:
		format = "dns"
		e.ClassUID, e.ActivityID = event.ClassDNS, 6
		e.SrcEndpoint.IP, e.Device.Hostname = address, device
		e.DNS = &event.DNS{}
		e.DNS.Query.Hostname = fmt.Sprintf("host-%d.example", dice.IntN(50_000))
		detail = fmt.Sprintf(`"query":%q,"client":%q,"rcode":"NOERROR","answers":["198.51.100.%d"],"id":%d`, e.DNS.Query.Hostname, address, dice.IntN(250), dice.IntN(65536))
	}
	if i%1_000_000 == 777 {
		detail += `,"note":"needle in the hay"`
	}
	e.Envelope = event.Envelope{
		ID: event.PositionID(pos, 0), Position: pos, Format: format, Site: fmt.Sprintf("plant-%d", 1+i%3), Received: at + 2e6, TimeSource: event.TimeParsed,
		Raw: fmt.Appendf(nil, `{"ts":"%s","seq":%d,"sensor":"gw-%02d","severity":%d,%s}`, time.UnixMicro(at).UTC().Format(time.RFC3339Nano), i, i%40, e.SeverityID, detail),
	}
	e.FindEntities()
	return e
}

func bigRef(e *event.Event) *event.Ref {
	return &event.Ref{Event: e.Envelope.ID, Time: e.Time, Received: e.Envelope.Received, Sequence: "fleet", ClassUID: e.ClassUID, Activity: e.ActivityID, Severity: e.SeverityID, Domain: "robot", Source: "fleet", Format: e.Envelope.Format, Site: e.Envelope.Site, Summary: e.Summary(), Entities: e.Entities}
}

func bigNotes(events []event.Event) []event.Note {
	var out []event.Note
	for i := 0; i < len(events); i += 500 {
		if r := events[i].Robot; r != nil {
			out = append(out, event.Note{Entity: "robot:" + r.UID, What: "firmware", Prev: "4.0", Value: r.Firmware, Ref: bigRef(&events[i])})
		}
	}
	return out
}

func bigIncident(i int) event.ID { return event.NewID("big incident", strconv.Itoa(i)) }

// bigEvidence is the first event of one of the first incidents.
func bigEvidence(i int) string {
	return event.FormatID(event.EventPrefix, event.PositionID(event.Position{Source: "fleet", Offset: int64(i * 20 * 10)}, 0))
}

// bigFindings are n incidents of twenty findings each, over the events of a batch; one in ten is still open.
func bigFindings(batch event.BatchID, events []event.Event, first, n int) (findings []incident.Finding, changes []incident.Change) {
	for k := range n {
		in := &incident.Incident{ID: bigIncident(first + k), Revision: 1, Status: incident.Closed, Verdict: incident.Verdicts()[0], Title: fmt.Sprintf("Something happened, no. %d", first+k), Severity: incident.Medium, Score: 50, Owner: "it"}
		if (first+k)%10 == 0 {
			in.Status, in.Verdict = incident.Open, ""
		}
		for j := range 20 {
			at := (k*20 + j) * (len(events) / (n * 20))
			f := incident.Finding{ID: event.NewID("big finding", strconv.Itoa(first+k), strconv.Itoa(j)), Revision: 1, State: incident.Final, Rule: incident.RuleRef{ID: fmt.Sprintf("rb-%04d", j), Version: 1, Title: fmt.Sprintf("Rule %d", j)}, Severity: incident.Medium, Score: 40, Time: events[at].Time, First: events[at].Time, Seen: events[at].Time}
			for s := range 3 {
				f.Evidence = append(f.Evidence, incident.Evidence{Step: "step", Event: bigRef(&events[at+s])})
			}
			in.Findings = append(in.Findings, f)
			findings = append(findings, f)
		}
		in.First, in.Last, in.Opened, in.Updated = in.Findings[0].Time, in.Findings[19].Time, in.Findings[0].Time, in.Findings[19].Time
		for i := range in.Findings {
			for _, x := range in.Findings[i].Evidence[0].Event.Entities {
				if x.Kind == event.EntityRobot && !slices.Contains(in.Robots, x.ID) {
					in.Robots = append(in.Robots, x.ID)
				}
				in.Entities = append(in.Entities, incident.Member{ID: x.ID, Kind: x.Kind, Strength: x.Strength, Findings: 1})
			}
		}
		changes = append(changes, incident.Change{Batch: batch, Index: k, Kind: incident.ChangeOpened, Actor: "system", Incident: in})
	}
	return findings, changes
}

// writeClosed writes TOCSIN_BENCH_CLOSED further incidents, closed before a time, of one finding each: more than the board remembers.
func writeClosed(t *testing.T, db *app.Database, before time.Time) {
	t.Helper()
	many, _ := strconv.Atoi(os.Getenv("TOCSIN_BENCH_CLOSED"))
	const step = 5000
	for from := 0; from < many; from += step {
		var changes []incident.Change
		for i := range min(step, many-from) {
			at := before.Add(-bigSpan - time.Duration(from+i)*time.Minute).UnixMicro()
			in := &incident.Incident{ID: event.NewID("old incident", strconv.Itoa(from+i)), Revision: 1, Status: incident.Closed, Verdict: incident.Verdicts()[0], Title: fmt.Sprintf("Long ago, no. %d", from+i), Severity: incident.Low, Score: 20, Owner: "it", First: at, Last: at, Opened: at, Updated: at}
			f := incident.Finding{ID: event.NewID("old finding", strconv.Itoa(from+i)), Revision: 1, State: incident.Final, Rule: incident.RuleRef{ID: "rb-0001", Version: 1, Title: "Rule 1"}, Severity: incident.Low, Score: 20, Time: at, First: at, Seen: at}
			in.Findings, in.Robots = []incident.Finding{f}, []string{fmt.Sprintf("robot:r-%04d", i%bigRobots)}
			in.Entities = []incident.Member{{ID: in.Robots[0], Kind: event.EntityRobot, Findings: 1}}
			changes = append(changes, incident.Change{Batch: event.BatchID{Epoch: 1, Number: 1}, Index: 1_000_000 + from + i, Kind: incident.ChangeOpened, Actor: "system", Incident: in})
		}
		must(t, db.Record(t.Context(), event.BatchID{Epoch: 1, Number: 1}, nil, changes))
	}
}

// logTo appends a batch from which nothing follows.
func logTo(ctx context.Context, db interface {
	Append(context.Context, *incident.Entry, func() error, func() incident.Outcome) (bool, error)
}, e *incident.Entry,
) error {
	_, err := db.Append(ctx, e, func() error { return nil }, func() incident.Outcome { return incident.Outcome{} })
	return err
}
