package triage

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Outbox is what is owed: recorded changes times routes, less settlements. It keeps no queue of its own.
type Outbox interface {
	// Pending lists the deliveries a route owes and has not settled, in order of their changes, at most limit. One that was attempted has the
	// attempts, next time and error of its last attempt.
	Pending(ctx context.Context, r Route, limit int) ([]incident.Delivery, error)
	// Settle records how different deliveries to one endpoint stand after an attempt: ended, or pending still, with their attempts, next time
	// and error. Where it fails it may have recorded some of them; settling twice is fine. It keeps nothing of the slice.
	Settle(ctx context.Context, deliveries []incident.Delivery) error
}

// Route says which changes an endpoint is owed. A change whose origin is the endpoint is never owed to it.
type Route struct {
	Endpoint    string
	Kinds       []incident.ChangeKind // Any of them; all if empty.
	MinSeverity incident.Severity
	Since       int64 // Our clock, microseconds: incidents updated at or after.
	Alerts      bool  // Each finding is told of, too; see OwesAlert.

	Takes func(*incident.Change) bool // Whether the configured routes lead there; nil: they do.
}

// Owes reports whether a change is owed. An outbox that cannot ask its database so may ask this.
func (r Route) Owes(c *incident.Change) bool {
	if c.Quiet() || c.Origin == r.Endpoint && r.Endpoint != "" || c.Incident.Severity < r.MinSeverity || c.Incident.Updated < r.Since {
		return false
	}
	if len(r.Kinds) > 0 && !slices.Contains(r.Kinds, c.Kind) {
		return false
	}
	return r.Takes == nil || r.Takes(c)
}

// OwesAlert reports whether the endpoint is to be told of a finding that a change tells of for the first time; see incident.Change.Alerts.
func (r Route) OwesAlert(c *incident.Change, f *incident.Finding) bool {
	if !r.Alerts || f.Severity < r.MinSeverity || c.Incident.Updated < r.Since {
		return false
	}
	alert := *c
	alert.Kind = alertCreated
	return r.Takes == nil || r.Takes(&alert)
}

// RawText gives original log text by event, for endpoints that ask for it. An event that is not found is left out.
type RawText interface {
	Raw(ctx context.Context, ids []event.ID) (map[event.ID]string, error)
}

// Settings is what the code around a desk gives it.
type Settings struct {
	Source  string // Who speaks, such as urn:tocsin:plant-1.
	Now     func() time.Time
	Log     *slog.Logger
	Metrics *Metrics // nil counts nothing
	Raw     RawText  // nil where no endpoint asks for it

	Compile  Compile       // nil where routes cannot be used
	Vault    Vault         // nil where secrets cannot be rotated from the console
	Topics   Topics        // nil where no Kafka brokers are configured
	Resolver *net.Resolver // nil: the system's
	Host     string        // Name of this machine, for syslog.
	Version  string        // Of this program.
}

// Desk delivers what is owed to endpoints: in order within an incident, many incidents side by side, each endpoint for itself. A delivery
// is made at least once, under the same id each time.
type Desk struct {
	cfg       Config
	s         Settings
	outbox    Outbox
	router    *Router
	endpoints []*endpoint
}

// NewDesk reads the endpoints' secrets and makes a desk. Nothing is sent before Run.
func NewDesk(cfg Config, s Settings, outbox Outbox) (*Desk, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	router, err := NewRouter(cfg.Routes, s.Compile)
	if err != nil {
		return nil, err
	}
	d := &Desk{cfg: cfg, s: s, outbox: outbox, router: router}
	for _, c := range cfg.Endpoints {
		if c.IncludeRaw && s.Raw == nil {
			return nil, fmt.Errorf("triage.endpoints: %s: include_raw: there is no store to read log text from", c.Name)
		}
		to, err := newCourier(c, d)
		if err != nil {
			return nil, err
		}
		d.endpoints = append(d.endpoints, newEndpoint(d, to))
	}
	return d, nil
}

// Run delivers until ctx ends. It always gives ctx's error. What is owed then is owed still after a restart; what was delivered and is not
// settled yet is settled first, if the outbox takes it within two seconds.
func (d *Desk) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, e := range d.endpoints {
		all.Go(func() { e.run(ctx) })
	}
	all.Go(func() { d.watch(ctx) })
	all.Wait()
	<-ctx.Done()
	return ctx.Err()
}

// Notify says that changes have been recorded, so that they are looked for now. It never blocks and may be called from anywhere.
func (d *Desk) Notify() {
	for _, e := range d.endpoints {
		e.nudge()
	}
}

// EndpointStatus is how an endpoint does, for the console.
type EndpointStatus struct {
	Name     string   `json:"name"`
	State    string   `json:"state"`    // starting (what is owed is not known yet), ok, failing, open (the circuit breaker holds deliveries back), misconfigured or disabled.
	Failures int      `json:"failures"` // In a row.
	Since    int64    `json:"since"`    // Our clock, microseconds: when the first of them was; 0 if none.
	Error    string   `json:"error"`    // The last failure.
	Pending  int      `json:"pending"`  // What is owed, as of the last look; says nothing while starting.
	Trouble  int64    `json:"trouble"`  // Our clock, microseconds: since when it has taken nothing, as far as this process knows; 0 if it does.
	Told     []string `json:"told"`     // Endpoints through which it was told that this one has failed for long.
	Adapter  string   `json:"adapter"`
	Place    string   `json:"place"`  // Where it is, without what may be secret.
	Secret   Rotation `json:"secret"` // How its signing secret stands.
}

// Endpoints tells how the endpoints do, in configuration order. It may be called from anywhere.
func (d *Desk) Endpoints() []EndpointStatus {
	out := make([]EndpointStatus, 0, len(d.endpoints))
	for _, e := range d.endpoints {
		st := e.health.status(e.to.Name)
		st.Adapter, st.Place, st.Secret = e.to.adapter.Name, e.to.place, e.to.keys.state()
		out = append(out, st)
	}
	return out
}

// backoff is the wait before the next attempt after n failed ones, with up to 20 % either way; ok is false if there is none.
func (d *Desk) backoff(n int) (wait time.Duration, ok bool) {
	if n >= len(d.cfg.Retry) {
		return 0, false
	}
	base := d.cfg.Retry[n]
	return base + time.Duration((rand.Float64()*0.4-0.2)*float64(base)), true
}

// patience is how long after a change somebody is still told of it: as long as the attempts take, and a little.
func (d *Desk) patience() time.Duration {
	total := time.Hour
	for _, w := range d.cfg.Retry {
		total += w + w/5
	}
	return total
}
