package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
)

// Outbox derives what is owed from the store: recorded changes times routes, less settlements. It remembers how far it has read and what of
// it is not settled, so a look costs what is new. It implements triage.Outbox.
type Outbox struct {
	db *store.DB
	mu sync.Mutex
	of map[string]*owed // by endpoint
}

// owed is what one endpoint is owed as far as the log has been read.
type owed struct {
	read    store.ChangeCursor
	pending []incident.Delivery            // in order of their changes
	settled map[event.ID]bool              // settlements found at the start, until the changes they are about have been passed
	begun   map[event.ID]incident.Delivery // likewise: attempted and not settled, without their changes
	asked   time.Time                      // when replays were last looked for
}

// How often replays that another process recorded are looked for, and how far back, since clocks differ.
const (
	replaysEvery = 10 * time.Second
	replaysBack  = 10 * time.Minute
)

// outboxWindow bounds the deliveries held for one endpoint; the rest waits in the store.
const outboxWindow = 5000

// NewOutbox makes the outbox of a store.
func NewOutbox(db *store.DB) *Outbox { return &Outbox{db: db, of: map[string]*owed{}} }

// Pending implements triage.Outbox.
func (o *Outbox) Pending(ctx context.Context, r triage.Route, limit int) ([]incident.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x, err := o.endpoint(ctx, r.Endpoint)
	if err != nil {
		return nil, err
	}
	for len(x.pending) < outboxWindow {
		read := 0
		for c, err := range o.db.Changes(ctx, x.read, 200) {
			if err != nil {
				return nil, err
			}
			read++
			x.take(r, c)
		}
		if read < 200 {
			break
		}
	}
	if now := time.Now(); now.Sub(x.asked) >= replaysEvery {
		again, err := o.db.Replays(ctx, r.Endpoint, now.Add(-replaysBack).UnixMicro())
		if err != nil {
			return nil, err
		}
		x.asked = now
		x.add(again)
	}
	return slices.Clone(x.pending[:min(limit, len(x.pending))]), nil
}

// add puts replays among what is owed, in order of their changes.
func (x *owed) add(replays []incident.Delivery) {
	for _, d := range replays {
		if slices.ContainsFunc(x.pending, func(p incident.Delivery) bool { return p.ID == d.ID }) {
			continue
		}
		delete(x.settled, d.ID)
		x.pending = append(x.pending, d)
	}
	slices.SortStableFunc(x.pending, func(a, b incident.Delivery) int {
		s, t := triage.SequenceOf(&a.Change), triage.SequenceOf(&b.Change)
		switch {
		case s.Less(t):
			return -1
		case t.Less(s):
			return 1
		}
		return 0
	})
}

// Replay makes ended deliveries owed again, under the ids they had, with as many attempts as new ones. now is our clock.
func (o *Outbox) Replay(ctx context.Context, deliveries []incident.Delivery, by string, now time.Time) error {
	again := slices.Clone(deliveries)
	for i := range again {
		d := &again[i]
		d.State, d.Next, d.Spent, d.Replayed, d.By, d.Reply = incident.DeliveryPending, 0, d.Attempts, now.UnixMicro(), by, incident.Reply{}
	}
	if err := o.db.Settle(ctx, again...); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for endpoint, x := range o.of {
		x.add(slices.DeleteFunc(slices.Clone(again), func(d incident.Delivery) bool { return d.Endpoint != endpoint }))
	}
	return nil
}

// endpoint loads how an endpoint's deliveries stood when the last run ended.
func (o *Outbox) endpoint(ctx context.Context, name string) (*owed, error) {
	if x := o.of[name]; x != nil {
		return x, nil
	}
	x := &owed{settled: map[event.ID]bool{}, begun: map[event.ID]incident.Delivery{}}
	for d, err := range o.db.Standings(ctx, name) {
		if err != nil {
			return nil, err
		}
		if d.State == incident.DeliveryPending {
			x.begun[d.ID] = d
		} else {
			x.settled[d.ID] = true
		}
	}
	o.of[name] = x
	return x, nil
}

func (x *owed) take(r triage.Route, c incident.Change) {
	x.read = store.ChangeCursor{Batch: c.Batch, Index: c.Index}
	x.owe(r, c, incident.DeliveryID(c.Incident.ID, c.Incident.Revision, r.Endpoint), r.Owes(&c))
	for _, f := range c.Alerts() {
		id := incident.AlertID(f.ID, r.Endpoint)
		if !slices.ContainsFunc(x.pending, func(d incident.Delivery) bool { return d.ID == id }) {
			x.owe(r, c, id, r.OwesAlert(&c, f))
		}
	}
}

// owe adds a delivery that tells of a change, or of a finding it brings, unless it is settled.
func (x *owed) owe(r triage.Route, c incident.Change, id event.ID, owes bool) {
	if again := x.begun[id].Replayed != 0; !again && !owes { // a replay is owed whatever the routes say now
		return
	}
	if x.settled[id] {
		delete(x.settled, id)
		return
	}
	d, begun := x.begun[id]
	if !begun {
		d = incident.Delivery{ID: id, Endpoint: r.Endpoint, State: incident.DeliveryPending}
	}
	d.Change = c
	delete(x.begun, id)
	x.pending = append(x.pending, d)
}

// Waiting are the incidents that endpoints are owed something about, as far as the log has been read.
func (o *Outbox) Waiting() map[event.ID]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[event.ID]bool{}
	for _, x := range o.of {
		for i := range x.pending {
			out[x.pending[i].Change.Incident.ID] = true
		}
	}
	return out
}

// Settle implements triage.Outbox.
func (o *Outbox) Settle(ctx context.Context, deliveries []incident.Delivery) error {
	if err := o.db.Settle(ctx, deliveries...); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for endpoint, x := range o.of {
		x.settle(endpoint, deliveries)
	}
	return nil
}

func (x *owed) settle(endpoint string, deliveries []incident.Delivery) {
	stands := make(map[event.ID]incident.Delivery, len(deliveries))
	for _, d := range deliveries {
		if d.Endpoint == endpoint {
			stands[d.ID] = d
		}
	}
	if len(stands) == 0 {
		return
	}
	kept := x.pending[:0]
	for _, p := range x.pending {
		d, told := stands[p.ID]
		switch {
		case !told:
			kept = append(kept, p)
		case d.State == incident.DeliveryPending:
			d.Answer = "" // the store has it
			kept = append(kept, d)
		}
	}
	clear(x.pending[len(kept):])
	x.pending = kept
}
