package crash_test

import (
	"bytes"
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
	ID       string
	Sequence string
	Data     struct {
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

// quiet waits until the receiver has heard of the last revision of every incident that the service's feed tells of, the health page owes it nothing,
// and the feed has told nothing new for a while: what follows from the last records is recorded after they have been read. It gives up when patience has
// passed without a delivery: after hundreds of rounds there are thousands to make.
func (r *receiver) quiet(t testing.TB, s *service) {
	t.Helper()
	f := &follower{last: map[string]int32{}}
	detail := func() string { return s.health(t)["endpoint soc"].Detail }
	unique, since, heard := 0, time.Now(), time.Now()
	for {
		if f.read(t, s) > 0 {
			heard = time.Now()
		}
		missing := r.missing(f.last)
		owed := detail()
		if len(f.last) > 0 && missing == 0 && strings.HasPrefix(owed, "ok, 0 owed") && time.Since(heard) > still {
			return
		}
		if n, _ := r.taken(); n > unique {
			unique, since = n, time.Now()
		}
		if time.Since(since) > patience {
			t.Fatalf("no delivery for %v, and of %d incidents the last revisions of %d are missing; health says %q\n%s", patience, len(f.last), missing, owed, s.stuck(t))
		}
		time.Sleep(100 * time.Millisecond) // Between two questions to another process.
	}
}

// follower reads the feed of changes, which the receiver's deliveries are held against.
type follower struct {
	since string
	last  map[string]int32 // The last revision by incident.
}

// still is how long a feed that has told everything says nothing.
const still = 2 * time.Second

// read takes in what is new, and says how many changes that were.
func (f *follower) read(t testing.TB, s *service) (all int) {
	t.Helper()
	for {
		status, body, err := get(s.url + "/api/v1/changes.ndjson?limit=1000&since=" + f.since)
		if err != nil || status != http.StatusOK {
			return all // The store is just coming back, say; it is asked again.
		}
		n := 0
		for line := range bytes.Lines(body) {
			var doc delivery
			if err := json.Unmarshal(line, &doc); err != nil || doc.Sequence == "" {
				t.Fatalf("a line of the feed: %v: %s", err, line)
			}
			n++
			f.since = doc.Sequence
			f.last[doc.Data.Incident.ID] = max(f.last[doc.Data.Incident.ID], doc.Data.Incident.Revision)
		}
		if n == 0 {
			return all
		}
		all += n
	}
}

// missing is of how many incidents the last revision has not been delivered.
func (r *receiver) missing(last map[string]int32) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	heard := map[string]int32{}
	for _, d := range r.told {
		heard[d.Data.Incident.ID] = max(heard[d.Data.Incident.ID], d.Data.Incident.Revision)
	}
	for id, revision := range last {
		if heard[id] < revision {
			n++
		}
	}
	return n
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
