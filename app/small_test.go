package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/store/engine"
)

// smallRules fire at once, so that a test needs few records.
const smallRules = `id: t-0001
version: 1
title: Somebody is refused
description: Every refused sign-in, for tests.
severity: high
match:
  event:
    id: refused
    class: authentication.logon
    where: status == "Failure" and user.name startsWith "user"
    bind: {person: user}
tests:
  - name: it fires
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: user01}}
    fires: [{at: 0m, vars: {person: user01}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: user01}}
    fires: []
---
id: t-0002
version: 1
title: Somebody is refused three times
description: For tests.
severity: medium
match:
  count:
    id: refused
    class: authentication.logon
    where: status == "Failure" and user.name startsWith "twice"
    bind: {person: user}
    at_least: 3
    within: 1h
tests:
  - name: it fires
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: twice}}
      - {at: 1m, class: authentication.logon, status: Failure, user: {name: twice}}
      - {at: 2m, class: authentication.logon, status: Failure, user: {name: twice}}
    fires: [{at: 2m, vars: {person: twice}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: twice}}
    fires: []
---
id: t-0003
version: 1
title: Somebody watched is refused
description: For tests.
severity: medium
match:
  event:
    id: refused
    class: authentication.logon
    where: status == "Failure" and inList("watched", user.name)
    bind: {person: user}
tests:
  - name: it fires
    given: {lists: {watched: [eve]}}
    events:
      - {at: 0m, class: authentication.logon, status: Failure, user: {name: eve}}
    fires: [{at: 0m, vars: {person: eve}}]
  - name: it stays silent
    events:
      - {at: 0m, class: authentication.logon, status: Success, user: {name: eve}}
    fires: []
`

// newSmall is a service with one file and one HTTP source of OpenSSH lines and rules of its own.
func newSmall(t *testing.T, hook string) *outlet {
	o := newOutlet(t, []logFile{{name: "sshd", format: "openssh"}}, hook)
	rules := filepath.Join(o.dir, "rules.yaml")
	must(t, os.WriteFile(rules, []byte(smallRules), 0o600))
	o.cfg.Rules.Paths = []string{rules}
	o.cfg.Enrich.Refresh = time.Second
	o.cfg.SetList("watched", filepath.Join(o.dir, "watched.txt"))
	must(t, os.WriteFile(filepath.Join(o.dir, "watched.txt"), []byte("eve\n"), 0o600))
	o.cfg.Sources = append(o.cfg.Sources, app.SourceConfig{Name: "push", Format: "openssh", HTTP: true, Idle: time.Second})
	o.config = writeConfig(t, o.dir, o.cfg)
	return o
}

// refused are lines of refused sign-ins, each with an address of its own.
func refused(first int, users ...string) []byte {
	var b bytes.Buffer
	for i, u := range users {
		n := first + i
		fmt.Fprintf(&b, "2026-11-21T10:%02d:%02d.000000+00:00 host%d sshd[%d]: Failed password for %s from 203.0.113.%d port 4242 ssh2\n", n/60, n%60, n, 100+n, u, n+1)
	}
	return b.Bytes()
}

func users(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("user%02d", i))
	}
	return out
}

// post sends records to the HTTP source.
func (o *outlet) post(body []byte, key string) (status int, answer string) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(o.t.Context(), http.MethodPost, o.svc.url+"/ingest/push", bytes.NewReader(body))
	must(o.t, err)
	req.Header.Set("Idempotency-Key", key)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(o.t, err)
	return r.StatusCode, string(b)
}

// queued are the incidents of the queue by title, from the API.
type queued struct {
	ID       string
	Status   string
	Revision int
	Findings int
}

func (o *outlet) queue() map[string]queued {
	o.t.Helper()
	_, body, err := get(o.t, o.svc.url+"/api/v1/incidents?as=ocsf&limit=1000")
	must(o.t, err)
	out := map[string]queued{}
	for line := range strings.Lines(body) {
		var doc struct {
			Status   string `json:"status"`
			Findings []any  `json:"finding_info_list"`
			Desc     string `json:"desc"`
			Unmapped struct {
				Tocsin struct {
					ID       string `json:"id"`
					Revision int    `json:"revision"`
				} `json:"tocsin"`
			} `json:"unmapped"`
		}
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			o.t.Fatalf("%v: %s", err, line)
		}
		who := regexp.MustCompile(`\b(user\d\d|eve|mallory|twice)\b`).FindString(line)
		x := doc.Unmapped.Tocsin
		out[who] = queued{x.ID, doc.Status, x.Revision, len(doc.Findings)}
	}
	return out
}

func (o *outlet) incidents(n int) map[string]queued {
	o.t.Helper()
	var q map[string]queued
	eventually(o.t, func() bool { q = o.queue(); return len(q) == n }, func() string { return fmt.Sprintf("%d incidents: %v\n%s", n, q, o.svc.log) })
	return q
}

func (o *outlet) restart() {
	o.t.Helper()
	if err := o.svc.interrupt(o.t); err != nil {
		o.t.Fatalf("the service ended with %v\n%s", err, o.svc.log)
	}
	o.svc = start(o.t, o.config, o.ahead)
}

// outside lets the service use an engine that is not its own.
func (o *outlet) outside() (stop func(), again func()) {
	t := o.t
	library, err := locate()
	must(t, err)
	cfg := engine.DefaultConfig(filepath.Join(o.dir, "server"))
	cfg.LibraryPath, cfg.Listen = library, freeAddress(t) // It comes back where it was.
	var p *engine.Process
	again = func() {
		var err error
		p, err = engine.Start(t.Context(), cfg)
		must(t, err)
		cfg.Listen, cfg.Token = p.Addr(), p.Token()
	}
	stop = func() {
		must(t, syscall.Kill(p.PID(), syscall.SIGKILL))
		<-p.Done()
	}
	again()
	t.Cleanup(func() { _ = p.Close() })
	secret := filepath.Join(o.dir, "password")
	must(t, os.WriteFile(secret, []byte(p.Token()), 0o600))
	o.cfg.ClickHouse.Addr = []string{p.Addr()}
	o.cfg.ClickHouse.Username = engine.User
	o.cfg.ClickHouse.Password = app.Secret{File: secret}
	o.config = writeConfig(t, o.dir, o.cfg)
	return stop, again
}

func TestAClickHouseThatIsDownIsWaitedForAndNothingIsLost(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	stop, again := o.outside()
	o.svc = start(t, o.config, o.ahead)
	first, second, third := refused(0, users(0, 10)...), refused(10, users(10, 20)...), refused(20, users(20, 22)...)
	o.say("sshd", first)
	o.heard("sshd", len(first))
	stop()
	o.say("sshd", second)
	eventually(t, func() bool {
		c := health(t, o.svc.url)["store"]
		return !c.Good && strings.Contains(c.Detail, " fails since ") && strings.Contains(c.Detail, "nothing is lost") // A batch, or the first checkpoint.
	}, func() string {
		return "the health page says what fails, and that nothing is lost: " + health(t, o.svc.url)["store"].Detail
	})
	if status, _, err := get(t, o.svc.url+"/api/v1/health"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a probe gets %d (%v), want 503", status, err)
	}
	type answer struct {
		status int
		text   string
	}
	answers := make(chan answer, 1)
	go func() {
		status, text := o.post(third, "k")
		answers <- answer{status, text}
	}()
	select {
	case a := <-answers:
		t.Fatalf("records were acknowledged as %d %s without a store", a.status, a.text)
	case <-time.After(500 * time.Millisecond): // Long enough for an answer that does not wait.
	}
	again()
	if a := <-answers; a.status != http.StatusOK {
		t.Errorf("after the recovery the records get %d %s, want 200", a.status, a.text)
	}
	o.heard("sshd", len(first)+len(second))
	o.incidents(22)
	eventually(t, func() bool { return health(t, o.svc.url)["store"].Good }, func() string { return "the health page tells of the recovery: " + health(t, o.svc.url)["store"].Detail })
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
	if got := o.trace(); len(got.Events) != 22 || len(got.Groups) != 22 {
		t.Errorf("%d events and %d incidents, want 22", len(got.Events), len(got.Groups))
	}
}

func TestAWebhookReceiverThatWasDownHearsOfEveryRevisionOnce(t *testing.T) {
	needEngine(t)
	hook := newReceiver(t)
	hook.down.Store(true)
	o := newSmall(t, hook.url())
	o.cfg.Triage.Retry = append([]time.Duration{0}, slices.Repeat([]time.Duration{8 * time.Second}, 49)...) // Too slow for the circuit breaker, and longer in all than the receiver is down.
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	lines := refused(0, users(0, 3)...)
	o.say("sshd", lines)
	o.incidents(3)
	eventually(t, func() bool {
		c := health(t, o.svc.url)["endpoint soc"]
		return !c.Good && strings.Contains(c.Detail, "3 owed") && strings.Contains(c.Detail, "503")
	}, func() string {
		return "the health page tells of the endpoint: " + health(t, o.svc.url)["endpoint soc"].Detail
	})
	o.restart() // What is owed is owed still.
	o.say("sshd", refused(3, users(3, 5)...))
	o.incidents(5)
	hook.down.Store(false)
	hook.quiet(t, o.svc)
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
	hook.follows(t, o.trace().Changes, "soc")
	for id, n := range hook.times {
		if n != 1 {
			t.Errorf("delivery %s was taken %d times, want once", id, n)
		}
	}
}

func TestARecordPostedIsDurableWhenAnsweredAndARetryIsNoSecondOne(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.svc = start(t, o.config, o.ahead)
	body := refused(0, "user00", "twice", "twice")
	if status, text := o.post(body, "key-1"); status != http.StatusOK || !strings.Contains(text, `"records":3`) {
		t.Fatalf("the post got %d %s", status, text)
	}
	o.svc.kill()
	o.svc = start(t, o.config, o.ahead)
	for range 2 { // The client did not hear the answer, or thinks so.
		if status, text := o.post(body, "key-1"); status != http.StatusOK {
			t.Fatalf("the retry got %d %s", status, text)
		}
	}
	o.incidents(1)
	if status, text := o.post([]byte("no such line\n"), "key-2"); status != http.StatusOK {
		t.Errorf("a record that is rejected got %d %s: it is kept, so 200 is due", status, text)
	}
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
	db, err := app.OpenDatabase(t.Context(), o.cfg, discard, nil, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	if n := count(t, db.DB, "SELECT uniqExact(id) FROM events"); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
	if n := count(t, db.DB, "SELECT count() FROM events FINAL"); n != 3 {
		t.Errorf("%d rows of events, want 3", n)
	}
	for f, err := range db.Findings(t.Context(), store.FindingFilter{}) {
		must(t, err)
		if f.Rule.ID != "t-0001" || len(f.Evidence) != 1 {
			t.Errorf("finding of %s with %d events: retries were counted as further events", f.Rule.ID, len(f.Evidence))
		}
	}
	if n := count(t, db.DB, "SELECT count() FROM rejects"); n != 1 {
		t.Errorf("%d rejects, want 1", n)
	}
}

// act sends an analyst's form.
func (o *outlet) act(id string, revision int, form url.Values) (status int, page string) {
	o.t.Helper()
	form.Set("by", "ana")
	form.Set("revision", fmt.Sprint(revision))
	client := http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.PostForm(o.svc.url+"/incidents/"+id, form)
	must(o.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(o.t, err)
	return r.StatusCode, string(b)
}

func (o *outlet) mustAct(id string, revision int, form url.Values) {
	o.t.Helper()
	if status, page := o.act(id, revision, form); status != http.StatusSeeOther {
		o.t.Fatalf("%s of %s got %d:\n%s", form.Get("action"), id, status, page)
	}
}

func TestWhatAnalystsDidSurvivesAKill(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(0, users(0, 4)...))
	q := o.incidents(4)
	a, b, c, d := q["user00"], q["user01"], q["user02"], q["user03"]
	if status, page, err := get(t, o.svc.url+"/incidents/"+a.ID); err != nil || status != 200 || !strings.Contains(page, fmt.Sprintf(`name="revision" value="%d"`, a.Revision)) {
		t.Fatalf("the page of an incident that somebody looks at for the first time has no form for revision %d: %d %v\n%s", a.Revision, status, err, page)
	}
	o.mustAct(a.ID, a.Revision, url.Values{"action": {"acknowledge"}, "text": {"looking"}})
	if _, body, err := get(t, o.svc.url+"/api/v1/incidents/"+a.ID); err != nil || !strings.Contains(body, fmt.Sprintf(`"revision":%d`, a.Revision+2)) {
		t.Errorf("the look stands in the log before the act that followed it, %v:\n%s", err, body)
	}
	if status, page := o.act(a.ID, a.Revision, url.Values{"action": {"close"}, "verdict": {string(incident.TestActivity)}}); status != http.StatusConflict || !strings.Contains(page, "Somebody was faster") {
		t.Errorf("a form from before the last change got %d, want 409:\n%s", status, page)
	}
	o.mustAct(b.ID, b.Revision, url.Values{"action": {"close"}, "verdict": {string(incident.TestActivity)}, "text": {"a test"}})
	o.mustAct(c.ID, c.Revision, url.Values{"action": {"merge"}, "into": {d.ID}, "text": {"the same story"}})
	want := o.queue()
	o.svc.kill()
	o.svc = start(t, o.config, o.ahead)
	check := func(when string) {
		t.Helper()
		got := o.incidents(3) // The merged one is out; closed ones come onto the board a little after the start.
		for who, w := range want {
			if got[who] != w {
				t.Errorf("%s: the incident of %s is %+v, was %+v", when, who, got[who], w)
			}
		}
	}
	check("after the kill")
	if want["user01"].Status != "Closed" && !strings.Contains(strings.ToLower(want["user01"].Status), "clos") && want["user01"].Status != "Resolved" {
		t.Errorf("a closed incident has status %q", want["user01"].Status)
	}
	if status, page := o.act(a.ID, a.Revision, url.Values{"action": {"close"}, "verdict": {string(incident.TestActivity)}}); status != http.StatusConflict {
		t.Errorf("after the kill a stale form got %d, want 409:\n%s", status, page)
	}
	o.mustAct(b.ID, want["user01"].Revision, url.Values{"action": {"reopen"}, "text": {"not a test after all"}})
	want = o.queue()
	o.restart()
	check("after a clean restart")
	_, page, err := get(t, o.svc.url+"/incidents/"+a.ID)
	must(t, err)
	if !strings.Contains(page, "looking") {
		t.Errorf("the note is gone from the page:\n%s", page)
	}
	if _, err := event.ParseID(event.IncidentPrefix, a.ID); err != nil {
		t.Error(err)
	}
}

func TestTablesAreReadAgainWhileTheServiceRunsAndABrokenFileKeepsTheOld(t *testing.T) {
	needEngine(t)
	o := newSmall(t, "")
	o.svc = start(t, o.config, o.ahead)
	list := filepath.Join(o.dir, "watched.txt")
	version := func() string { return health(t, o.svc.url)["enrichment"].Detail }
	first := version()
	o.say("sshd", refused(0, "eve"))
	o.incidents(1)

	good, err := os.ReadFile(o.cfg.Enrich.Zones)
	must(t, err)
	must(t, os.WriteFile(o.cfg.Enrich.Zones, append(good, "no-such,zone,line,at,all,too,many,columns\n"...), 0o600))
	must(t, os.WriteFile(list, []byte("eve\nmallory\n"), 0o600))
	eventually(t, func() bool { return !health(t, o.svc.url)["enrichment"].Good }, func() string { return "the health page tells of the broken file: " + version() })
	if d := version(); !strings.Contains(d, filepath.Base(o.cfg.Enrich.Zones)) || !strings.Contains(d, "old tables stay") {
		t.Errorf("the health page says %q: which file, and that the old tables stay, is missing", d)
	}
	lines := append(refused(0, "eve"), refused(1, "mallory", "user01")...)
	o.say("sshd", refused(1, "mallory", "user01"))
	o.heard("sshd", len(lines))
	if q := o.incidents(2); q["mallory"].ID != "" {
		t.Errorf("the list of a refused reading is in force: %v", q)
	}

	must(t, os.WriteFile(o.cfg.Enrich.Zones, good, 0o600))
	eventually(t, func() bool { return health(t, o.svc.url)["enrichment"].Good && version() != first }, func() string { return "the new tables are in force: " + version() })
	o.say("sshd", refused(3, "mallory"))
	if q := o.incidents(3); q["mallory"].ID == "" {
		t.Errorf("the new list is not in force: %v", q)
	}
}
