package roles_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
)

// lasting is how long a test disturbs: what an environment variable says, or a short while, or a long one with TOCSIN_LONG=1.
func lasting(t testing.TB, variable string, short, long time.Duration) time.Duration {
	t.Helper()
	if text := os.Getenv(variable); text != "" {
		d, err := time.ParseDuration(text)
		must(t, err)
		return d
	}
	if os.Getenv("TOCSIN_LONG") == "1" {
		return long
	}
	return short
}

// chance is a source of randomness whose seed is told and can be given again.
func chance(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	if text := os.Getenv("TOCSIN_SEED"); text != "" {
		_, err := fmt.Sscan(text, &seed)
		must(t, err)
	}
	t.Logf("TOCSIN_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// drip sends all streams but those of teachers, a bit of each at a time, so that it takes as long as asked for. Between two bits it calls do.
func (r *run) drip(p *plant, lasts time.Duration, do func()) {
	r.t.Helper()
	began := time.Now()
	for done := 0.0; done < 1; {
		do()
		now := min(1, float64(time.Since(began))/float64(lasts))
		for i := range p.streams {
			if s := &p.streams[i]; !s.teaches() {
				r.say(s, int(done*float64(len(s.lines))), int(now*float64(len(s.lines))), partitions)
			}
		}
		done = now
	}
}

// killed kills members of all roles, the broker and the engine at moments nobody chose and starts them again. At the end the leader of triage is
// killed for good, and an analyst acts through the console of the one that stood by.
func killed(t *testing.T, r *run, p *plant) {
	dice := chance(t)
	lasts := lasting(t, "TOCSIN_KILLS", 40*time.Second, 4*time.Minute)
	r.crew()
	r.teach(p)
	counts := map[string]int{}
	began := time.Now()
	strike := func(what string, kill func()) {
		kill()
		counts[what]++
		t.Logf("%5.1fs kill -9 %s", time.Since(began).Seconds(), what)
		pause(dice, 0, 1500*time.Millisecond)
	}
	member := func() func() {
		m := r.members[dice.IntN(len(r.members))]
		if m.ended() {
			return func() {}
		}
		strike(m.name, m.kill)
		return func() { r.again(m) }
	}
	var deck []int
	r.drip(p, lasts, func() {
		pause(dice, 400*time.Millisecond, 2500*time.Millisecond)
		if len(deck) == 0 { // The broker and the engine, each alone and with a member, and members alone; all before one comes again.
			deck = dice.Perm(8)
		}
		kind := deck[0]
		deck = deck[1:]
		again := func() {}
		switch kind {
		case 0, 1:
			strike("the broker", r.broker.Kill)
		case 2, 3:
			strike("the engine", func() { must(t, syscall.Kill(r.engine.PID(), syscall.SIGKILL)); <-r.engine.Done() })
		}
		if kind != 0 && kind != 2 {
			again = member()
		}
		switch kind {
		case 0, 1:
			r.broker.Restart()
		case 2, 3:
			r.startEngine()
		}
		again()
	})
	t.Logf("killed in %v: %v", time.Since(began).Round(time.Second), counts)
	r.settled()
	r.handOver(p)
	r.settled()
}

// pause waits for a moment that nothing but chance decides on.
func pause(dice *rand.Rand, least, most time.Duration) {
	time.Sleep(least + time.Duration(dice.Int64N(int64(most-least))))
}

// handOver kills the leader of triage and acts through the console of the other member, before and after that one leads.
func (r *run) handOver(*plant) {
	t := r.t
	var leader, standby *member
	r.until("one member leads triage and one stands by", func() string {
		leader, standby = nil, nil
		for _, m := range r.living(app.RoleTriage) {
			if strings.HasPrefix(m.await().health()["triage"].Detail, "leading") {
				leader = m
			} else {
				standby = m
			}
		}
		if leader == nil || standby == nil {
			return fmt.Sprintf("leader %v, standby %v", leader, standby)
		}
		return ""
	})
	incident := r.anIncident(leader)
	leader.kill()
	dead := time.Now()
	r.act(standby, incident, "acknowledge", "")
	t.Logf("killed %s, the leader; acknowledged %s through %s %v later", leader.name, incident, standby.name, time.Since(dead).Round(time.Millisecond))
	r.until("the standby leads", func() string {
		if got := standby.health()["triage"].Detail; !strings.HasPrefix(got, "leading") {
			return got
		}
		return ""
	})
	t.Logf("%s leads %v after the kill", standby.name, time.Since(dead).Round(100*time.Millisecond))
	r.act(standby, incident, "note", "looked at it")
	r.again(leader).await()
	r.touched = incident
}

// anIncident is the first incident of a member's console.
func (r *run) anIncident(m *member) string {
	r.t.Helper()
	body, err := m.get("/api/v1/incidents?as=ocsf&limit=1000")
	must(r.t, err)
	first, _, _ := strings.Cut(string(body), "\n")
	var doc struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal([]byte(first), &doc); err != nil || doc.Metadata.UID == "" {
		r.t.Fatalf("the console has no incident: %v: %.200s", err, body)
	}
	return doc.Metadata.UID
}

var revision = regexp.MustCompile(`name="revision" value="(\d+)"`)

// act is what an analyst does on the page of an incident: load it, fill in the form, send it. The page is of what is recorded, so that the form may
// be about an older revision: then the analyst loads it again.
func (r *run) act(m *member, incident, action, text string) {
	r.t.Helper()
	r.until(action+" "+incident, func() string {
		page, err := m.get("/incidents/" + incident)
		if err != nil {
			return err.Error()
		}
		at := revision.FindSubmatch(page)
		if at == nil {
			return "its page has no form"
		}
		form := url.Values{"revision": {string(at[1])}, "by": {"ana"}, "action": {action}, "text": {text}}
		req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, m.url+"/incidents/"+incident, strings.NewReader(form.Encode()))
		must(r.t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		answer, err := browser.Do(req)
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusSeeOther {
			return fmt.Sprintf("%s: %.300s", answer.Status, body)
		}
		return ""
	})
}

// storm has members of all roles join and leave every few seconds, in good order or not.
func storm(t *testing.T, r *run, p *plant) {
	dice := chance(t)
	lasts := lasting(t, "TOCSIN_STORM", 40*time.Second, 2*time.Minute)
	r.crew()
	r.teach(p)
	counts := map[string]int{}
	began := time.Now()
	r.drip(p, lasts, func() {
		pause(dice, 500*time.Millisecond, 3*time.Second)
		role := []app.Role{app.RoleIngest, app.RoleIngest, app.RoleCorrelate, app.RoleTriage}[dice.IntN(4)]
		there := r.living(role)
		most := map[app.Role]int{app.RoleIngest: 4, app.RoleCorrelate: 3, app.RoleTriage: 3}[role]
		what, who := "", ""
		switch {
		case len(there) == 0 || len(there) < most && dice.IntN(2) == 0:
			what, who = "joins", r.begin(role).name
		default:
			m := there[dice.IntN(len(there))]
			who = m.name + r.leading(m)
			if dice.IntN(2) == 0 && m.isReady() {
				what = "leaves"
				m.leave()
			} else {
				what = "is killed"
				m.kill()
			}
		}
		counts[string(role)+" "+what]++
		t.Logf("%5.1fs %s %s; %d ingest, %d correlate and %d triage members are left", time.Since(began).Seconds(), who, what,
			len(r.living(app.RoleIngest)), len(r.living(app.RoleCorrelate)), len(r.living(app.RoleTriage)))
	})
	t.Logf("in %v: %v", time.Since(began).Round(time.Second), counts)
	for _, role := range []app.Role{app.RoleIngest, app.RoleCorrelate, app.RoleTriage} {
		if len(r.living(role)) == 0 {
			r.begin(role)
		}
	}
	r.settled()
}

// leading says in a log whether a member leads triage.
func (r *run) leading(m *member) string {
	if m.role == app.RoleTriage && m.isReady() && strings.HasPrefix(m.health()["triage"].Detail, "leading") {
		return ", which leads,"
	}
	return ""
}
