package enrich

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"github.com/tocsin-siem/tocsin/event"
)

// Tables is one reading of all table files: the inventory, the identities, the zones, the lists and the schedules. It is immutable and
// safe for concurrent use; every lookup is a pure function of the tables and its arguments. The zero value has no entries.
type Tables struct {
	version string

	assets     []AssetInfo
	assetNames map[string]int32 // Bare ids, aliases, serials, vendor/serial, host names.
	assetMACs  map[string]int32
	assetIPs   map[netip.Addr]int32

	identities   []IdentityInfo
	identityKeys map[string]int32

	zones      []ZoneInfo
	zoneByName map[string]int32 // Names and aliases.
	zoneVLANs  map[vlanKey]int32
	networks   bart.Table[int32]

	schedules []ScheduleInfo
	windows   map[string]*windows // By kind.

	lists map[string]*valueSet
}

// builder fills a Tables; zones come first, then assets, then what refers to both.
type builder struct {
	t           *Tables
	zonesKnown  bool // A zones file is configured, so zone names are checked.
	assetsKnown bool
	sites       []string
}

// Load reads every configured file through read (such as os.ReadFile) and builds the tables. With any problem there are no tables: a
// half-read inventory would misname machines. Load has no other effect and keeps nothing of read's bytes.
func Load(c *Config, read func(path string) ([]byte, error)) (*Tables, []Problem) {
	b := &builder{t: &Tables{lists: map[string]*valueSet{}}, zonesKnown: c.Zones != "", assetsKnown: c.Assets != ""}
	version := sha256.New()
	l := loader{read: read, version: version}
	loadTable(&l, "zones", c.Zones, zoneColumns(), b.addZones)
	b.zonesKnown = b.zonesKnown && len(l.problems) == 0 // What is missing there may be missing for a reason reported already.
	loadTable(&l, "assets", c.Assets, assetColumns(), b.addAssets)
	b.assetsKnown = b.assetsKnown && len(l.problems) == 0
	loadTable(&l, "identities", c.Identities, identityColumns(), b.addIdentities)
	loadTable(&l, "schedules", c.Schedules, scheduleColumns(), b.addSchedules)
	for _, name := range slices.Sorted(maps.Keys(c.Lists)) {
		b.t.lists[name] = l.loadList(name, c.Lists[name])
	}
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	b.t.version = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(version.Sum(nil)[:10])
	b.t.version = strings.ToLower(b.t.version)
	return b.t, nil
}

// loader reads files and collects their problems and the hash of what was read.
type loader struct {
	read     func(string) ([]byte, error)
	version  hash.Hash
	problems []Problem
}

func loadTable[T any](l *loader, table, path string, columns []column[T], add func([]placed[T], *report)) {
	rep := &report{file: path}
	if path == "" {
		add(nil, rep)
		return
	}
	if data, ok := l.file(table, path, rep); ok {
		add(decode(readRows(table, path, data, rep), columns, rep), rep)
	}
	l.problems = append(l.problems, rep.problems...)
}

// file reads one file and adds it to the version under the name of its table: moving a file changes nothing.
func (l *loader) file(table, path string, rep *report) ([]byte, bool) {
	data, err := l.read(path)
	if err != nil {
		rep.add(0, "", "cannot be read: "+err.Error(), "check the path in the configuration and the file's permissions")
		return nil, false
	}
	l.hash(table, string([]byte{byte(formatOf(path))}), string(data))
	return data, true
}

func (l *loader) hash(parts ...string) {
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		l.version.Write(n[:])
		l.version.Write([]byte(p))
	}
}

func (l *loader) loadList(name string, list List) *valueSet {
	set := newSet()
	rep := &report{file: list.File}
	if list.File == "" {
		rep.file = "enrich.lists." + name
		l.hash("list", name)
		l.hash(list.Values...)
		for i, v := range list.Values {
			if f := set.add(v); f != (fault{}) {
				rep.add(i+1, "values", f.message, f.hint)
			}
		}
	} else if data, ok := l.file("list "+name, list.File, rep); ok {
		if len(data) > maxFileBytes || firstInvalid(data) >= 0 {
			rep.add(0, "", "is not a text file under 64 MB", "save it as UTF-8, one value per line")
		} else {
			listLines(data, func(line int, value string) {
				if f := set.add(value); f != (fault{}) {
					rep.add(line, "", f.message, f.hint)
				}
			})
		}
	}
	l.problems = append(l.problems, rep.problems...)
	return set
}

// Version identifies the content of all files: equal content has equal versions wherever the files lie.
func (t *Tables) Version() string { return t.version }

// Asset finds an asset by canonical id (robot:amr-07), bare id, alias, serial, vendor/serial or host name; ok is false if the inventory
// does not know it.
func (t *Tables) Asset(id string) (a AssetInfo, ok bool) {
	if p := t.asset(id); p != nil {
		return *p, true
	}
	return AssetInfo{}, false
}

func (t *Tables) asset(id string) *AssetInfo {
	if at, ok := t.assetNames[lower(bareID(id))]; ok {
		return &t.assets[at]
	}
	return nil
}

func (t *Tables) assetByMAC(mac string) *AssetInfo {
	if at, ok := t.assetMACs[mac]; ok {
		return &t.assets[at]
	}
	return nil
}

func (t *Tables) assetByIP(ip netip.Addr) *AssetInfo {
	if at, ok := t.assetIPs[ip]; ok {
		return &t.assets[at]
	}
	return nil
}

// Identity finds a person or service account by canonical id (user:ana.silva), bare id, e-mail address, uid, account or name.
func (t *Tables) Identity(id string) (i IdentityInfo, ok bool) {
	if p := t.identity(id); p != nil {
		return *p, true
	}
	return IdentityInfo{}, false
}

func (t *Tables) identity(id string) *IdentityInfo {
	if at, ok := t.identityKeys[lower(bareID(id))]; ok {
		return &t.identities[at]
	}
	return nil
}

// Zone finds the zone of an address: the longest matching network.
func (t *Tables) Zone(ip netip.Addr) (z ZoneInfo, ok bool) {
	if p := t.zone(ip); p != nil {
		return *p, true
	}
	return ZoneInfo{}, false
}

func (t *Tables) zone(ip netip.Addr) *ZoneInfo {
	if !ip.IsValid() {
		return nil
	}
	if at, ok := t.networks.Lookup(ip.Unmap()); ok {
		return &t.zones[at]
	}
	return nil
}

// ZoneOfVLAN finds the zone of a VLAN number or name; one written for the site wins over one for any site.
func (t *Tables) ZoneOfVLAN(vlan, site string) (z ZoneInfo, ok bool) {
	if p := t.zoneOfVLAN(vlan, site); p != nil {
		return *p, true
	}
	return ZoneInfo{}, false
}

func (t *Tables) zoneOfVLAN(vlan, site string) *ZoneInfo {
	v := lower(vlan)
	if at, ok := t.zoneVLANs[vlanKey{site, v}]; ok {
		return &t.zones[at]
	}
	if at, ok := t.zoneVLANs[vlanKey{"", v}]; ok {
		return &t.zones[at]
	}
	return nil
}

// zoneNamed finds a zone by its name or by a name that a firewall uses for it.
func (t *Tables) zoneNamed(name string) *ZoneInfo {
	if at, ok := t.zoneByName[lower(name)]; ok {
		return &t.zones[at]
	}
	return nil
}

// InList reports whether the list has the value: as it stands without regard to case, inside one of its networks, or under one of its
// domain patterns. A canonical id (user:ana.silva) also matches by its bare part. A list that does not exist has nothing.
func (t *Tables) InList(list, value string) bool {
	set := t.lists[list]
	if set == nil || value == "" {
		return false
	}
	if set.has(value) {
		return true
	}
	bare := bareID(value)
	return len(bare) < len(value) && set.has(bare)
}

// Lists names the lists there are, sorted, for checking rules.
func (t *Tables) Lists() []string { return slices.Sorted(maps.Keys(t.lists)) }

// Window reports whether a window of that kind is open for the entity at the instant, in microseconds: for the asset itself, its zone or
// its site. The entity is anything Asset finds, an address in a zone, or the name of a zone or site.
func (t *Tables) Window(kind, entity string, at int64) bool {
	w := t.windows[kind]
	if w == nil {
		return false
	}
	if t.open(w[scopeAll], "*", at) {
		return true
	}
	if len(w[scopeAsset])+len(w[scopeZone])+len(w[scopeSite]) == 0 {
		return false
	}
	if a := t.asset(entity); a != nil {
		return t.open(w[scopeAsset], a.ID, at) || t.open(w[scopeZone], a.Zone, at) || t.open(w[scopeSite], a.Site, at)
	}
	name := bareID(entity)
	if t.open(w[scopeAsset], name, at) || t.open(w[scopeZone], name, at) || t.open(w[scopeSite], name, at) {
		return true
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		if z := t.zone(ip); z != nil {
			return t.open(w[scopeZone], z.Name, at)
		}
	}
	return false
}

// open reports whether one of the windows under a name is.
func (t *Tables) open(under map[string][]int32, name string, at int64) bool {
	if name == "" {
		return false
	}
	for _, n := range under[name] {
		if t.schedules[n].contains(at) {
			return true
		}
	}
	return false
}

// OwnerTeam is the team an entity belongs to: what the inventory says, else by the kind of asset; it for people; "" for what no table
// knows.
func (t *Tables) OwnerTeam(id string) string {
	if strings.HasPrefix(id, "user:") {
		if t.identity(id) != nil {
			return teamIT
		}
		return ""
	}
	if a := t.asset(id); a != nil {
		return a.OwnerTeam
	}
	return ""
}

// Site is the plant the inventory says an entity belongs to; "" if it does not.
func (t *Tables) Site(entity string) string {
	a, _ := t.Asset(entity)
	return a.Site
}

// Criticality is 1 low to 4 critical; 0 for what the inventory does not rate.
func (t *Tables) Criticality(id string) uint8 {
	if a := t.asset(id); a != nil {
		return a.Criticality
	}
	return 0
}

// Assets yields the entries of the inventory in the order of its file. What they point to must not be changed.
func (t *Tables) Assets() iter.Seq[*AssetInfo] { return pointers(t.assets) }

// Zones yields the zones in the order of their file. What they point to must not be changed.
func (t *Tables) Zones() iter.Seq[*ZoneInfo] { return pointers(t.zones) }

func pointers[T any](list []T) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for i := range list {
			if !yield(&list[i]) {
				return
			}
		}
	}
}

// Counts says how many entries each table has, for a status line.
func (t *Tables) Counts() (assets, identities, zones, lists, schedules int) {
	return len(t.assets), len(t.identities), len(t.zones), len(t.lists), len(t.schedules)
}

// bindable reports whether an address names one machine at a time here: a private one, or a public one that the zones file calls ours.
func (t *Tables) bindable(ip netip.Addr) bool {
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsLoopback() || ip.IsMulticast() || ip.IsLinkLocalUnicast() || carrierNAT.Contains(ip) {
		return false
	}
	if z := t.zone(ip); z != nil {
		return !z.Shared()
	}
	return ip.IsPrivate()
}

// carrierNAT is the shared address space of RFC 6598.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// bareID is an id without its kind. Only the kinds of entity are cut off, so that other text with a colon stays whole.
func bareID(id string) string {
	kind, rest, ok := strings.Cut(id, ":")
	if ok && event.EntityKindOf(kind) != event.EntityNone && kind != "" {
		return rest
	}
	return id
}
