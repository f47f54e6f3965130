package triage_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// sent is the body a webhook gets for an incident.
func sent(t *testing.T, in *incident.Incident, cfg func(*triage.Config), s func(*triage.Settings)) string {
	t.Helper()
	hook := newReceiver(t, func(got) int { return 200 })
	c := config(t, hook.URL)
	if cfg != nil {
		cfg(&c)
	}
	set := settings()
	if s != nil {
		s(&set)
	}
	in.Updated = time.Now().UnixMicro()
	o := &outbox{state: map[event.ID]incident.Delivery{}, settled: make(chan struct{}, 1)}
	o.record(incident.Change{Kind: incident.ChangeOpened, Actor: "rule:r1", Incident: in})
	d, err := triage.NewDesk(c, set, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.Run(ctx) }()
	<-o.settled
	cancel()
	<-done
	return hook.all(t)[0].body
}

func TestABodyIsACloudEventWithTheAnswers(t *testing.T) {
	var e map[string]any
	if err := json.Unmarshal([]byte(sent(t, compromise(t), nil, nil)), &e); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"specversion": "1.0", "source": "urn:tocsin:test", "type": "incident.opened", "datacontenttype": "application/json"} {
		if e[name] != want {
			t.Errorf("%s is %v, want %s", name, e[name], want)
		}
	}
	if at, _ := e["time"].(string); e["timestamp"] != at || at == "" {
		t.Errorf("time %v, timestamp %v", e["time"], e["timestamp"])
	} else if _, err := time.Parse(time.RFC3339, at); err != nil {
		t.Error(err)
	}
	for name := range e { // CloudEvents 1.0, 3.1: lower-case letters and digits only
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			t.Errorf("%q is no name of a CloudEvents attribute", name)
		}
	}
	in := e["data"].(map[string]any)["incident"].(map[string]any)
	if in["url"] != "https://console.example/incidents/"+e["subject"].(string) || in["severity"] != "critical" || in["priority"] != 1.0 {
		t.Errorf("got %v", in)
	}
	if a := in["assessment"].(map[string]any); a["kind"] != "intrusion" || a["source"] != "rules" || len(a["for"].([]any)) == 0 {
		t.Errorf("got %v", a)
	}
	if x := in["entities"].([]any)[0].(map[string]any); x["type"] != "user" || x["id"] != "ana" {
		t.Errorf("got %v", x)
	}
	for _, x := range in["actions"].([]any) {
		if x.(map[string]any)["executes"] != false {
			t.Errorf("an action claims to act: %v", x)
		}
	}
}

func TestABodyStaysWithinItsBoundAndSaysWhatWasCut(t *testing.T) {
	in := *compromise(t)
	in.Title = strings.Repeat("<", 5000)
	in.Assignee = strings.Repeat("\x00", 5000)
	for i := range 400 {
		id := fmt.Sprintf("robot:%s-%d", strings.Repeat("<&>", 100), i)
		in.Entities = append(in.Entities, incident.Member{ID: id, Kind: event.EntityRobot, Strength: event.Strong, Roles: []event.Role{event.RoleSubject}})
		in.Robots = append(in.Robots, id)
		f := in.Findings[0]
		f.Rule.ID, f.Rule.Title = fmt.Sprint("r", i), strings.Repeat("\u202e<", 500)
		in.Findings = append(in.Findings, f)
	}
	b := sent(t, &in, nil, nil)
	if len(b) > 16<<10 {
		t.Errorf("the body has %d bytes", len(b))
	}
	var e struct {
		Data struct {
			Incident struct {
				Entities, Rules []any
				Counts          struct{ Findings int }
			}
			Truncated struct{ Entities, Rules int }
		}
	}
	if err := json.Unmarshal([]byte(b), &e); err != nil {
		t.Fatal(err)
	}
	if x := e.Data; x.Truncated.Entities+len(x.Incident.Entities) != 404 || x.Truncated.Rules+len(x.Incident.Rules) != 404 || x.Incident.Counts.Findings != 404 {
		t.Errorf("entities %d cut of 404, rules %d cut of 404: %+v", x.Truncated.Entities, x.Truncated.Rules, x.Incident.Counts)
	}
}

// texts of events, for endpoints that include raw text.
type rawTexts struct{}

func (rawTexts) Raw(_ context.Context, ids []event.ID) (map[event.ID]string, error) {
	return map[event.ID]string{ids[0]: "the raw line"}, nil
}

func TestRawTextGoesOutOnlyWhereAskedFor(t *testing.T) {
	give := func(s *triage.Settings) { s.Raw = rawTexts{} }
	if b := sent(t, compromise(t), nil, give); strings.Contains(b, "the raw line") {
		t.Error("raw text was sent unasked")
	}
	if b := sent(t, compromise(t), func(c *triage.Config) { c.Endpoints[0].IncludeRaw = true }, give); !strings.Contains(b, "the raw line") {
		t.Error("raw text was asked for and not sent")
	}
}

func TestTheGuardLetsOnlyPublicAndNamedNetworksThrough(t *testing.T) {
	g, err := triage.NewGuard([]string{"10.7.0.0/16", "169.254.0.0/16", "::1/128"})
	if err != nil {
		t.Fatal(err)
	}
	for ip, allowed := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "10.7.1.2": true, "::ffff:10.7.1.2": true, "::1": true,
		"10.8.0.1": false, "127.0.0.1": false, "::ffff:127.0.0.1": false, "192.168.1.1": false, "172.31.0.1": false, "169.254.169.254": false, "fe80::1": false,
		"0.0.0.0": false, "::": false, "224.0.0.1": false, "255.255.255.255": false, "100.64.0.1": false, "fd00::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false,
	} {
		if got := g.Check(netip.MustParseAddr(ip)); (got == nil) != allowed {
			t.Errorf("%s: %v", ip, got)
		}
	}
	g, err = triage.NewGuard([]string{"64:ff9b::/96", "2002::/16", "fc00::/7", "100.64.0.0/10", "168.63.129.0/24", "::/96", "10.7.0.0/16"})
	if err != nil {
		t.Fatal(err)
	}
	for ip, allowed := range map[string]bool{ // what a gateway unwraps is looked at too, and metadata services are never reached
		"64:ff9b::5db8:d822": true, "64:ff9b::a07:102": true, "64:ff9b::a08:1": false, "64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "2002:a9fe:a9fe::": false, "2002:5db8:d822::": true,
		"::a9fe:a9fe": false, "::7f00:1": false, "fd00:ec2::254": false, "fd00::1": true, "100.100.100.200": false, "100.64.0.1": true, "168.63.129.16": false, "::ffff:169.254.169.254": false,
	} {
		if got := g.Check(netip.MustParseAddr(ip)); (got == nil) != allowed {
			t.Errorf("with gateways allowed, %s: %v", ip, got)
		}
	}
	if _, err := triage.NewGuard([]string{"10.0.0.1"}); err == nil {
		t.Error("an address is no network")
	}
}

func TestALoopbackReceiverIsNotReachedUnlessItsNetworkIsAllowed(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 200 })
	cfg := config(t, hook.URL)
	cfg.Endpoints[0].AllowCIDRs = nil
	d, err := triage.NewDesk(cfg, settings(), &outbox{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Test(t.Context(), "soc"); err == nil || !strings.Contains(err.Error(), "allow_cidrs") {
		t.Errorf("got %v", err)
	}
	if n := len(hook.all(t)); n > 0 {
		t.Errorf("%d requests came through", n)
	}
}

func TestConfigurationMistakesAreNamed(t *testing.T) {
	for want, edit := range map[string]func(*triage.Config){
		"soc: url: plain http":            func(c *triage.Config) { c.Endpoints[0].AllowPlainHTTP = false },
		"soc: url: scheme":                func(c *triage.Config) { c.Endpoints[0].URL = "ftp://x/y" },
		"soc: url: a password":            func(c *triage.Config) { c.Endpoints[0].URL = "https://a:b@x/y" },
		"soc: url: not a URL":             func(c *triage.Config) { c.Endpoints[0].URL = "soar" },
		"soc: secret: missing":            func(c *triage.Config) { c.Endpoints[0].Secret = triage.Secret{} },
		"soc: secret: the environment":    func(c *triage.Config) { c.Endpoints[0].Secret.Env = "TOCSIN_TEST_NOTHING" },
		"soc: secret: a signing key":      func(c *triage.Config) { c.Endpoints[0].Secret.Env = "TOCSIN_TEST_SHORT" },
		"soc: min_severity":               func(c *triage.Config) { c.Endpoints[0].MinSeverity = "worst" },
		"soc: events":                     func(c *triage.Config) { c.Endpoints[0].Events = []string{"created"} },
		"soc: allow_cidrs":                func(c *triage.Config) { c.Endpoints[0].AllowCIDRs = []string{"10.0.0.1"} },
		"soc: timeout":                    func(c *triage.Config) { c.Endpoints[0].Timeout = time.Hour },
		"soc: headers":                    func(c *triage.Config) { c.Endpoints[0].Headers = map[string]string{"webhook-id": "x"} },
		"soc: include_raw":                func(c *triage.Config) { c.Endpoints[0].IncludeRaw = true },
		"soc: name: used twice":           func(c *triage.Config) { c.Endpoints = append(c.Endpoints, c.Endpoints[0]) },
		"triage.endpoints: number 1":      func(c *triage.Config) { c.Endpoints[0].Name = "" },
		"triage.retry":                    func(c *triage.Config) { c.Retry = nil },
		"triage.poll":                     func(c *triage.Config) { c.Poll = 0 },
		"triage.console_url: \"nowhere\"": func(c *triage.Config) { c.ConsoleURL = "nowhere" },
	} {
		t.Setenv("TOCSIN_TEST_SHORT", "whsec_c2hvcnQ=")
		cfg := config(t, "http://127.0.0.1:1/x")
		edit(&cfg)
		if _, err := triage.NewDesk(cfg, settings(), &outbox{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestMetricsCountOutcomesAndWhatIsOwed(t *testing.T) {
	reader := metric.NewManualReader()
	m, err := triage.NewMetrics(metric.NewMeterProvider(metric.WithReader(reader)).Meter("test"))
	if err != nil {
		t.Fatal(err)
	}
	sent(t, compromise(t), nil, func(s *triage.Settings) { s.Metrics = m })
	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, x := range rm.ScopeMetrics[0].Metrics {
		names[x.Name] = true
	}
	for _, want := range []string{"tocsin.triage.deliveries", "tocsin.triage.outbox.depth", "tocsin.triage.outbox.oldest"} {
		if !names[want] {
			t.Errorf("%s was not recorded", want)
		}
	}
}
