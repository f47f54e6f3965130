package triage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// RouteConfig leads incidents to who answers for them. Routes are tried in order; the first that matches is the last that is tried, unless it
// says continue.
type RouteConfig struct {
	Name      string   `yaml:"name" json:"name"`                       // What deliveries and pages call the route.
	When      string   `yaml:"when" json:"when"`                       // Filter expression over the incident and the kind of change; empty: every one.
	OwnerTeam string   `yaml:"owner_team" json:"owner_team,omitempty"` // Who answers for it; the first matching route that names a team counts.
	Endpoints []string `yaml:"endpoints" json:"endpoints,omitempty"`   // Who is told. Endpoints that no route names are told of everything.
	Continue  bool     `yaml:"continue" json:"continue,omitempty"`     // Try the routes after this one as well.
}

const maxRoutes = 200

// Compile makes a condition of a filter expression. Its errors name the column.
type Compile func(source string) (func(*incident.Change) bool, error)

// Router decides who answers for an incident. It is made from configuration and looks at nothing but the recorded change: the same change and
// routes give the same decision. A nil *Router leaves everything as it was stitched.
type Router struct {
	routes []RouteConfig
	match  []func(*incident.Change) bool
	routed map[string]bool // endpoints that routes name
}

// Routing is a decision.
type Routing struct {
	Owner     string   `json:"owner"`               // Team; the stitched one where no route names any.
	Route     string   `json:"route,omitempty"`     // The route that named it.
	Matched   []string `json:"matched"`             // Every route that matched, in order.
	Endpoints []string `json:"endpoints,omitempty"` // Those of the matched routes, sorted.
}

func (c Config) checkRoutes() []error {
	var errs []error
	if len(c.Routes) > maxRoutes {
		errs = append(errs, fmt.Errorf("triage.routes: %d routes: at most %d fit", len(c.Routes), maxRoutes))
	}
	seen := map[string]bool{}
	for i, r := range c.Routes {
		name := r.Name
		if name == "" {
			name = fmt.Sprintf("number %d", i+1)
			errs = append(errs, fmt.Errorf("triage.routes: %s: name: give a name", name))
		}
		if seen[r.Name] {
			errs = append(errs, fmt.Errorf("triage.routes: %s: name: used twice", name))
		}
		seen[r.Name] = true
		if r.OwnerTeam == "" && len(r.Endpoints) == 0 {
			errs = append(errs, fmt.Errorf("triage.routes: %s: it does nothing: give owner_team, endpoints or both", name))
		}
		for _, e := range r.Endpoints {
			if !slices.ContainsFunc(c.Endpoints, func(x EndpointConfig) bool { return x.Name == e }) {
				errs = append(errs, fmt.Errorf("triage.routes: %s: endpoints: there is no endpoint %q", name, e))
			}
		}
	}
	return errs
}

// NewRouter compiles routes. It gives nil if there are none.
func NewRouter(routes []RouteConfig, compile Compile) (*Router, error) {
	if len(routes) == 0 {
		return nil, nil
	}
	if compile == nil {
		return nil, errors.New("triage.routes: there is nothing here that reads their expressions")
	}
	r := &Router{routes: routes, routed: map[string]bool{}}
	var errs []error
	for _, c := range routes {
		match := func(*incident.Change) bool { return true }
		if strings.TrimSpace(c.When) != "" {
			m, err := compile(c.When)
			if err != nil {
				errs = append(errs, fmt.Errorf("triage.routes: %s: when: %w", c.Name, err))
				continue
			}
			match = m
		}
		r.match = append(r.match, match)
		for _, e := range c.Endpoints {
			r.routed[e] = true
		}
	}
	return r, errors.Join(errs...)
}

// Of decides on a change.
func (r *Router) Of(c *incident.Change) Routing {
	if r == nil {
		return Decide(nil, c.Incident.Owner, nil)
	}
	return Decide(r.routes, c.Incident.Owner, func(i int) bool { return r.match[i](c) })
}

// Decide asks whether each route matches, in order, until one ends it; stitched is the owner where none names a team.
func Decide(routes []RouteConfig, stitched string, matches func(route int) bool) Routing {
	out := Routing{Owner: stitched, Matched: []string{}}
	for i, route := range routes {
		if !matches(i) {
			continue
		}
		out.Matched = append(out.Matched, route.Name)
		out.Endpoints = append(out.Endpoints, route.Endpoints...)
		if out.Route == "" && route.OwnerTeam != "" {
			out.Owner, out.Route = route.OwnerTeam, route.Name
		}
		if !route.Continue {
			break
		}
	}
	slices.Sort(out.Endpoints)
	out.Endpoints = slices.Compact(out.Endpoints)
	return out
}

// takes is the condition of an endpoint; nil if no route names it.
func (r *Router) takes(endpoint string) func(*incident.Change) bool {
	if r == nil || !r.routed[endpoint] {
		return nil
	}
	return func(c *incident.Change) bool { return slices.Contains(r.Of(c).Endpoints, endpoint) }
}

// mark writes the decision into what is told.
func (r *Router) mark(in *adapter.Incident, c *incident.Change) {
	if r == nil {
		return
	}
	d := r.Of(c)
	in.OwnerTeam, in.Route = cut(plain(d.Owner), 60), cut(plain(d.Route), 120)
}

// Routed is what routes make of one incident.
type Routed struct {
	Incident string `json:"incident"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
	Stitched string `json:"stitched_owner"`
	Routing
}

// Try says what a router would make of incidents, each as if it had just been opened or changed so.
func (r *Router) Try(incidents []*incident.Incident, kind incident.ChangeKind) []Routed {
	out := make([]Routed, 0, len(incidents))
	for _, in := range incidents {
		c := incident.Change{Kind: kind, Incident: in}
		out = append(out, Routed{
			Incident: event.FormatID(event.IncidentPrefix, in.ID), Title: in.Title, Severity: in.Severity.String(), Stitched: in.Owner, Routing: r.Of(&c),
		})
	}
	return out
}

// Router is the desk's; nil without routes.
func (d *Desk) Router() *Router { return d.router }

// Routes are the configured ones.
func (d *Desk) Routes() []RouteConfig { return d.cfg.Routes }
