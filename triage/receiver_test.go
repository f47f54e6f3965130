package triage_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

const (
	secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	next   = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
)

// outbox is an outbox in memory.
type outbox struct {
	mu      sync.Mutex
	changes []incident.Change
	state   map[event.ID]incident.Delivery
	broken  bool
	batches []int         // how many deliveries were settled at once
	settled chan struct{} // told of a settlement if it has room
}

var errBroken = errors.New("the store is away")

func (o *outbox) record(changes ...incident.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range changes {
		c.Batch = event.BatchID{Epoch: 1, Number: uint64(len(o.changes) + 1)}
		o.changes = append(o.changes, c)
	}
}

func (o *outbox) Pending(_ context.Context, r triage.Route, limit int) ([]incident.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		return nil, errBroken
	}
	var out []incident.Delivery
	for i := range o.changes {
		c := o.changes[i]
		id := incident.DeliveryID(c.Incident.ID, c.Incident.Revision, r.Endpoint)
		owe := func(id event.ID, owes bool) {
			d := o.state[id]
			if !owes || d.State != "" && d.State != incident.DeliveryPending || len(out) == limit {
				return
			}
			d.ID, d.Endpoint, d.Change = id, r.Endpoint, c
			out = append(out, d)
		}
		owe(id, r.Owes(&c))
		for _, f := range c.Alerts() {
			owe(incident.AlertID(f.ID, r.Endpoint), r.OwesAlert(&c, f))
		}
	}
	return out, nil
}

func (o *outbox) Settle(_ context.Context, deliveries []incident.Delivery) error {
	select {
	case o.settled <- struct{}{}:
	default:
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		return errBroken
	}
	o.batches = append(o.batches, len(deliveries))
	for _, d := range deliveries {
		o.state[d.ID] = d
	}
	return nil
}

func (o *outbox) states() map[incident.DeliveryState]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[incident.DeliveryState]int{}
	for _, d := range o.state {
		out[d.State]++
	}
	return out
}

func (o *outbox) fail(broken bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = broken
}

// got is one request a receiver saw.
type got struct {
	id, kind, subject string
	revision          int
	coalesced         int
	code              int
	at                string // webhook-timestamp
	body              string
}

// receiver is a real webhook receiver on loopback, which checks signatures with a library that is not ours. answer decides what it says; 0
// drops the connection.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	seen   []got
	answer func(g got) int
	header http.Header
	bad    []string
	say    string                                        // the body of its answers
	check  func(body []byte, header map[string][]string) // in place of the verification
}

func newReceiver(t *testing.T, answer func(g got) int) *receiver {
	r := &receiver{answer: answer, header: http.Header{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := []string{secret, next}
	if r.check != nil {
		r.check(b, req.Header)
		keys = nil
	}
	for _, key := range keys {
		hook, err := standardwebhooks.NewWebhook(key)
		if err == nil {
			verify := hook.Verify
			if strings.HasPrefix(req.Header.Get("webhook-timestamp"), "9") { // the clock in a bubble starts in 2000
				verify = hook.VerifyIgnoringTimestamp
			}
			err = verify(b, req.Header)
		}
		if err != nil {
			r.bad = append(r.bad, err.Error())
		}
	}
	var e struct {
		ID, Type, Subject string
		Data              struct {
			Incident  struct{ Revision int }
			Coalesced int
		}
	}
	if err := json.Unmarshal(b, &e); err != nil || e.ID != req.Header.Get("webhook-id") {
		r.bad = append(r.bad, fmt.Sprint("body and webhook-id: ", err, e.ID))
	}
	g := got{id: e.ID, kind: strings.TrimPrefix(e.Type, "incident."), subject: e.Subject, revision: e.Data.Incident.Revision, coalesced: e.Data.Coalesced, at: req.Header.Get("webhook-timestamp"), body: string(b)}
	g.code = r.answer(g)
	r.seen = append(r.seen, g)
	if g.code == 0 {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
		return
	}
	for k, v := range r.header {
		w.Header()[k] = v
	}
	w.WriteHeader(g.code)
	fmt.Fprint(w, cmp.Or(r.say, strings.Repeat("x", 100_000)))
}

func (r *receiver) all(t *testing.T) []got {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bad) > 0 {
		t.Fatalf("the receiver could not verify a delivery: %v", r.bad)
	}
	return slices.Clone(r.seen)
}
