package receivers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// heard is what the SOAR's flow was told by a webhook.
type heard struct {
	ID, Type, Subject, Status string
	Revision                  int
}

// answer is what a callback of the flow was answered.
type answer struct {
	Status         int
	Replayed, Body string
}

// incidentDoc is what is looked at in the answers to callbacks.
type incidentDoc struct {
	Incident, Verdict, Code string
	Status                  any // A number in problems.
	Version                 int
	Current                 int    `json:"current_version"`
	CurrentStatus           string `json:"current_status"`
}

func (a *answer) doc(t *testing.T) incidentDoc {
	t.Helper()
	var d incidentDoc
	if err := json.Unmarshal([]byte(a.Body), &d); err != nil {
		t.Fatalf("%d: %v: %s", a.Status, err, a.Body)
	}
	return d
}

// soar is Node-RED with the flow that closes what it is told of.
type soar struct {
	t    *testing.T
	base string
}

func (s *soar) seen() (out struct {
	Heard   []heard
	Answers []answer
},
) {
	s.t.Helper()
	fetch(s.t, s.base+"/seen", "", &out)
	return out
}

// call makes the flow send a callback, the last one again where order says repeat, and gives the answer that it noted.
func (s *soar) call(order map[string]any) answer {
	s.t.Helper()
	before := len(s.seen().Answers)
	b, err := json.Marshal(order)
	if err != nil {
		s.t.Fatal(err)
	}
	post(s.t, s.base+"/call", "", b)
	after := s.seen().Answers
	if len(after) != before+1 {
		s.t.Fatalf("the flow has %d answers after one more call, and had %d", len(after), before)
	}
	return after[before]
}

func send(t *testing.T, method, url, token string, body []byte) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	if err != nil || w.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s, %v: %s", method, url, w.Status, err, b)
	}
	return b
}

func post(t *testing.T, url, token string, body []byte) []byte {
	t.Helper()
	return send(t, http.MethodPost, url, token, body)
}

func fetch(t *testing.T, url, token string, to any) {
	t.Helper()
	if err := json.Unmarshal(send(t, http.MethodGet, url, token, nil), to); err != nil {
		t.Fatal(err)
	}
}

// TestNodeREDClosesAnIncidentThroughTheCallbackAndHearsNoEcho is the whole way with both real programs: a log line, an incident, a webhook, a flow
// that decides, its callback, and what both know afterwards.
func TestNodeREDClosesAnIncidentThroughTheCallbackAndHearsNoEcho(t *testing.T) {
	need(t, "node")
	p := newPlant(t)
	redPort := free(t)
	red := &soar{t, "http://127.0.0.1:" + redPort}
	p.config = fmt.Sprintf(`triage:
  poll: 50ms
  endpoints:
    - {name: red, url: %q, secret: {file: %q}, allow_plain_http: true, allow_cidrs: [127.0.0.0/8]}
sources:
  - {name: sshd, format: openssh, file: %q}
`, red.base+"/hook", p.file("secret", secret), p.file("sshd.log", ""))
	p.write()
	token := p.token("--name", "red", "--role", "analyst", "--scope", "disposition", "--origin", "red")
	nodeRED(t, redPort, "soar.json", "TOCSIN="+p.url, "TOKEN="+token)
	p.start()
	analyst := p.token("--name", "ana", "--role", "analyst", "--scope", "act", "--scope", "read") // Beside the running service.

	p.append("sshd.log", refusedLine("user01", time.Now().Add(-time.Minute)))
	eventually(t, 2*time.Minute, "the flow has closed the incident", func() bool { return len(red.seen().Answers) > 0 })
	first := red.seen()
	opened, closed := first.Heard[0], first.Answers[0].doc(t)
	if first.Answers[0].Status != http.StatusOK || closed.Incident != opened.Subject || closed.Status != "closed" || closed.Verdict != "malfunction" || closed.Version != opened.Revision+1 {
		t.Fatalf("told %+v, the callback was answered %+v", opened, first.Answers[0])
	}
	var card struct {
		Status, Verdict string
		Revision        int
	}
	page := p.url + "/api/v1/incidents/" + opened.Subject
	if fetch(t, page+"?as=card", analyst, &card); card.Status != "closed" || card.Verdict != "malfunction" || card.Revision != closed.Version {
		t.Errorf("the incident is %+v", card)
	}
	var ocsf json.RawMessage
	if fetch(t, page, analyst, &ocsf); !bytes.Contains(ocsf, []byte("CASE-1")) || !bytes.Contains(ocsf, []byte("jane (red)")) {
		t.Errorf("the incident knows neither ticket nor who closed it: %s", ocsf)
	}

	again := red.call(map[string]any{"repeat": true})
	if again.Status != http.StatusOK || again.Replayed != "true" || again.Body != first.Answers[0].Body {
		t.Errorf("the same request under the same key was answered %+v, before it %+v", again, first.Answers[0])
	}
	stale := red.call(map[string]any{"incident": opened.Subject, "key": "late", "body": map[string]any{"expected_version": opened.Revision, "status": "open"}})
	if d := stale.doc(t); stale.Status != http.StatusConflict || d.Code != "stale" || d.Current != closed.Version || d.CurrentStatus != "closed" {
		t.Errorf("a stale request was answered %+v", stale)
	}
	other := red.call(map[string]any{"incident": opened.Subject, "key": "case-" + opened.Subject, "body": map[string]any{"expected_version": closed.Version, "verdict": "misuse"}})
	if d := other.doc(t); other.Status != http.StatusUnprocessableEntity || d.Code != "key_reused" {
		t.Errorf("another request under a used key was answered %+v", other)
	}

	// Deliveries about an incident are made in order: had the flow's own change been owed to it, it would have come before this one.
	post(t, page+"/actions", analyst, fmt.Appendf(nil, `{"action": "reopen", "expected_version": %d}`, closed.Version))
	eventually(t, 2*time.Minute, "the flow hears that the incident was reopened", func() bool {
		return slices.ContainsFunc(red.seen().Heard, func(h heard) bool { return h.Type == "incident.reopened" })
	})
	var told []string
	for _, h := range red.seen().Heard {
		told = append(told, fmt.Sprint(h.Type, " ", h.Revision))
	}
	if want := []string{fmt.Sprint("incident.opened ", opened.Revision), fmt.Sprint("incident.reopened ", closed.Version+1)}; !slices.Equal(told, want) {
		t.Errorf("the flow was told %q, want %q: its own change must not come back to it", told, want)
	}
}

// refusedLine is a refused sign-in as OpenSSH logs it.
func refusedLine(user string, at time.Time) string {
	return at.UTC().Format("2006-01-02T15:04:05.000000+00:00") + " host1 sshd[100]: Failed password for " + user + " from 203.0.113.1 port 4242 ssh2\n"
}

// plant is an installation with the real binary.
type plant struct {
	t            *testing.T
	dir, program string
	url, config  string
}

// plantRule fires at once.
const plantRule = `id: t-0001
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
`

func newPlant(t *testing.T) *plant {
	t.Helper()
	goTool := need(t, "go")
	p := &plant{t: t, dir: t.TempDir(), url: "http://127.0.0.1:" + free(t)}
	p.program = filepath.Join(p.dir, "tocsin")
	p.command(goTool, "build", "-o", p.program, "../../cmd/tocsin")
	p.file("rules.yaml", plantRule)
	return p
}

// file writes a file of the installation and gives its path.
func (p *plant) file(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *plant) append(name, text string) {
	p.t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		p.t.Fatal(err)
	}
}

// write writes the configuration: what is the same for all, and p.config.
func (p *plant) write() {
	p.t.Helper()
	p.file("tocsin.yaml", fmt.Sprintf(`console: {listen: %q, sign_in: {local: true}}
engine: {dir: engine}
rules: {paths: [rules.yaml]}
%s`, strings.TrimPrefix(p.url, "http://"), p.config))
}

// command runs a program to its end and gives what it printed.
func (p *plant) command(name string, args ...string) string {
	p.t.Helper()
	out, err := output(p.t, name, args...)
	if err != nil {
		p.t.Fatalf("%s %q: %v", filepath.Base(name), args, err)
	}
	return strings.TrimSpace(out)
}

// token makes an API token.
func (p *plant) token(args ...string) string {
	p.t.Helper()
	return p.command(p.program, append([]string{"token", "create", "--config", filepath.Join(p.dir, "tocsin.yaml")}, args...)...)
}

// start starts the service and waits until it answers.
func (p *plant) start() {
	p.t.Helper()
	run(p.t, p.dir, nil, p.program, "run", "--config", filepath.Join(p.dir, "tocsin.yaml"))
	eventually(p.t, 2*time.Minute, "the service is ready", func() bool { return answers(p.url + "/readyz") })
}
