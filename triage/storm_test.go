package triage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// digested is how many openings digests of a receiver stood for.
func digested(t *testing.T, hook *receiver) (digests, incidents, single int) {
	t.Helper()
	for _, g := range hook.all(t) {
		if g.code != 200 {
			continue
		}
		var e struct {
			Data struct{ Digest *struct{ Opened int } }
		}
		if err := json.Unmarshal([]byte(g.body), &e); err != nil {
			t.Fatal(err)
		}
		if e.Data.Digest != nil {
			digests, incidents = digests+1, incidents+e.Data.Digest.Opened
		} else if g.kind == "opened" {
			single++
		}
	}
	return digests, incidents, single
}

func TestAStormOfOpeningsBecomesOneDigestAMinute(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 200 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Endpoints[0].Digest.Openings = 5
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 100 {
			c := revision(n, 1, incident.ChangeOpened)
			if n == 60 {
				c.Incident.Severity = incident.Critical
			}
			o.record(c)
		}
		o.record(revision(70, 2, incident.ChangeClosed))
		_, stop := desk(t, cfg, o)
		time.Sleep(3 * time.Minute)
		stop()
		digests, incidents, single := digested(t, hook)
		if digests != 1 || incidents != 94 || single != 6 {
			t.Errorf("%d digests for %d incidents, %d told one by one", digests, incidents, single)
		}
		want := map[incident.DeliveryState]int{incident.DeliveryDigested: 94, incident.DeliveryDone: 7}
		if got := o.states(); got[incident.DeliveryDigested] != 94 || got[incident.DeliveryDone] != 7 {
			t.Errorf("states %v, want %v", got, want)
		}
		last := hook.all(t)
		if g := last[len(last)-1]; g.kind != "closed" {
			t.Errorf("what is always sent came as %s", g.kind)
		}
	})
}

func TestADigestThatFailsIsTheSameDigestAgain(t *testing.T) {
	fails := 3
	hook := newReceiver(t, func(g got) int {
		if g.kind == "digest" && fails > 0 {
			fails--
			return 500
		}
		return 200
	})
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Endpoints[0].Digest.Openings = 1
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 10 {
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		_, stop := desk(t, cfg, o)
		time.Sleep(90 * time.Second)
		for n := 10; n < 20; n++ { // meanwhile
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		time.Sleep(15 * time.Minute)
		stop()
		var bodies []string
		for _, g := range hook.all(t) {
			if g.kind == "digest" {
				bodies = append(bodies, g.body)
			}
		}
		if len(bodies) < 5 || bodies[0] != bodies[1] || bodies[0] != bodies[2] || bodies[0] != bodies[3] || bodies[4] == bodies[0] {
			t.Errorf("%d digests, and the failing one changed", len(bodies))
		}
		if got := o.states(); got[incident.DeliveryDigested]+got[incident.DeliveryDone] != 20 || got[incident.DeliveryDigested] < 15 { // one of each minute goes by itself
			t.Errorf("states %v", got)
		}
	})
}

func TestARateBoundsTheAttemptsOfAMinute(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 200 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Endpoints[0].Rate = 10
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 60 {
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		_, stop := desk(t, cfg, o)
		time.Sleep(time.Second)
		if n := len(hook.all(t)); n != 10 {
			t.Errorf("%d at once", n)
		}
		time.Sleep(2 * time.Minute)
		if n := len(hook.all(t)); n < 28 || n > 31 {
			t.Errorf("%d within two minutes", n)
		}
		time.Sleep(4 * time.Minute)
		stop()
		if n := len(hook.all(t)); n != 60 || o.states()[incident.DeliveryDone] != 60 {
			t.Errorf("%d in the end, %v", n, o.states())
		}
	})
}

func TestReplayedDeadLettersHaveTheirIDsAndANewStart(t *testing.T) {
	up := false
	hook := newReceiver(t, func(got) int {
		if up {
			return 200
		}
		return 500
	})
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Retry = cfg.Retry[:3]
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		o.record(revision(1, 1, incident.ChangeOpened))
		d, stop := desk(t, cfg, o)
		time.Sleep(24 * time.Hour) // longer than anybody is told of something so old
		if o.states()[incident.DeliveryDead] != 1 {
			t.Fatalf("states %v", o.states())
		}
		replay := func() {
			o.mu.Lock()
			for id, x := range o.state {
				x.State, x.Next, x.Spent, x.Replayed = incident.DeliveryPending, 0, x.Attempts, time.Now().UnixMicro()
				o.state[id] = x
			}
			o.mu.Unlock()
			d.Notify()
		}
		replay()
		time.Sleep(10 * time.Minute)
		if n := len(hook.all(t)); n != 6 || o.states()[incident.DeliveryDead] != 1 {
			t.Errorf("%d attempts after a replay that failed too, %v", n, o.states())
		}
		hook.mu.Lock()
		up = true
		hook.mu.Unlock()
		replay()
		time.Sleep(time.Minute)
		stop()
		seen := hook.all(t)
		if len(seen) != 7 || o.states()[incident.DeliveryDone] != 1 || seen[6].id != seen[0].id || seen[6].body != seen[0].body {
			t.Errorf("%d attempts, %v", len(seen), o.states())
		}
	})
}

func TestWhatReceiversSayIsRecorded(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 500 })
	hook.say = strings.Repeat("no\x1b[31m ", 2000)
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		o.record(revision(1, 1, incident.ChangeOpened))
		_, stop := desk(t, cfg, o)
		time.Sleep(time.Second)
		stop()
		for _, x := range o.state {
			if x.Status != 500 || len(x.Answer) != 4<<10 || !strings.HasPrefix(x.Answer, "no\x1b") || x.Took < 0 {
				t.Errorf("status %d, %d bytes, %d µs", x.Status, len(x.Answer), x.Took)
			}
		}
	})
}

func TestAnEndpointThatWasGoneIsFoundByATest(t *testing.T) {
	code := 410
	hook := newReceiver(t, func(got) int { return code })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		o.record(revision(1, 1, incident.ChangeOpened))
		d, stop := desk(t, cfg, o)
		time.Sleep(time.Minute)
		o.record(revision(2, 1, incident.ChangeOpened))
		d.Notify()
		time.Sleep(time.Hour)
		if n := len(hook.all(t)); n != 1 {
			t.Errorf("an endpoint that is gone was asked %d times", n)
		}
		hook.mu.Lock()
		code = 200
		hook.mu.Unlock()
		if err := d.Test(t.Context(), "soc"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		stop()
		if o.states()[incident.DeliveryDone] != 1 || d.Endpoints()[0].State != "ok" {
			t.Errorf("%v, %+v", o.states(), d.Endpoints()[0])
		}
	})
}

// safe is a vault in memory.
type safe struct {
	mu       sync.Mutex
	doc      []byte
	revision int64
}

func (v *safe) Kept(context.Context, string) ([]byte, int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.doc, v.revision, nil
}

func (v *safe) Keep(_ context.Context, _ string, doc []byte, expected int64, _ string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if expected != v.revision {
		return errors.New("stale")
	}
	v.doc, v.revision = doc, v.revision+1
	return nil
}

func TestARotationSignsWithBothSecretsUntilItIsConfirmed(t *testing.T) {
	t.Setenv("TOCSIN_TEST_SECRET", secret)
	v := &safe{}
	var headers []map[string]bool
	var keys []string
	hook := newReceiver(t, func(got) int { return 200 })
	hook.check = func(body []byte, header map[string][]string) {
		ok := map[string]bool{}
		for _, k := range keys {
			w, err := standardwebhooks.NewWebhook(k)
			if err != nil {
				t.Error(err)
				return
			}
			ok[k] = w.Verify(body, header) == nil
		}
		headers = append(headers, ok)
	}
	cfg := config(t, hook.URL)
	cfg.Endpoints[0].NextSecret = triage.Secret{}
	s := settings()
	s.Vault = v
	make := func() *triage.Desk {
		d, err := triage.NewDesk(cfg, s, &outbox{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := make()
	fresh, err := d.Rotate(t.Context(), "soc", "ana")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(v.doc), strings.TrimPrefix(fresh, "whsec_")) {
		t.Error("the secret is kept in the clear")
	}
	if _, err := d.Rotate(t.Context(), "soc", "ana"); !errors.Is(err, triage.ErrRotation) {
		t.Errorf("a second rotation within the first: %v", err)
	}
	keys = []string{secret, fresh}
	try := func(d *triage.Desk) map[string]bool {
		if err := d.Test(t.Context(), "soc"); err != nil {
			t.Fatal(err)
		}
		return headers[len(headers)-1]
	}
	if got := try(d); !got[secret] || !got[fresh] {
		t.Errorf("while it rotates: %v", got)
	}
	if err := d.Confirm(t.Context(), "soc", "ben"); err != nil {
		t.Fatal(err)
	}
	if got := try(d); got[secret] || !got[fresh] {
		t.Errorf("after the confirmation: %v", got)
	}
	if err := d.Confirm(t.Context(), "soc", "ben"); !errors.Is(err, triage.ErrRotation) {
		t.Errorf("confirmed twice: %v", err)
	}
	if st := d.Endpoints()[0].Secret; !st.Signed || !st.Made || st.Next || st.By != "ben" {
		t.Errorf("stands as %+v", st)
	}
	t.Setenv("TOCSIN_TEST_SECRET", next) // the operator sets another: what was made in the console is void
	if got := try(make()); got[secret] || got[fresh] {
		t.Errorf("with a new configured secret: %v", got)
	}
}

func TestRoutesLeadByTheFirstMatchAndGoOnWhereTheySay(t *testing.T) {
	compile := func(source string) (func(*incident.Change) bool, error) {
		if source == "bad" {
			return nil, errors.New("line 1, column 1: unknown name")
		}
		return func(c *incident.Change) bool { return strings.Contains(source, c.Incident.Title) }, nil
	}
	routes := []triage.RouteConfig{
		{Name: "tell everybody", Endpoints: []string{"chat"}, Continue: true},
		{Name: "cells", When: "a b", OwnerTeam: "ot", Endpoints: []string{"ot"}, Continue: true},
		{Name: "first of them", When: "a", OwnerTeam: "safety", Endpoints: []string{"pager", "chat"}},
		{Name: "rest", OwnerTeam: "it"},
	}
	r, err := triage.NewRouter(routes, compile)
	if err != nil {
		t.Fatal(err)
	}
	for title, want := range map[string]triage.Routing{
		"a": {Owner: "ot", Route: "cells", Matched: []string{"tell everybody", "cells", "first of them"}, Endpoints: []string{"chat", "ot", "pager"}},
		"b": {Owner: "ot", Route: "cells", Matched: []string{"tell everybody", "cells", "rest"}, Endpoints: []string{"chat", "ot"}},
		"c": {Owner: "it", Route: "rest", Matched: []string{"tell everybody", "rest"}, Endpoints: []string{"chat"}},
	} {
		got := r.Of(&incident.Change{Incident: &incident.Incident{Title: title, Owner: "stitched"}})
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %+v, want %+v", title, got, want)
		}
	}
	var none *triage.Router
	if got := none.Of(&incident.Change{Incident: &incident.Incident{Owner: "stitched"}}); got.Owner != "stitched" || got.Route != "" {
		t.Errorf("without routes: %+v", got)
	}
	routes[1].When = "bad"
	if _, err := triage.NewRouter(routes, compile); err == nil || !strings.Contains(err.Error(), "cells: when: line 1, column 1") {
		t.Errorf("got %v", err)
	}
}

func TestAnEndpointThatRoutesNameHearsOnlyWhatLeadsToIt(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 200 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Routes = []triage.RouteConfig{{Name: "odd", When: "odd", OwnerTeam: "odd team", Endpoints: []string{"soc"}}, {Name: "even", OwnerTeam: "even team"}}
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 6 {
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		s := settings()
		s.Compile = func(string) (func(*incident.Change) bool, error) {
			return func(c *incident.Change) bool {
				return slices.Contains([]string{"incident 1", "incident 3", "incident 5"}, c.Incident.Title)
			}, nil
		}
		d, err := triage.NewDesk(cfg, s, o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = d.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		cancel()
		<-done
		seen := hook.all(t)
		if len(seen) != 3 {
			t.Errorf("%d deliveries", len(seen))
		}
		for _, g := range seen {
			if !strings.Contains(g.body, `"owner_team":"odd team","route":"odd"`) {
				t.Errorf("the route is not named: %s", g.body)
			}
		}
	})
}

func TestRoutesAndStormsAreChecked(t *testing.T) {
	for want, edit := range map[string]func(*triage.Config){
		"there is no endpoint \"nobody\"": func(c *triage.Config) { c.Routes = []triage.RouteConfig{{Name: "r", Endpoints: []string{"nobody"}}} },
		"it does nothing":                 func(c *triage.Config) { c.Routes = []triage.RouteConfig{{Name: "r"}} },
		"give a name":                     func(c *triage.Config) { c.Routes = []triage.RouteConfig{{OwnerTeam: "it"}} },
		"keeps one object for each incident": func(c *triage.Config) {
			c.Endpoints[0].Adapter, c.Endpoints[0].Digest.Openings, c.Endpoints[0].Token = "pagerduty", 5, triage.Secret{Env: "X"}
		},
		"rate: -1":           func(c *triage.Config) { c.Endpoints[0].Rate = -1 },
		"is none of native":  func(c *triage.Config) { c.Endpoints[0].Adapter = "fax" },
		"token: missing":     func(c *triage.Config) { c.Endpoints[0].Adapter = "thehive" },
		"plain tcp: use tls": func(c *triage.Config) { c.Endpoints[0].Adapter, c.Endpoints[0].URL = "cef", "tcp://h:1" },
		"no name of a Kafka": func(c *triage.Config) { c.Endpoints[0].Adapter, c.Endpoints[0].Topic = "kafka", "a b" },
		"no address of mail": func(c *triage.Config) { c.Endpoints[0].Adapter, c.Endpoints[0].URL = "email", "smtp://h" },
		"not both":           func(c *triage.Config) { c.Endpoints[0].URLFrom = triage.Secret{Env: "X"} },
	} {
		cfg := config(t, "https://soc.example")
		edit(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
