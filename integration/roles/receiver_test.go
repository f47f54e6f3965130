package roles_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// receiver takes webhooks and remembers what it took.
type receiver struct {
	server *httptest.Server

	mu    sync.Mutex
	times map[string]int // By delivery id.
	last  time.Time
	bad   []string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{times: map[string]int{}, last: time.Now()}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

func (r *receiver) url() string { return r.server.URL + "/hook" }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
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
	r.times[id]++
	r.last = time.Now()
}

// quiet waits until nothing has come for three seconds.
func (r *receiver) quiet() {
	for {
		r.mu.Lock()
		rest := 3*time.Second - time.Since(r.last)
		r.mu.Unlock()
		if rest <= 0 {
			return
		}
		time.Sleep(rest)
	}
}

// follows checks that what the log says was told: nothing that is not in it, and of every incident its beginning, its end and its last revision;
// where nobody was killed, each delivery once. It gives the incidents that were told of.
func (r *receiver) follows(t *testing.T, changes []incident.Change, once bool) (told map[event.ID]bool) {
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
	known, twice := map[string]bool{}, 0
	told = map[event.ID]bool{}
	for i := range changes {
		c := &changes[i]
		id := event.FormatID(event.DeliveryPrefix, incident.DeliveryID(c.Incident.ID, c.Incident.Revision, "soc"))
		known[id] = true
		owed := c.Kind == incident.ChangeOpened || c.Kind == incident.ChangeMerged || c.Kind == incident.ChangeClosed || c.Incident.Revision == last[c.Incident.ID]
		if owed && r.times[id] == 0 {
			t.Errorf("%s of %s, revision %d of %d, was never delivered", c.Kind, event.FormatID(event.IncidentPrefix, c.Incident.ID), c.Incident.Revision, last[c.Incident.ID])
		}
		if r.times[id] > 0 {
			told[c.Incident.ID] = true
		}
	}
	for id, n := range r.times {
		if !known[id] {
			t.Errorf("delivery %s tells of a change that the log does not have", id)
		}
		if n > 1 {
			twice++
		}
	}
	if once && twice > 0 {
		t.Errorf("%d of %d deliveries came more than once, though nobody was killed", twice, len(r.times))
	}
	t.Logf("deliveries: %d, of which %d came more than once; they tell of %d incidents", len(r.times), twice, len(told))
	return told
}
