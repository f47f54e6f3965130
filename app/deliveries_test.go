package app_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

func TestDeadLettersAreReplayedThroughTheRunningServiceUnderTheirIDs(t *testing.T) {
	needEngine(t)
	hook := newReceiver(t)
	hook.down.Store(true)
	o := newSmall(t, hook.url())
	o.cfg.Triage.Retry = []time.Duration{0, time.Second}
	o.cfg.Triage.Routes = []triage.RouteConfig{{Name: "people", When: "len(users) > 0", OwnerTeam: "it-soc"}}
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(0, users(0, 2)...))
	o.incidents(2)
	cfg := o.cfg
	cfg.Console.Listen = strings.TrimPrefix(o.svc.url, "http://")
	list := func(state string) []app.DeliveryRow {
		var out []app.DeliveryRow
		must(t, app.ListDeliveries(t.Context(), cfg, url.Values{"state": {state}}, func(r app.DeliveryRow) error { out = append(out, r); return nil }))
		return out
	}
	var dead []app.DeliveryRow
	eventually(t, func() bool { dead = list("dead"); return len(dead) == 2 }, func() string { return "both deliveries are dead letters" })
	if d := dead[0]; d.Attempts != 2 || d.Status != 503 || d.Endpoint != "soc" {
		t.Errorf("a dead letter is %+v", d)
	}
	if refusal, err := app.TestEndpoint(t.Context(), cfg, "soc"); err != nil || !strings.Contains(refusal, "503") {
		t.Errorf("the test of an endpoint that is down: %q, %v", refusal, err)
	}
	if _, err := app.ReplayDeliveries(t.Context(), cfg, url.Values{}); err == nil {
		t.Error("everything was replayed by accident")
	}
	hook.down.Store(false)
	n, err := app.ReplayDeliveries(t.Context(), cfg, url.Values{"endpoint": {"soc"}})
	must(t, err)
	if n != 2 {
		t.Errorf("%d were replayed", n)
	}
	eventually(t, func() bool { return len(list("delivered")) == 2 }, func() string { return "both have arrived" })
	for _, d := range list("delivered") {
		if !slices.ContainsFunc(dead, func(x app.DeliveryRow) bool { return x.ID == d.ID }) || d.Attempts != 3 || d.By == "" || !strings.Contains(hook.bodies[d.ID], `"owner_team":"it-soc","route":"people"`) {
			t.Errorf("arrived as %+v: %s", d, hook.bodies[d.ID])
		}
	}
	if refusal, err := app.TestEndpoint(t.Context(), cfg, "soc"); err != nil || refusal != "" {
		t.Errorf("the test of an endpoint that is up: %q, %v", refusal, err)
	}
	var routed []triage.Routed
	must(t, app.TryRoutes(t.Context(), cfg, incident.ChangeOpened, 10, func(r triage.Routed) error { routed = append(routed, r); return nil }))
	if len(routed) != 2 || routed[0].Owner != "it-soc" || routed[0].Route != "people" {
		t.Errorf("routed %+v", routed)
	}
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
}
