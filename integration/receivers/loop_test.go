package receivers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// loopRule makes a finding of every alert that comes in.
const loopRule = `id: t-0002
version: 1
title: An alert came in
description: Every alert, for tests.
severity: high
match:
  event:
    id: alert
    class: detection_finding.create
    where: finding_info.title != ""
    bind: {machine: device}
tests:
  - name: it fires
    events:
      - {at: 0m, class: detection_finding.create, finding_info: {title: Down}, device: {hostname: h1}}
    fires: [{at: 0m, vars: {machine: "device:h1"}}]
  - name: it stays silent
    events:
      - {at: 0m, class: detection_finding.close, finding_info: {title: Down}, device: {hostname: h1}}
    fires: []
`

// TestAlertsOfAlertmanagerComeInAndOurOwnThatComeBackOpenNothing closes the loop: Alertmanager's alerts come in, incidents of them are pushed to the
// same Alertmanager, and what it then sends of those opens no further ones.
func TestAlertsOfAlertmanagerComeInAndOurOwnThatComeBackOpenNothing(t *testing.T) {
	program := need(t, "prometheus-alertmanager")
	p := newPlant(t)
	p.file("rules.yaml", loopRule)
	base := "http://127.0.0.1:" + free(t)
	p.config = fmt.Sprintf(`triage:
  poll: 50ms
  endpoints:
    - {name: alerts, adapter: alertmanager-push, url: %q, allow_plain_http: true, allow_cidrs: [127.0.0.0/8]}
sources:
  - {name: prom, format: alertmanager, http: true, idle: 1s}
`, base)
	p.write()
	sender := p.token("--name", "alertmanager", "--role", "viewer", "--scope", "ingest")
	reader := p.token("--name", "dashboard", "--role", "viewer", "--scope", "read")
	p.start()
	alertmanager(t, program, base, fmt.Sprintf(`route: {receiver: tocsin, group_by: [alertname, incident, instance], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
  - name: tocsin
    webhook_configs:
      - {url: %q, send_resolved: true, http_config: {authorization: {credentials: %s}}}
`, p.url+"/ingest/prom", sender))

	began := time.Now().Add(-time.Minute)
	raise(t, base, "Unreachable", "h1:9100", began, time.Time{})
	opened := func(n int) {
		t.Helper()
		eventually(t, 2*time.Minute, fmt.Sprint(n, " incidents"), func() bool { return p.incidents(reader) >= n })
	}
	opened(1)
	eventually(t, 2*time.Minute, "the incident has come back", func() bool { return p.events(reader, "base_event") > 0 })
	// What came back is in the log before this one, and so was matched before it.
	raise(t, base, "Overheated", "h2:9100", began, time.Time{})
	opened(2)
	if n := p.incidents(reader); n != 2 {
		t.Errorf("two alerts became %d incidents", n)
	}
	raise(t, base, "Unreachable", "h1:9100", began, time.Now())
	eventually(t, 2*time.Minute, "the end of the first alert has come in", func() bool { return p.events(reader, "detection_finding.close") > 0 })
	if n := p.events(reader, "detection_finding.create"); n != 2 {
		t.Errorf("two alerts are %d findings of Alertmanager", n)
	}
}

// alertmanager starts Alertmanager at base with a configuration.
func alertmanager(t *testing.T, program, base, config string) {
	t.Helper()
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	p := &plant{t: t, dir: t.TempDir()}
	file := p.file("alertmanager.yml", config)
	run(t, p.dir, nil, program, "--config.file="+file, "--storage.path="+p.dir, "--web.listen-address="+at.Host, "--cluster.listen-address=", "--web.external-url=https://console.example")
	eventually(t, time.Minute, "Alertmanager is ready", func() bool { return answers(base + "/-/ready") })
}

// raise tells Alertmanager of an alert, as Prometheus does; with an end it is over.
func raise(t *testing.T, base, name, instance string, from, to time.Time) {
	t.Helper()
	alert := map[string]any{
		"labels": map[string]string{"alertname": name, "instance": instance, "severity": "critical"}, "annotations": map[string]string{"summary": name + " on " + instance},
		"startsAt": from.UTC().Format(time.RFC3339Nano), "generatorURL": "https://prom.example/graph",
	}
	if !to.IsZero() {
		alert["endsAt"] = to.UTC().Format(time.RFC3339Nano)
	}
	body, err := json.Marshal([]any{alert})
	if err != nil {
		t.Fatal(err)
	}
	send(t, http.MethodPost, base+"/api/v2/alerts", "", body)
}

// incidents counts the incidents of a plant.
func (p *plant) incidents(token string) int {
	p.t.Helper()
	var page struct{ Incidents []json.RawMessage }
	fetch(p.t, p.url+"/api/v1/incidents", token, &page)
	return len(page.Incidents)
}

// events counts the events of a class.
func (p *plant) events(token, class string) int {
	p.t.Helper()
	var found struct{ Events []json.RawMessage }
	fetch(p.t, p.url+"/api/v1/hunt?range=24h&class="+class, token, &found)
	return len(found.Events)
}
