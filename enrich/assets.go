package enrich

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// AssetInfo is one entry of the inventory. Its slices are shared: do not change them.
type AssetInfo struct {
	ID             string     // Canonical id: robot:amr-07, device:plc-04. The file holds the part after the colon.
	Kind           string     // robot, cobot, humanoid, plc, hmi, workstation …
	Site           string     // Plant.
	Zone           string     // Zone it belongs to; where it is seen may differ.
	OwnerTeam      string     // it, ot, robot-operations, facilities or safety; by kind where the file says nothing.
	Criticality    uint8      // 1 low to 4 critical; 0 unknown.
	Vendor         string     // Manufacturer.
	Model          string     // Model or series.
	Firmware       string     // Version it should run.
	HumansNear     event.Bool // People work beside it.
	RestrictedArea event.Bool // It stands in a restricted area.

	Aliases   []string     // Other names that sources use for it.
	Serials   []string     // Serial numbers; with a vendor also known as vendor/serial.
	Hostnames []string     // Host names, short or full.
	MACs      []string     // Hardware addresses, lower case with colons.
	IPs       []netip.Addr // Fixed addresses; used where nothing was learned for the address.
}

// EntityKind is robot or device.
func (a *AssetInfo) EntityKind() event.EntityKind {
	if strings.HasPrefix(a.ID, "robot:") {
		return event.EntityRobot
	}
	return event.EntityDevice
}

// assetKind says how a kind of asset is treated: whether it is a robot, and whose it is where the inventory does not say.
type assetKind struct {
	name  string
	robot bool
	team  string
}

var assetKinds = []assetKind{
	{"robot", true, teamRobots},
	{"cobot", true, teamRobots},
	{"humanoid", true, teamRobots},
	{"amr", true, teamRobots},
	{"agv", true, teamRobots},
	{"quadruped", true, teamRobots},
	{"manipulator", true, teamRobots},
	{"drone", true, teamRobots},
	{"robot_controller", false, teamRobots},
	{"teach_pendant", false, teamRobots},
	{"fleet_manager", false, teamRobots},
	{"charger", false, teamRobots},
	{"plc", false, teamOT},
	{"rtu", false, teamOT},
	{"hmi", false, teamOT},
	{"scada", false, teamOT},
	{"historian", false, teamOT},
	{"engineering_station", false, teamOT},
	{"gateway", false, teamOT},
	{"edge", false, teamOT},
	{"drive", false, teamOT},
	{"sensor", false, teamOT},
	{"safety_controller", false, teamSafety},
	{"safety_scanner", false, teamSafety},
	{"camera", false, teamFacilities},
	{"door_controller", false, teamFacilities},
	{"building_controller", false, teamFacilities},
	{"workstation", false, teamIT},
	{"laptop", false, teamIT},
	{"server", false, teamIT},
	{"switch", false, teamIT},
	{"router", false, teamIT},
	{"firewall", false, teamIT},
	{"access_point", false, teamIT},
	{"printer", false, teamIT},
	{"phone", false, teamIT},
	{"tablet", false, teamIT},
	{"other", false, teamIT},
}

// The teams an incident can belong to.
const (
	teamIT         = "it"
	teamOT         = "ot"
	teamRobots     = "robot-operations"
	teamFacilities = "facilities"
	teamSafety     = "safety"
)

var teams = []string{teamIT, teamOT, teamRobots, teamFacilities, teamSafety}

func kindNames() []string {
	out := make([]string, len(assetKinds))
	for i := range assetKinds {
		out[i] = assetKinds[i].name
	}
	return out
}

func assetKindOf(name string) assetKind {
	for _, k := range assetKinds {
		if k.name == name {
			return k
		}
	}
	return assetKind{}
}

func assetColumns() []column[AssetInfo] {
	return []column[AssetInfo]{
		name("id", func(a *AssetInfo) *string { return &a.ID }),
		word("kind", kindNames(), func(a *AssetInfo) *string { return &a.Kind }),
		texts("aliases", func(a *AssetInfo) *[]string { return &a.Aliases }),
		texts("serials", func(a *AssetInfo) *[]string { return &a.Serials }),
		addresses("ips", func(a *AssetInfo) *[]netip.Addr { return &a.IPs }),
		hardware("macs", func(a *AssetInfo) *[]string { return &a.MACs }),
		texts("hostnames", func(a *AssetInfo) *[]string { return &a.Hostnames }),
		name("site", func(a *AssetInfo) *string { return &a.Site }),
		name("zone", func(a *AssetInfo) *string { return &a.Zone }),
		word("owner_team", teams, func(a *AssetInfo) *string { return &a.OwnerTeam }),
		{name: "criticality", set: setCriticality},
		text("vendor", func(a *AssetInfo) *string { return &a.Vendor }),
		text("model", func(a *AssetInfo) *string { return &a.Model }),
		text("firmware", func(a *AssetInfo) *string { return &a.Firmware }),
		truth("humans_near", func(a *AssetInfo) *event.Bool { return &a.HumansNear }),
		truth("restricted_area", func(a *AssetInfo) *event.Bool { return &a.RestrictedArea }),
	}
}

func setCriticality(a *AssetInfo, v []string) fault {
	n, err := strconv.Atoi(v[0])
	if err != nil || n < 1 || n > 4 {
		return fault{quote(v[0]) + " is not a criticality", "use 1 (low), 2 (medium), 3 (high) or 4 (critical)"}
	}
	a.Criticality = uint8(n)
	return fault{}
}

// addAssets builds the inventory and its indexes. Zones must have been added before.
func (b *builder) addAssets(rows []placed[AssetInfo], rep *report) {
	names, macs, ips := newIndex[string]("name"), newIndex[string]("MAC address"), newIndex[netip.Addr]("address")
	sites := map[string]struct{}{}
	for i := range rows {
		a, line := rows[i].row, rows[i].line
		rep.muted = rows[i].bad
		if !b.completeAsset(&a, line, rep) {
			continue
		}
		at := int32(len(b.t.assets))
		bare := a.ID
		kind := assetKindOf(a.Kind)
		if kind.robot {
			a.ID = "robot:" + bare
		} else {
			a.ID = "device:" + bare
		}
		if a.OwnerTeam == "" {
			a.OwnerTeam = kind.team
		}
		owner := claim{at, line, bare}
		names.add(rep, owner, "id", bare)
		for _, s := range a.Aliases {
			names.add(rep, owner, "aliases", key(s))
		}
		for _, s := range a.Hostnames {
			names.add(rep, owner, "hostnames", strings.TrimSuffix(key(s), "."))
		}
		for _, s := range a.Serials {
			names.add(rep, owner, "serials", key(s))
			if a.Vendor != "" && !strings.Contains(s, "/") {
				names.add(rep, owner, "serials", key(a.Vendor)+"/"+key(s))
			}
		}
		for _, s := range a.MACs {
			macs.add(rep, owner, "macs", s)
		}
		for _, ip := range a.IPs {
			ips.add(rep, owner, "ips", ip)
		}
		if a.Site != "" {
			sites[a.Site] = struct{}{}
		}
		b.t.assets = append(b.t.assets, a)
	}
	b.sites = slices.Sorted(maps.Keys(sites))
	b.t.assetNames, b.t.assetMACs, b.t.assetIPs = names.byKey(), macs.byKey(), ips.byKey()
}

func (b *builder) completeAsset(a *AssetInfo, line int, rep *report) bool {
	switch {
	case a.ID == "":
		rep.add(line, "id", "is missing", "give every asset an id, such as amr-07")
	case a.Kind == "":
		rep.add(line, "kind", "is missing for "+a.ID, "say what it is, such as robot, plc or laptop")
	case a.Zone != "" && b.zonesKnown && !b.hasZone(a.Zone):
		rep.add(line, "zone", quote(a.Zone)+" is not in the zones file", oneOf(a.Zone, b.zoneNames()))
	default:
		return true
	}
	return false
}

// key is the spelling in which names are compared: that of event.CanonicalKey for devices and users.
func key(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
