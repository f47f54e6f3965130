package app_test

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
	down   atomic.Bool // answers 503

	mu     sync.Mutex
	bodies map[string]string // by delivery id: what was said the first time, without what a retry may change
	times  map[string]int
	bad    []string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{bodies: map[string]string{}, times: map[string]int{}}
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
	var doc struct {
		ID string `json:"id"`
	}
	id := req.Header.Get("webhook-id")
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := json.Unmarshal(b, &doc); err != nil || doc.ID != id {
		r.bad = append(r.bad, fmt.Sprintf("webhook-id %s has a body with id %q (%v)", id, doc.ID, err))
	}
	if r.times[id]++; r.times[id] == 1 {
		r.bodies[id] = string(b)
	}
}

func (r *receiver) taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.times)
}

// quiet waits until nothing more is owed, and still is not after the desk has certainly looked again.
func (r *receiver) quiet(t testing.TB, s *service) {
	t.Helper()
	detail := func() string { return health(t, s.url)["endpoint soc"].Detail }
	var since time.Time
	quiet := func() bool {
		if !strings.HasPrefix(detail(), "ok, 0 owed") || r.taken() == 0 {
			since = time.Time{}
			return false
		}
		if since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) > 2*triage.DefaultConfig().Poll
	}
	eventually(t, quiet, func() string { return "deliveries: " + detail() + "\n" + s.log.String() })
}

// follows checks that exactly what the log says was told: nothing that is not in it, and of every incident its beginning, its end and its last
// revision.
func (r *receiver) follows(t testing.TB, changes []incident.Change, endpoint string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bad {
		t.Error(b)
	}
	last := map[event.ID]int32{}
	for i := range changes {
		in := changes[i].Incident
		last[in.ID] = max(last[in.ID], in.Revision)
	}
	known := map[string]bool{}
	for i := range changes {
		c := &changes[i]
		id := event.FormatID(event.DeliveryPrefix, incident.DeliveryID(c.Incident.ID, c.Incident.Revision, endpoint))
		known[id] = true
		must := c.Kind == incident.ChangeOpened || c.Kind == incident.ChangeMerged || c.Kind == incident.ChangeClosed || c.Incident.Revision == last[c.Incident.ID]
		if must && r.times[id] == 0 {
			t.Errorf("%s of %s, revision %d, was never delivered", c.Kind, event.FormatID(event.IncidentPrefix, c.Incident.ID), c.Incident.Revision)
		}
	}
	for id := range r.times {
		if !known[id] {
			t.Errorf("delivery %s tells of a change that the log does not have: %.200s", id, r.bodies[id])
		}
	}
	if len(changes) == 0 {
		t.Error("the test is void: no change was recorded")
	}
}
