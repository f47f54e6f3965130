package crash_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// receiver takes webhooks and remembers what it took.
type receiver struct {
	server *httptest.Server
	down   atomic.Bool // Answers 503.

	mu    sync.Mutex
	told  map[string]delivery // By delivery id: what was said the first time.
	times map[string]int
	bad   []string
}

// delivery is what is looked at in the body of a webhook.
type delivery struct {
	ID   string
	Data struct {
		Incident struct {
			ID       string
			Revision int32
			Severity string
			Score    int
			Counts   struct{ Findings, Events int }
		}
	}
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{told: map[string]delivery{}, times: map[string]int{}}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *receiver) url() string { return r.server.URL + "/hook" }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	if err != nil || r.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var doc delivery
	id := req.Header.Get("webhook-id")
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := json.Unmarshal(b, &doc); err != nil || doc.ID != id || doc.Data.Incident.ID == "" {
		r.bad = append(r.bad, fmt.Sprintf("webhook-id %s has a body with id %q (%v): %.200s", id, doc.ID, err, b))
	}
	if r.times[id]++; r.times[id] == 1 {
		r.told[id] = doc
	}
}

func (r *receiver) taken() (unique, all int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.times {
		all += n
	}
	return len(r.times), all
}

// quiet waits until nothing more is owed, and still is not after the desk has certainly looked again.
func (r *receiver) quiet(t testing.TB, s *service) {
	t.Helper()
	detail := func() string { return s.health(t)["endpoint soc"].Detail }
	var since time.Time
	eventually(t, func() bool {
		if n, _ := r.taken(); !strings.HasPrefix(detail(), "ok, 0 owed") || n == 0 {
			since = time.Time{}
			return false
		}
		if since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) > 2*triage.DefaultConfig().Poll
	}, func() string { return "deliveries: " + detail() + "\n" + s.log.tail() })
}

// follows checks that exactly what the log says was told: nothing that is not in it, and of every incident its beginning, its end and its last
// revision. It puts what was heard last of each incident into the trace.
func (r *receiver) follows(t testing.TB, tr *trace) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bad {
		t.Error(b)
	}
	last := map[event.ID]int32{}
	for i := range tr.Changes {
		in := tr.Changes[i].Incident
		last[in.ID] = max(last[in.ID], in.Revision)
	}
	known, heard := map[string]bool{}, map[string]string{}
	for i := range tr.Changes {
		c := &tr.Changes[i]
		id := event.FormatID(event.DeliveryPrefix, incident.DeliveryID(c.Incident.ID, c.Incident.Revision, "soc"))
		known[id] = true
		newest := c.Incident.Revision == last[c.Incident.ID]
		must := c.Kind == incident.ChangeOpened || c.Kind == incident.ChangeMerged || c.Kind == incident.ChangeClosed || newest
		name := event.FormatID(event.IncidentPrefix, c.Incident.ID)
		if must && r.times[id] == 0 {
			t.Errorf("%s of %s, revision %d, was never delivered", c.Kind, name, c.Incident.Revision)
		}
		if said := r.told[id].Data.Incident; newest && r.times[id] > 0 {
			if said.ID != name || said.Revision != c.Incident.Revision {
				t.Errorf("delivery %s is about %s, revision %d, and not about %s, revision %d", id, said.ID, said.Revision, name, c.Incident.Revision)
			}
			heard[name] = fmt.Sprintf("severity %s, score %d, %d findings, %d events", said.Severity, said.Score, said.Counts.Findings, said.Counts.Events)
		}
	}
	for id := range r.times {
		if !known[id] {
			t.Errorf("delivery %s tells of a change that the log does not have: %+v", id, r.told[id])
		}
	}
	if len(tr.Changes) == 0 {
		t.Error("the test is void: no change was recorded")
	}
	for group, name := range tr.Told {
		tr.Told[group] = heard[name]
	}
}
