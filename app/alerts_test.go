package app_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestEachFindingIsToldOnceToWhoAsksForAlertsAlsoAfterAnOutageAndARestart(t *testing.T) {
	needEngine(t)
	hook := newReceiver(t)
	hook.down.Store(true)
	o := newSmall(t, hook.url())
	o.cfg.Triage.Endpoints[0].Events = []string{"opened", "alert.created"}
	o.config = writeConfig(t, o.dir, o.cfg)
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(0, users(0, 2)...))
	o.incidents(2)
	if err := o.svc.interrupt(t); err != nil {
		t.Fatalf("the service ended with %v\n%s", err, o.svc.log)
	}
	hook.down.Store(false)
	o.svc = start(t, o.config, o.ahead)
	o.say("sshd", refused(2, users(2, 3)...))
	o.incidents(3)
	eventually(t, func() bool { return hook.taken() >= 6 }, func() string { return "three openings and three alerts arrive" })
	hook.quiet(t, o.svc)
	if err := o.svc.interrupt(t); err != nil {
		t.Errorf("the service ended with %v\n%s", err, o.svc.log)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	alerts, openings := map[string]int{}, map[string]bool{}
	for id, body := range hook.bodies {
		if hook.times[id] != 1 {
			t.Errorf("%s was told %d times: %s", id, hook.times[id], body)
		}
		var x struct {
			Type, Subject string
			Data          struct {
				Alert struct {
					Incident string `json:"incident_id"`
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &x); err != nil {
			t.Error(err)
		}
		switch x.Type {
		case "incident.opened":
			openings[x.Subject] = true
		case "alert.created":
			alerts[x.Subject]++
			if !strings.HasPrefix(x.Subject, "fi_") || !strings.HasPrefix(x.Data.Alert.Incident, "inc_") {
				t.Errorf("an alert is %s", body)
			}
		default:
			t.Errorf("told of %s", x.Type)
		}
	}
	if len(alerts) != 3 || len(openings) != 3 {
		t.Errorf("%d findings and %d openings were told, want 3 and 3", len(alerts), len(openings))
	}
	for id, n := range alerts {
		if n != 1 {
			t.Errorf("finding %s was told %d times under different ids", id, n)
		}
	}
}
