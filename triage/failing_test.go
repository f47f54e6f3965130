package triage_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// kindsOf are the kinds of news that a receiver saw of other endpoints.
func kindsOf(t *testing.T, r *receiver) (out []string) {
	t.Helper()
	for _, g := range r.all(t) {
		if strings.HasPrefix(g.kind, "endpoint.") {
			out = append(out, g.kind)
		}
	}
	return out
}

func TestAnEndpointThatFailedForADayIsToldOfThroughAnother(t *testing.T) {
	up, deaf := false, true
	hook := newReceiver(t, func(got) int {
		if up {
			return 204
		}
		return 503
	})
	other := newReceiver(t, func(g got) int {
		if deaf && strings.HasPrefix(g.kind, "endpoint.") {
			return 500
		}
		return 204
	})
	set := func(r *receiver, b *bool, to bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		*b = to
	}
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		ops := cfg.Endpoints[0]
		ops.Name, ops.URL = "ops", other.URL
		cfg.Endpoints = append(cfg.Endpoints, ops)
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 20 {
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		d, stop := desk(t, cfg, o)
		defer stop()
		time.Sleep(23 * time.Hour)
		if got := kindsOf(t, other); len(got) != 0 {
			t.Fatalf("told within the day: %v", got)
		}
		if st := d.Endpoints()[0]; st.Trouble == 0 || st.Told == nil || len(st.Told) != 0 {
			t.Errorf("%+v", st)
		}
		time.Sleep(90 * time.Minute)
		if got := kindsOf(t, other); len(got) == 0 || len(d.Endpoints()[0].Told) != 0 {
			t.Fatalf("what was refused is not tried, or counts as told: %v", got)
		}
		set(other, &deaf, false)
		time.Sleep(time.Hour)
		tries := len(kindsOf(t, other))
		if told := d.Endpoints()[0].Told; !slices.Equal(told, []string{"ops"}) {
			t.Errorf("told through %v", told)
		}
		time.Sleep(3 * time.Hour)
		if got := kindsOf(t, other); len(got) != tries {
			t.Errorf("told again: %d times after %d", len(got), tries)
		}
		set(hook, &up, true)
		time.Sleep(10 * time.Minute)
		got := kindsOf(t, other)
		if n := len(got) - tries; n != 1 || got[len(got)-1] != "endpoint.recovered" || slices.Contains(got[:tries], "endpoint.recovered") {
			t.Errorf("after it came back: %v", got)
		}
		if st := d.Endpoints()[0]; st.Trouble != 0 || len(st.Told) != 0 {
			t.Errorf("%+v", st)
		}
		if got := kindsOf(t, hook); len(got) != 0 {
			t.Errorf("the endpoint is told of itself: %v", got)
		}
	})
}

func TestTheConfigurationOfWhoIsToldIsChecked(t *testing.T) {
	for want, set := range map[string]triage.FailingConfig{
		"triage.failing.after: 1s": {After: time.Second}, "triage.failing.after: -1h": {After: -time.Hour}, `triage.failing.tell: there is no endpoint "nobody"`: {After: time.Hour, Tell: []string{"nobody"}},
	} {
		cfg := config(t, "https://soc.example")
		cfg.Failing = set
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", set, err)
		}
	}
	cfg := config(t, "https://soc.example")
	cfg.Failing = triage.FailingConfig{Tell: []string{"soc"}}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
