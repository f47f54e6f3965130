package receivers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// start runs a desk; the function it gives stops it and waits.
func start(t *testing.T, d *triage.Desk) func() {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = d.Run(ctx) }()
	return func() { cancel(); <-done }
}

// notes are the bodies that webhooks were sent.
type notes struct {
	mu     sync.Mutex
	bodies [][]byte
}

func (n *notes) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bodies = append(n.bodies, b)
}

func (n *notes) all() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bodies
}

// v4 is what a webhook of Alertmanager holds, all of it.
type v4 struct {
	Version, GroupKey, Status, Receiver, ExternalURL string
	TruncatedAlerts                                  int
	GroupLabels, CommonLabels, CommonAnnotations     map[string]string
	Alerts                                           []struct {
		Status, StartsAt, EndsAt, GeneratorURL, Fingerprint string
		Labels, Annotations                                 map[string]string
	}
}

func read(t *testing.T, body []byte) v4 {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	var v v4
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestAlertmanagerTakesIncidentsAndItsWebhookIsAsOurs pushes an incident to Alertmanager, whose webhook comes back, and holds our own form of that
// webhook against it.
func TestAlertmanagerTakesIncidentsAndItsWebhookIsAsOurs(t *testing.T) {
	program := need(t, "prometheus-alertmanager")
	theirs, ours := &notes{}, &notes{}
	back := httptest.NewServer(theirs)
	t.Cleanup(back.Close)
	own := httptest.NewServer(ours)
	t.Cleanup(own.Close)
	base := "http://127.0.0.1:" + free(t)
	alertmanager(t, program, base, fmt.Sprintf(`route: {receiver: soar, group_by: [alertname, incident], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: soar, webhook_configs: [{url: %q, send_resolved: true}]}]
`, back.URL))

	o := &outbox{state: map[event.ID]incident.Delivery{}}
	cfg := endpoint(t, "alertmanager-push", base)
	webhook := cfg.Endpoints[0]
	webhook.Name, webhook.Adapter, webhook.URL = "own", "alertmanager", own.URL
	cfg.Endpoints = append(cfg.Endpoints, webhook)
	desk, err := triage.NewDesk(cfg, triage.Settings{Source: "urn:tocsin:test", Now: time.Now, Log: slog.New(slog.DiscardHandler)}, o)
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, desk)
	defer stop()
	tell := func(c incident.Change, status string) (v4, v4) {
		o.record(c)
		desk.Notify()
		find := func(n *notes) (v v4, found bool) {
			for _, b := range n.all() {
				if v = read(t, b); v.Status == status {
					return v, true
				}
			}
			return v, false
		}
		eventually(t, 30*time.Second, "the webhook says "+status, func() bool {
			_, a := find(theirs)
			_, b := find(ours)
			return a && b
		})
		a, _ := find(theirs)
		b, _ := find(ours)
		return a, b
	}
	a, b := tell(revision(1, 1, incident.ChangeOpened, time.Now()), "firing")
	compare(t, a, b)
	if len(a.Alerts) != 1 || a.CommonAnnotations["summary"] != "Mode change on h1" {
		t.Errorf("came back as %+v", a)
	}
	a, b = tell(revision(1, 2, incident.ChangeClosed, time.Now()), "resolved")
	compare(t, a, b)
}

// compare holds our webhook against theirs: all but names, which are the receivers' own, and times.
func compare(t *testing.T, theirs, ours v4) {
	t.Helper()
	for _, v := range []*v4{&theirs, &ours} {
		v.Receiver = ""
		for i := range v.Alerts {
			v.Alerts[i].StartsAt, v.Alerts[i].EndsAt = "", ""
		}
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("(-Alertmanager +ours)\n%s", diff)
	}
}
