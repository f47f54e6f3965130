package app

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/store"
)

// entities tells what tables, events and bindings know of an entity.
type entities struct {
	db     *store.DB
	tables func() *enrich.Tables
	fleet  *fleetBoard
}

const (
	maxBound   = 30
	maxMembers = 2000
	maxPeers   = 200
)

// Card implements console.Entities.
func (x entities) Card(ctx context.Context, id string, at int64) (console.Card, error) {
	t := x.tables()
	id = canonicalEntity(id)
	kind, name, _ := strings.Cut(id, ":")
	c := console.Card{ID: id, Kind: kind}
	var err error
	switch kind {
	case "zone":
		return x.zone(t, c, name)
	case "user":
		x.user(t, &c, at)
	case "robot", "device":
		x.machine(t, &c)
	case "ip":
		if a, err := netip.ParseAddr(name); err == nil {
			if z, ok := t.Zone(a); ok {
				c.Facts = append(c.Facts, zoneFacts(z)...)
				c.Site = z.Site
			}
		}
	}
	c.Bound, err = x.bound(ctx, c.ID, at)
	return c, err
}

// facts are those of pairs of name and value that have a value.
func facts(from string, pairs ...string) []console.Trait {
	var out []console.Trait
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, console.Trait{Name: pairs[i], Value: pairs[i+1], From: from})
		}
	}
	return out
}

func yes(b event.Bool) string {
	switch b {
	case event.True:
		return "yes"
	case event.False:
		return "no"
	}
	return ""
}

func (x entities) user(t *enrich.Tables, c *console.Card, at int64) {
	i, ok := t.Identity(c.ID)
	if !ok {
		return
	}
	c.ID, c.Known = i.ID, true
	c.Facts = facts("identities", "name", i.FullName, "kind", i.Kind, "roles", strings.Join(i.Roles, ", "), "home_country", i.HomeCountry, "privileged", yes(i.Privileged),
		"departed", yes(i.Departed), "on_shift_now", yes(i.OnShift(at)), "also_known_as", strings.Join(slices.Concat(i.Emails, i.Accounts, i.Names, i.Aliases), ", "))
}

// machine tells of a robot or a device, and of its peers: those of the same model, or else of the same zone.
func (x entities) machine(t *enrich.Tables, c *console.Card) {
	a, ok := t.Asset(c.ID)
	if ok {
		c.ID, c.Known, c.Site = a.ID, true, a.Site
		criticality := ""
		if a.Criticality > 0 {
			criticality = fmt.Sprintf("%d of 4", a.Criticality)
		}
		addresses := make([]string, len(a.IPs))
		for i, ip := range a.IPs {
			addresses[i] = ip.String()
		}
		c.Facts = facts("inventory", "kind", a.Kind, "zone", a.Zone, "owner", a.OwnerTeam, "criticality", criticality, "vendor", a.Vendor, "model", a.Model, "firmware_due", a.Firmware,
			"people_near", yes(a.HumansNear), "restricted_area", yes(a.RestrictedArea), "addresses", strings.Join(addresses, ", "), "macs", strings.Join(a.MACs, ", "),
			"also_known_as", strings.Join(slices.Concat(a.Hostnames, a.Aliases, a.Serials), ", "))
	}
	c.Traits = x.fleet.traits(c.ID)
	if !ok {
		return
	}
	c.Peers, c.PeersWhy = x.peers(t, a)
}

func (x entities) peers(t *enrich.Tables, of enrich.AssetInfo) ([]console.Peer, string) {
	like := func(alike func(*enrich.AssetInfo) bool) []console.Peer {
		var out []console.Peer
		for a := range t.Assets() {
			if len(out) < maxPeers && a.ID != of.ID && a.Kind == of.Kind && a.EntityKind() == of.EntityKind() && alike(a) {
				out = append(out, console.Peer{ID: a.ID, Traits: x.fleet.traits(a.ID)})
			}
		}
		return out
	}
	if of.Model != "" {
		if list := like(func(a *enrich.AssetInfo) bool {
			return a.Model == of.Model && a.Vendor == of.Vendor && a.Site == of.Site
		}); len(list) > 0 {
			return list, "of the same model at the same site"
		}
	}
	if of.Zone != "" {
		return like(func(a *enrich.AssetInfo) bool { return a.Zone == of.Zone }), "of the same kind in the same zone"
	}
	return nil, ""
}

func (x entities) zone(t *enrich.Tables, c console.Card, name string) (console.Card, error) {
	for z := range t.Zones() {
		if z.Name == name {
			c.Known, c.Site, c.Facts = true, z.Site, zoneFacts(*z)
		}
	}
	for a := range t.Assets() {
		if a.Zone == name && len(c.Members) < maxMembers {
			c.Members = append(c.Members, a.ID)
			c.Site = cmp.Or(c.Site, a.Site)
		}
	}
	if !c.Known && len(c.Members) == 0 {
		return c, fmt.Errorf("%w: no zone is called %s", console.ErrNotFound, name)
	}
	return c, nil
}

func zoneFacts(z enrich.ZoneInfo) []console.Trait {
	networks := make([]string, len(z.CIDRs))
	for i, n := range z.CIDRs {
		networks[i] = n.String()
	}
	return facts("zones", "zone", z.Name, "kind_of_zone", z.Kind, "networks", strings.Join(networks, ", "), "vlans", strings.Join(z.VLANs, ", "), "stands_for_many", yes(z.NAT))
}

func (x entities) bound(ctx context.Context, id string, at int64) ([]console.Bound, error) {
	names := []string{id}
	if kind, name, _ := strings.Cut(id, ":"); kind == "ip" || kind == "mac" {
		names = append(names, name)
	}
	var out []console.Bound
	for _, name := range names {
		for b, err := range x.db.Bindings(ctx, name, at, maxBound) {
			if err != nil {
				return nil, err
			}
			out = append(out, console.Bound{Relation: b.Relation, Name: b.Identifier, Entity: b.Entity, Since: b.Since, Until: b.Until, Source: b.Source, Confidence: b.Confidence})
		}
	}
	return out, nil
}

// Activity implements console.Entities.
func (x entities) Activity(ctx context.Context, id string, peers []string, from, to, width int64) ([]console.Activity, error) {
	list, err := x.db.EntityActivity(ctx, id, peers, from, to, width)
	if err != nil {
		return nil, blame(err)
	}
	out := make([]console.Activity, len(list))
	for i, a := range list {
		out[i] = console.Activity{Peers: a.Peers, Start: a.Start, Class: event.ClassName(a.ClassUID), Count: a.Count}
	}
	return out, nil
}

// mirror writes what enrichment learned of addresses to the store's table for searching, beside the pipeline: what it cannot take in time is
// left out, and comes again with the next change of the same binding.
type mirror struct {
	db   *store.DB
	list chan []store.Binding
}

func newMirror(db *store.DB) *mirror { return &mirror{db, make(chan []store.Binding, 256)} }

// take hands over what the last batch changed.
func (m *mirror) take(changes []enrich.Binding) {
	if len(changes) == 0 {
		return
	}
	out := make([]store.Binding, len(changes))
	for i, b := range changes {
		out[i] = store.Binding{Relation: b.Relation.String(), Identifier: b.Identifier, Entity: b.Entity, Session: b.Session, Since: b.From, Until: b.To, Source: b.Source.String(), Confidence: b.Confidence}
	}
	select {
	case m.list <- out:
	default:
	}
}

// run writes until ctx ends; several batches' worth go in one insert.
func (m *mirror) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case list := <-m.list:
			for more := true; more && len(list) < 20_000; {
				select {
				case next := <-m.list:
					list = append(list, next...)
				default:
					more = false
				}
			}
			_ = m.db.MirrorBindings(ctx, list) // It retries and logs; what it gives up is the context.
		}
	}
}
