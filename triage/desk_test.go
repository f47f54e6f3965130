package triage_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

func config(t *testing.T, url string) triage.Config {
	t.Helper()
	t.Setenv("TOCSIN_TEST_SECRET", secret)
	t.Setenv("TOCSIN_TEST_NEXT", next)
	cfg := triage.DefaultConfig()
	cfg.ConsoleURL = "https://console.example"
	cfg.Endpoints = []triage.EndpointConfig{{
		Name: "soc", URL: url, Secret: triage.Secret{Env: "TOCSIN_TEST_SECRET"}, NextSecret: triage.Secret{Env: "TOCSIN_TEST_NEXT"}, AllowPlainHTTP: true, AllowCIDRs: []string{"127.0.0.0/8"},
	}}
	return cfg
}

func settings() triage.Settings {
	return triage.Settings{Source: "urn:tocsin:test", Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

// desk starts a desk; the function it gives stops it and waits.
func desk(t *testing.T, cfg triage.Config, o *outbox) (*triage.Desk, func()) {
	t.Helper()
	d, err := triage.NewDesk(cfg, settings(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.Run(ctx)
	}()
	return d, func() { cancel(); <-done }
}

func revision(n, rev int, kind incident.ChangeKind) incident.Change {
	return incident.Change{Kind: kind, Fields: []string{"findings"}, Actor: "system", Incident: &incident.Incident{
		ID: event.NewID("incident", fmt.Sprint(n)), Revision: int32(rev), Status: incident.Open, Title: fmt.Sprint("incident ", n), Severity: incident.High,
		Updated: time.Now().UnixMicro(),
	}}
}

// inBubble runs f with a clock of its own. The receiver must be made outside: its waiting for connections would keep the clock from moving.
func inBubble(t *testing.T, url string, f func(t *testing.T, cfg triage.Config)) {
	cfg := config(t, url)
	synctest.Test(t, func(t *testing.T) { f(t, cfg) })
}

func TestEveryFinalRevisionArrivesOnceThroughAnHourOfSilenceAndARestart(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var down bool
	moods := rand.New(rand.NewPCG(seed, 2)) // the receiver's own: it is asked from other goroutines
	tries := map[string]int{}
	hook := newReceiver(t, func(g got) int {
		if down {
			return []int{0, 502, 302}[moods.IntN(3)]
		}
		if tries[g.id]++; tries[g.id] > 2 {
			return 204
		}
		return []int{200, 202, 204, 204, 500, 429, 408, 0}[moods.IntN(8)]
	})
	hook.header.Set("Retry-After", "7")
	hook.header.Set("Location", "http://169.254.169.254/")
	setDown := func(x bool) {
		hook.mu.Lock()
		defer hook.mu.Unlock()
		down = x
	}
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		d, stop := desk(t, cfg, o)
		last := map[int]int{}
		publish := func(n int, kind incident.ChangeKind) {
			last[n]++
			o.record(revision(n, last[n], kind))
			d.Notify()
		}
		for n := range 8 {
			publish(n, incident.ChangeOpened)
		}
		for i := range 120 {
			publish(r.IntN(8), []incident.ChangeKind{incident.ChangeUpdated, incident.ChangeEscalated, incident.ChangeAcknowledged}[r.IntN(3)])
			time.Sleep(time.Duration(r.IntN(120)) * time.Second)
			switch i {
			case 30:
				setDown(true)
			case 70:
				stop()
				d, stop = desk(t, cfg, o)
			case 90:
				setDown(false)
			}
		}
		for n := range 8 {
			publish(n, incident.ChangeClosed)
		}
		time.Sleep(12 * time.Hour)
		stop()
		if n := o.states()[incident.DeliveryPending]; n > 0 || o.states()[incident.DeliveryDead] > 0 {
			t.Errorf("seed %d: states %v", seed, o.states())
		}
		accepted := map[string]int{}
		arrived := map[string][]int{}
		kinds := map[string]int{}
		for _, g := range hook.all(t) {
			if g.code >= 200 && g.code < 300 {
				accepted[g.id]++
				arrived[g.subject] = append(arrived[g.subject], g.revision)
				kinds[g.kind]++
			}
		}
		for id, n := range accepted {
			if n != 1 {
				t.Errorf("seed %d: %s arrived %d times", seed, id, n)
			}
		}
		for n := range 8 {
			revs := arrived[event.FormatID("inc_", event.NewID("incident", fmt.Sprint(n)))]
			if len(revs) == 0 || revs[0] != 1 || revs[len(revs)-1] != last[n] || !slices.IsSorted(revs) {
				t.Errorf("seed %d: incident %d came as %v, its last revision is %d", seed, n, revs, last[n])
			}
		}
		if kinds["opened"] != 8 || kinds["closed"] != 8 {
			t.Errorf("seed %d: opened and closed must always be sent: %v", seed, kinds)
		}
		if s := d.Endpoints()[0]; s.State != "ok" {
			t.Errorf("seed %d: the endpoint is well again but shown as %+v", seed, s)
		}
	})
}

func TestAnOpenBreakerTriesOnceAMinuteAndCostsTheDeliveriesNothing(t *testing.T) {
	up := false
	hook := newReceiver(t, func(got) int {
		if up {
			return 204
		}
		return 503
	})
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 20 {
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		d, stop := desk(t, cfg, o)
		time.Sleep(time.Hour)
		if s := d.Endpoints()[0]; s.State != "open" || s.Pending != 20 {
			t.Errorf("after an hour of failures: %+v", s)
		}
		n := len(hook.all(t))
		time.Sleep(time.Hour)
		if tries := len(hook.all(t)) - n; tries < 55 || tries > 61 {
			t.Errorf("an open breaker was tried %d times in an hour", tries)
		}
		hook.mu.Lock()
		up = true
		hook.mu.Unlock()
		time.Sleep(2 * time.Minute)
		stop()
		if got := o.states()[incident.DeliveryDone]; got != 20 {
			t.Errorf("two minutes after it came back %d of 20 have arrived", got)
		}
	})
}

func TestWhatWaitedForHoursGoesOutAsSoonAsTheEndpointIsBack(t *testing.T) {
	up := false
	hook := newReceiver(t, func(got) int {
		if up {
			return 204
		}
		return 0
	})
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 20 {
			c := revision(n, 1, incident.ChangeOpened)
			o.record(c)
			if n%2 == 0 { // from before a restart, and not to be tried for hours
				id := incident.DeliveryID(c.Incident.ID, 1, "soc")
				o.state[id] = incident.Delivery{Attempts: 7, State: incident.DeliveryPending, Next: time.Now().Add(5 * time.Hour).UnixMicro()}
			}
		}
		_, stop := desk(t, cfg, o)
		time.Sleep(10 * time.Minute)
		hook.mu.Lock()
		up = true
		hook.mu.Unlock()
		time.Sleep(2 * time.Minute)
		stop()
		if got := o.states()[incident.DeliveryDone]; got != 20 {
			t.Errorf("two minutes after it came back %d of 20 have arrived: %v", got, o.states())
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 307 })
	hook.header.Set("Location", hook.URL+"/elsewhere")
	d, err := triage.NewDesk(config(t, hook.URL), settings(), &outbox{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Test(t.Context(), "soc"); err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
		t.Errorf("got %v", err)
	}
	if n := len(hook.all(t)); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestAttemptsFollowTheTableAndEndAsDeadLetters(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 500 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Retry = cfg.Retry[:6]
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		o.record(revision(1, 1, incident.ChangeOpened))
		_, stop := desk(t, cfg, o)
		time.Sleep(2 * time.Hour)
		stop()
		seen := hook.all(t)
		if len(seen) != 6 || o.states()[incident.DeliveryDead] != 1 {
			t.Fatalf("%d attempts, %v", len(seen), o.states())
		}
		for i := 1; i < len(seen); i++ {
			var a, b int64
			fmt.Sscan(seen[i-1].at, &a)
			fmt.Sscan(seen[i].at, &b)
			wait, want := time.Duration(b-a)*time.Second, cfg.Retry[i]
			if wait < want*8/10-time.Second || wait > want*12/10+3*time.Second {
				t.Errorf("attempt %d came after %v, want %v within a fifth", i+1, wait, want)
			}
			if seen[i].id != seen[0].id || seen[i].body != seen[0].body {
				t.Errorf("attempt %d is not the same delivery", i+1)
			}
		}
	})
}

func TestRefusalsEndAfterThreeTriesAndGoneDisables(t *testing.T) {
	for _, c := range []struct {
		code, tries int
		state       string
	}{{401, 3, "misconfigured"}, {410, 1, "disabled"}} {
		hook := newReceiver(t, func(got) int { return c.code })
		inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
			o := &outbox{state: map[event.ID]incident.Delivery{}}
			o.record(revision(1, 1, incident.ChangeOpened))
			d, stop := desk(t, cfg, o)
			time.Sleep(time.Hour)
			stop()
			if n := len(hook.all(t)); n != c.tries || o.states()[incident.DeliveryDead] != 1 || d.Endpoints()[0].State != c.state {
				t.Errorf("%d: %d tries, %v, %+v", c.code, n, o.states(), d.Endpoints()[0])
			}
		})
	}
}

func TestRetryAfterIsHonouredUpToAnHour(t *testing.T) {
	for header, want := range map[string]time.Duration{"900": 15 * time.Minute, "999999": time.Hour, "Sat, 01 Jan 2000 00:20:00 GMT": 20 * time.Minute, "soon": 5 * time.Second} {
		hook := newReceiver(t, func(got) int { return 429 })
		hook.header.Set("Retry-After", header)
		inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
			o := &outbox{state: map[event.ID]incident.Delivery{}}
			o.record(revision(1, 1, incident.ChangeOpened))
			_, stop := desk(t, cfg, o)
			time.Sleep(want * 7 / 10)
			if n := len(hook.all(t)); n != 1 {
				t.Errorf("Retry-After %s: %d attempts too early", header, n)
			}
			time.Sleep(want*3/10 + 8*time.Second)
			stop()
			if n := len(hook.all(t)); n != 2 {
				t.Errorf("Retry-After %s: %d attempts in time", header, n)
			}
		})
	}
}

func TestNewerSnapshotsReplaceWaitingOnes(t *testing.T) {
	up := false
	hook := newReceiver(t, func(got) int {
		if up {
			return 200
		}
		return 500
	})
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		d, stop := desk(t, cfg, o)
		for rev := 1; rev <= 6; rev++ {
			o.record(revision(1, rev, incident.ChangeUpdated))
			d.Notify()
			synctest.Wait()
		}
		time.Sleep(time.Second)
		if n := len(hook.all(t)); n != 1 {
			t.Errorf("a storm of revisions got round the waiting time: %d attempts", n)
		}
		hook.mu.Lock()
		up = true
		hook.mu.Unlock()
		time.Sleep(time.Minute)
		stop()
		seen := hook.all(t)
		if g := seen[len(seen)-1]; g.revision != 6 || g.coalesced != 5 || g.code != 200 || o.states()[incident.DeliveryCoalesced] != 5 {
			t.Errorf("the last one is %+v, states %v", g, o.states())
		}
	})
}

func TestAStoreThatIsAwayLosesNothingAndSendsNothingTwice(t *testing.T) {
	var o *outbox
	hook := newReceiver(t, func(got) int {
		o.fail(true) // it goes away between the delivery and its settlement
		return 200
	})
	o = &outbox{state: map[event.ID]incident.Delivery{}}
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o.record(revision(1, 1, incident.ChangeOpened))
		_, stop := desk(t, cfg, o)
		time.Sleep(10 * time.Minute)
		o.fail(false)
		time.Sleep(time.Minute)
		stop()
		if n := len(hook.all(t)); n != 1 || o.states()[incident.DeliveryDone] != 1 {
			t.Errorf("%d deliveries, %v", n, o.states())
		}
	})
}

func TestEndpointsGetWhatTheyAskForAndNoEcho(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 200 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		cfg.Endpoints[0].MinSeverity = "high"
		cfg.Endpoints[0].Events = []string{"opened", "closed"}
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		low := revision(2, 1, incident.ChangeOpened)
		low.Incident.Severity = incident.Low
		own := revision(3, 1, incident.ChangeClosed)
		own.Origin = "soc"
		o.record(revision(1, 1, incident.ChangeOpened), revision(1, 2, incident.ChangeUpdated), low, own)
		d, stop := desk(t, cfg, o)
		time.Sleep(time.Minute)
		if err := d.Test(t.Context(), "soc"); err != nil {
			t.Error(err)
		}
		if err := d.Test(t.Context(), "nobody"); err == nil {
			t.Error("an endpoint that is not there was tested")
		}
		stop()
		var kinds []string
		for _, g := range hook.all(t) {
			kinds = append(kinds, fmt.Sprint(g.kind, g.revision))
		}
		if !slices.Equal(kinds, []string{"opened1", "endpoint.test0"}) {
			t.Errorf("got %v", kinds)
		}
	})
}

func TestASlowReceiverIsCutOffAndTriedAgain(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // until the sender gives up
	}))
	t.Cleanup(slow.Close)
	cfg := config(t, slow.URL)
	cfg.Endpoints[0].Timeout = time.Second // More than a connection on loopback takes.
	d, err := triage.NewDesk(cfg, settings(), &outbox{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Test(t.Context(), "soc"); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("got %v", err)
	}
}
