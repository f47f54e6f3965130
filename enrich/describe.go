package enrich

import (
	"net/netip"

	"github.com/tocsin-siem/tocsin/event"
)

// hour is an hour in microseconds.
const hour = 3_600_000_000

// describe copies what the tables know about the event's objects onto its fields.
func (x *Enricher) describe(e *event.Event) {
	x.describeUser(&e.User, event.ObjectUser, e.Time)
	x.describeUser(&e.Actor.User, event.ObjectActor, e.Time)
	vlan := ""
	if e.ClassUID == event.ClassAuthentication && e.DstEndpoint.VLAN != "" && admission(e) {
		vlan = e.DstEndpoint.VLAN // The switch port is the destination; its VLAN is the one the client was put into.
	}
	x.describeEndpoint(&e.SrcEndpoint, event.ObjectSource, e.Envelope.Site, vlan)
	x.describeEndpoint(&e.DstEndpoint, event.ObjectDestination, e.Envelope.Site, "")
	x.describeDevice(e, vlan)
	if e.Robot != nil {
		x.describeRobot(e.Robot)
	}
}

func (x *Enricher) describeUser(u *event.User, at uint8, now int64) {
	i := x.objects[at].identity
	if i == nil {
		return
	}
	u.Roles, u.Kind, u.Country = i.Roles, i.Kind, i.HomeCountry
	u.Privileged, u.Departed, u.OnShift = i.Privileged, i.Departed, i.OnShift(now)
}

func (x *Enricher) describeEndpoint(p *event.Endpoint, at uint8, site, admittedTo string) {
	ip := parseIP(p.IP)
	a := x.objects[at].asset
	if !ip.IsValid() && x.objects[at].role == event.RoleNone {
		admittedTo = "" // Nothing is said about the client here.
	}
	if a != nil {
		p.Asset, p.Kind, p.Critical = a.ID, a.Kind, a.Criticality
	}
	if z := x.place(&p.Zone, ip, p.VLAN, site, admittedTo, a); z != nil {
		p.Purdue = z.Purdue
	}
	if x.geo != nil && ip.IsValid() && public(ip) {
		x.locate(p, ip)
	}
}

func (x *Enricher) describeDevice(e *event.Event, admittedTo string) {
	d := &e.Device
	a := x.objects[event.ObjectDevice].asset
	if a != nil {
		d.Asset, d.Kind, d.Critical = a.ID, a.Kind, a.Criticality
	}
	ip := parseIP(d.IP)
	if !ip.IsValid() && x.objects[event.ObjectDevice].role == event.RoleNone {
		admittedTo = ""
	}
	x.place(&d.Zone, ip, d.VLAN, e.Envelope.Site, admittedTo, a)
	if d.LastSeen > 0 && e.Time > 0 {
		d.AgeHours = event.FloatOf(float64(max(0, e.Time-d.LastSeen)) / hour)
	}
}

func (x *Enricher) describeRobot(r *event.Robot) {
	a := x.objects[event.ObjectRobot].asset
	if d := x.objects[event.ObjectDevice].asset; a == nil && d != nil && d.EntityKind() == event.EntityRobot {
		a = d // The event calls the same machine device and robot.
	}
	if a == nil {
		return
	}
	r.Asset, r.Site, r.Critical = a.ID, a.Site, a.Criticality
	r.HumansNear, r.Restricted = a.HumansNear, a.RestrictedArea
	switch z := x.t.zoneNamed(r.Zone); {
	case r.Zone == "" && a.Zone != "":
		r.Zone = a.Zone
	case r.Zone == "":
		if z := x.t.zone(parseIP(r.IP)); z != nil {
			r.Zone = z.Name
		}
	case z != nil:
		r.Zone = z.Name
	}
}

// place finds the zone of an endpoint and fills it in where the source says nothing, or says it by a name that the zones file translates.
// The VLAN a client was just put into comes first, then the address, the VLAN of the record and where the asset belongs.
func (x *Enricher) place(zone *string, ip netip.Addr, vlan, site, admittedTo string, a *AssetInfo) *ZoneInfo {
	if !ip.IsValid() && vlan == "" && admittedTo == "" && *zone == "" && a == nil {
		return nil
	}
	var z *ZoneInfo
	if *zone != "" {
		if z = x.t.zoneNamed(*zone); z != nil {
			*zone = z.Name
		}
	}
	if z == nil && admittedTo != "" {
		z = x.t.zoneOfVLAN(admittedTo, site)
	}
	if z == nil {
		z = x.t.zone(ip)
	}
	if z == nil && vlan != "" {
		z = x.t.zoneOfVLAN(vlan, site)
	}
	if z == nil && a != nil && a.Zone != "" {
		if *zone == "" {
			*zone = a.Zone // Known to the inventory even without a zones file.
		}
		z = x.t.zoneNamed(a.Zone)
	}
	if z == nil {
		x.stats.Zones.Miss++
		return nil
	}
	x.stats.Zones.Hit++
	if *zone == "" {
		*zone = z.Name
	}
	return z
}

// locate fills in country and autonomous system where the source gives none.
func (x *Enricher) locate(p *event.Endpoint, ip netip.Addr) {
	g := x.geo.find(ip)
	if g.failed {
		x.stats.Geo.Failed++
	}
	if g.location == (event.Location{}) && g.as == (event.AS{}) {
		x.stats.Geo.Miss++
		return
	}
	x.stats.Geo.Hit++
	m := p.Extend()
	if m.Location == (event.Location{}) {
		m.Location = g.location
	}
	if m.AS == (event.AS{}) {
		m.AS = g.as
	}
}
