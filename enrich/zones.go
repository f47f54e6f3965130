package enrich

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/tocsin-siem/tocsin/event"
)

// ZoneInfo is one network zone. Its slices are shared: do not change them.
type ZoneInfo struct {
	Name    string         // As rules name it, such as robots.
	CIDRs   []netip.Prefix // Networks; the longest prefix wins among zones.
	VLANs   []string       // VLAN numbers or names, as sources write them.
	Site    string         // Plant whose VLANs these are; "" for any.
	Aliases []string       // Names that firewalls and switches use for it.
	Purdue  event.Float    // Purdue level, 0 to 5.
	Kind    string         // robot, ot, it, dmz, guest or internet.
	NAT     event.Bool     // Addresses here stand for many machines: never resolved.
	Egress  event.Bool     // Addresses under which we are seen outside: never resolved.
}

// Shared reports whether an address of the zone stands for many machines.
func (z *ZoneInfo) Shared() bool {
	return z.NAT == event.True || z.Egress == event.True || z.Kind == "internet"
}

var zoneKinds = []string{"robot", "ot", "it", "dmz", "guest", "internet"}

func zoneColumns() []column[ZoneInfo] {
	return []column[ZoneInfo]{
		name("zone", func(z *ZoneInfo) *string { return &z.Name }),
		networks("cidrs", func(z *ZoneInfo) *[]netip.Prefix { return &z.CIDRs }),
		texts("vlans", func(z *ZoneInfo) *[]string { return &z.VLANs }),
		name("site", func(z *ZoneInfo) *string { return &z.Site }),
		texts("aliases", func(z *ZoneInfo) *[]string { return &z.Aliases }),
		{name: "purdue", set: setPurdue},
		word("kind", zoneKinds, func(z *ZoneInfo) *string { return &z.Kind }),
		truth("nat", func(z *ZoneInfo) *event.Bool { return &z.NAT }),
		truth("egress", func(z *ZoneInfo) *event.Bool { return &z.Egress }),
	}
}

func setPurdue(z *ZoneInfo, v []string) fault {
	f, err := strconv.ParseFloat(v[0], 64)
	if err != nil || f < 0 || f > 5 || f*2 != float64(int(f*2)) {
		return fault{quote(v[0]) + " is not a Purdue level", "use 0 to 5, or 3.5 for the industrial DMZ"}
	}
	z.Purdue = event.FloatOf(f)
	return fault{}
}

// vlanKey is a VLAN as one site numbers it; site "" is any.
type vlanKey struct{ site, vlan string }

// String is how a message shows the VLAN.
func (k vlanKey) String() string {
	if k.site == "" {
		return k.vlan
	}
	return k.vlan + " at " + k.site
}

// addZones builds the zone table and its indexes.
func (b *builder) addZones(rows []placed[ZoneInfo], rep *report) {
	names, cidrs, vlans := newIndex[string]("name"), newIndex[netip.Prefix]("network"), newIndex[vlanKey]("VLAN")
	for i := range rows {
		z, line := rows[i].row, rows[i].line
		rep.muted = rows[i].bad
		switch {
		case z.Name == "":
			rep.add(line, "zone", "is missing", "give every zone a name, such as robots")
			continue
		case z.Kind == "":
			rep.add(line, "kind", "is missing for "+z.Name, oneOf("", zoneKinds))
			continue
		case len(z.CIDRs) == 0 && len(z.VLANs) == 0:
			rep.add(line, "cidrs", "zone "+z.Name+" has neither cidrs nor vlans", "write its networks, such as 10.20.0.0/16")
			continue
		}
		at := int32(len(b.t.zones))
		owner := claim{at, line, z.Name}
		if first, taken := names.owners[z.Name]; taken {
			rep.add(line, "zone", "duplicate zone "+z.Name+", first on line "+strconv.Itoa(first.line), "put all its networks into one row, separated by semicolons")
			continue
		}
		names.add(rep, owner, "zone", z.Name)
		for _, a := range z.Aliases {
			names.add(rep, owner, "aliases", key(a))
		}
		for _, p := range z.CIDRs {
			cidrs.add(rep, owner, "cidrs", p)
			b.t.networks.Insert(p, at)
		}
		for _, v := range z.VLANs {
			vlans.add(rep, owner, "vlans", vlanKey{z.Site, key(v)})
		}
		b.t.zones = append(b.t.zones, z)
	}
	b.t.zoneByName, b.t.zoneVLANs = names.byKey(), vlans.byKey()
}

func (b *builder) hasZone(name string) bool {
	at, ok := b.t.zoneByName[name]
	return ok && b.t.zones[at].Name == name
}

func (b *builder) zoneNames() []string {
	var out []string
	for i := range b.t.zones {
		out = append(out, b.t.zones[i].Name)
	}
	slices.Sort(out)
	return out
}
