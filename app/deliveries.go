package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/expression"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// deadFor is how long dead letters can be replayed without naming them.
const deadFor = 30 * 24 * time.Hour

// maxReplay bounds what one request replays; the next goes on.
const maxReplay = 5000

// historyShown bounds the attempts of one delivery that are shown.
const historyShown = 100

// deliveries is what the console does with endpoints and what they are owed.
type deliveries struct {
	desk    *triage.Desk
	db      *store.DB
	outbox  *Outbox
	now     func() time.Time
	compile triage.Compile
}

func (d *deliveries) filter(f console.DeliveryFilter) store.DeliveryFilter {
	out := store.DeliveryFilter{State: f.State, Endpoint: f.Endpoint, Incident: f.Incident, IDs: f.IDs, Since: f.Since, Until: f.Until, Limit: f.Limit, Newest: true}
	if f.State == incident.DeliveryDead && len(f.IDs) == 0 {
		out.Since = max(out.Since, d.now().Add(-deadFor).UnixMicro())
	}
	return out
}

// Deliveries implements console.Outbox.
func (d *deliveries) Deliveries(ctx context.Context, f console.DeliveryFilter) ([]incident.Delivery, error) {
	return d.seen(ctx, d.filter(f))
}

// seen are the deliveries of the filter about incidents that the person may see.
func (d *deliveries) seen(ctx context.Context, f store.DeliveryFilter) ([]incident.Delivery, error) {
	who := access.From(ctx)
	var out []incident.Delivery
	for x, err := range d.db.Deliveries(ctx, f) {
		if err != nil {
			return nil, err
		}
		if who.Sees(x.Change.Incident.Sites) {
			out = append(out, x)
		}
	}
	return out, nil
}

// Attempts implements console.Outbox.
func (d *deliveries) Attempts(ctx context.Context, id event.ID) ([]incident.Delivery, error) {
	return d.db.Attempts(ctx, id, historyShown)
}

// Replay implements console.Outbox: dead letters of the filter, or whatever it names by id.
func (d *deliveries) Replay(ctx context.Context, f console.DeliveryFilter, by string) (int, error) {
	if len(f.IDs) == 0 {
		f.State = incident.DeliveryDead
	}
	f.Limit = maxReplay
	filter := d.filter(f)
	filter.Whole = true // It goes out again as it was.
	list, err := d.seen(ctx, filter)
	if err != nil {
		return 0, err
	}
	var again []incident.Delivery
	for _, x := range list {
		if x.State != incident.DeliveryPending { // that one is under way
			again = append(again, x)
		}
	}
	if len(again) == 0 {
		return 0, nil
	}
	if err := d.outbox.Replay(ctx, again, by, d.now()); err != nil {
		return 0, err
	}
	d.desk.Notify()
	return len(again), nil
}

// Endpoints implements console.Endpoints.
func (d *deliveries) Endpoints() []triage.EndpointStatus { return d.desk.Endpoints() }

// Test implements console.Endpoints.
func (d *deliveries) Test(ctx context.Context, endpoint string) error {
	return asked(d.desk.Test(ctx, endpoint))
}

// Rotate implements console.Endpoints.
func (d *deliveries) Rotate(ctx context.Context, endpoint, step, by string) (secret string, err error) {
	switch step {
	case "begin":
		secret, err = d.desk.Rotate(ctx, endpoint, by)
	case "confirm":
		err = d.desk.Confirm(ctx, endpoint, by)
	case "take-back":
		err = d.desk.TakeBack(ctx, endpoint, by)
	default:
		err = fmt.Errorf("%w: %q is none of begin, confirm, take-back", console.ErrQuestion, step)
	}
	return secret, asked(err)
}

// asked gives errors that the asker can mend the mark that the console knows.
func asked(err error) error {
	switch {
	case errors.Is(err, triage.ErrNoEndpoint):
		return fmt.Errorf("%w: %w", console.ErrNotFound, err)
	case errors.Is(err, triage.ErrRotation):
		return fmt.Errorf("%w: %w", incident.ErrRefused, err)
	}
	return err
}

// Routes implements console.Routes.
func (d *deliveries) Routes() []triage.RouteConfig { return d.desk.Routes() }

// TryRoutes implements console.Routes: what routes would make of the incidents updated last. Without routes of its own it tries the running ones.
func (d *deliveries) TryRoutes(ctx context.Context, routes []triage.RouteConfig, kind incident.ChangeKind, last int) ([]triage.Routed, error) {
	router := d.desk.Router()
	if routes != nil {
		r, err := triage.NewRouter(routes, d.compile)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", console.ErrQuestion, err)
		}
		router = r
	}
	who := access.From(ctx)
	var list []*incident.Incident
	for in, err := range d.db.Incidents(ctx, store.IncidentFilter{Limit: last}) {
		if err != nil {
			return nil, err
		}
		if who.Sees(in.Sites) {
			list = append(list, in)
		}
	}
	return router.Try(list, kind), nil
}

// routeCompiler compiles the conditions of routes: filter expressions over the incident as the change left it. Its age is that at the change,
// so that the same change is always led the same way.
func routeCompiler(zones board.Zones) triage.Compile {
	return func(source string) (func(*incident.Change) bool, error) {
		f, err := expression.CompileFilter(source)
		if err != nil {
			return nil, err
		}
		return func(c *incident.Change) bool {
			s := board.CardOf(c.Incident, zones).Subject(c.Incident.Updated)
			s.Change = string(c.Kind)
			return f.Match(&s)
		}, nil
	}
}

// secretKind is the kind of the documents that hold endpoints' secrets, sealed.
const secretKind = "endpoint-secret"

// vault keeps them.
type vault struct{ db *store.DB }

// Kept implements triage.Vault.
func (v vault) Kept(ctx context.Context, endpoint string) ([]byte, int64, error) {
	d, found, err := v.db.KeptOne(ctx, secretKind, endpoint)
	if err != nil || !found {
		return nil, 0, err
	}
	return d.Body, d.Revision, nil
}

// Keep implements triage.Vault.
func (v vault) Keep(ctx context.Context, endpoint string, doc []byte, expected int64, by string) error {
	_, err := v.db.Keep(ctx, store.Doc{Kind: secretKind, ID: endpoint, Body: doc, By: by}, expected)
	if errors.Is(err, store.ErrStale) {
		return fmt.Errorf("%w: %w", triage.ErrRotation, err)
	}
	return err
}
