package enrich

import (
	"math/bits"
	"net/netip"

	"github.com/tocsin-siem/tocsin/event"
)

// Enricher enriches batches. It belongs to one goroutine.
type Enricher struct {
	tables   func() *Tables
	geo      *Geo
	bindings *Bindings

	t       *Tables // The tables of the current batch.
	stats   Stats
	objects [event.ObjectExtra]object // What the current event's objects turned out to be,
	spoken  uint32                    // and of which it speaks: the others are as clear left them.
}

// object is one thing an event speaks of: who the tables say it is, or the best name the event gives it.
type object struct {
	asset      *AssetInfo
	by         event.Strength // Strength of the key that found the asset.
	identity   *IdentityInfo
	byUser     event.Strength
	role       event.Role
	hasDevice  bool // A reference of that kind exists.
	hasRobot   bool
	device     string // Id of the strongest device or robot reference.
	named      event.Strength
	mac        string
	ip         string
	user       string // Id of the strongest user reference.
	userNamed  event.Strength
	userExists bool
}

// New gives an enricher over the tables in force (such as Live.Tables), the databases (nil for none) and the bindings, which it owns from
// now on.
func New(tables func() *Tables, geo *Geo, bindings *Bindings) *Enricher {
	return &Enricher{tables: tables, geo: geo, bindings: bindings}
}

// SetGeo puts other databases in force, between two batches, and gives back the former ones to be closed.
func (x *Enricher) SetGeo(geo *Geo) (former *Geo) {
	former, x.geo = x.geo, geo
	return former
}

// Bindings gives the bindings, for snapshots and changes between two batches.
func (x *Enricher) Bindings() *Bindings { return x.bindings }

// Enrich enriches the events in place, in the order of sorted (indexes by event time; nil for the order they lie in), and learns bindings
// from them. Entities must have been found (event.FindEntities). Strings put onto events belong to the tables; the slices among them
// must not be changed.
func (x *Enricher) Enrich(events []event.Event, sorted []int32) Stats {
	x.t, x.stats = x.tables(), Stats{Events: len(events)}
	x.bindings.begin()
	if sorted == nil {
		for i := range events {
			x.enrich(&events[i])
		}
	}
	for _, i := range sorted {
		x.enrich(&events[i])
	}
	x.bindings.finish()
	x.stats.Bindings = x.bindings.takeStats()
	return x.stats
}

// object is one of the current event's objects, to write to.
func (x *Enricher) object(at uint8) *object {
	x.spoken |= 1 << at
	return &x.objects[at]
}

// spokenOf goes through the objects that the current event speaks of, in their order.
func (x *Enricher) spokenOf(yield func(at uint8, o *object) bool) {
	for rest := x.spoken; rest != 0; rest &= rest - 1 {
		at := uint8(bits.TrailingZeros32(rest))
		if !yield(at, &x.objects[at]) {
			return
		}
	}
}

// forget makes room for the objects of another event.
func (x *Enricher) forget() {
	for _, o := range x.spokenOf {
		*o = object{}
	}
	x.spoken = 0
}

func (x *Enricher) enrich(e *event.Event) {
	x.forget()
	found := len(e.Entities)
	x.recognise(e)
	if e.ClassUID == event.ClassDHCP {
		x.distrust()
	}
	x.name(e, found)
	x.learn(e)
	x.resolve(e, found)
	x.describe(e)
}

// recognise asks the inventory and the identity file about every key; the strongest key that is known decides what an object is.
func (x *Enricher) recognise(e *event.Event) {
	for i := range e.Entities {
		ref := &e.Entities[i]
		switch ref.Kind {
		case event.EntityUser:
			x.recogniseUser(ref)
		case event.EntityDevice, event.EntityRobot:
			x.recogniseDevice(ref)
		case event.EntityMAC:
			x.recogniseMAC(ref)
		case event.EntityIP:
			if at := home(ref.Object); at < event.ObjectExtra && x.objects[at].ip == "" {
				x.object(at).ip = ref.Key
			}
		}
	}
}

func (x *Enricher) recogniseUser(ref *event.EntityRef) {
	var identity *IdentityInfo
	if at, ok := x.t.identityKeys[ref.Key]; ok {
		identity = &x.t.identities[at]
	}
	if ref.Object >= event.ObjectExtra {
		if identity != nil {
			ref.ID = identity.ID
		}
		return
	}
	o := x.object(ref.Object)
	o.role, o.userExists = ref.Role, true
	if o.user == "" || ref.Strength > o.userNamed {
		o.user, o.userNamed = ref.ID, ref.Strength
	}
	if identity == nil {
		return
	}
	if o.identity != nil && o.identity != identity {
		x.stats.Identities.Conflict++
	}
	if o.identity == nil || ref.Strength > o.byUser {
		o.identity, o.byUser = identity, ref.Strength
	}
}

func (x *Enricher) recogniseDevice(ref *event.EntityRef) {
	var asset *AssetInfo
	if at, ok := x.t.assetNames[ref.Key]; ok {
		asset = &x.t.assets[at]
	}
	if ref.Object >= event.ObjectExtra {
		if asset != nil {
			ref.ID = asset.ID
		}
		return
	}
	o := x.object(ref.Object)
	o.role = ref.Role
	o.hasDevice = o.hasDevice || ref.Kind == event.EntityDevice
	o.hasRobot = o.hasRobot || ref.Kind == event.EntityRobot
	if o.device == "" || ref.Strength > o.named {
		o.device, o.named = ref.ID, ref.Strength
	}
	x.claim(o, asset, ref.Strength)
}

func (x *Enricher) recogniseMAC(ref *event.EntityRef) {
	asset := x.t.assetByMAC(ref.Key)
	if ref.Object >= event.ObjectExtra {
		return
	}
	o := x.object(ref.Object)
	o.role = ref.Role
	if o.mac == "" {
		o.mac = ref.Key
	}
	x.claim(o, asset, ref.Strength)
}

// claim lets a known key say what the object is, unless a stronger one has.
func (x *Enricher) claim(o *object, asset *AssetInfo, strength event.Strength) {
	if asset == nil {
		return
	}
	if o.asset != nil && o.asset != asset {
		x.stats.Assets.Conflict++
	}
	if o.asset == nil || strength > o.by {
		o.asset, o.by = asset, strength
	}
}

// distrust takes back what only a DHCP host name says where the hardware address says otherwise: any client can send any name.
func (x *Enricher) distrust() {
	for _, o := range x.spokenOf {
		if o.asset == nil || o.mac == "" || len(o.asset.MACs) == 0 {
			continue
		}
		if a := x.t.assetByMAC(o.mac); a != o.asset {
			o.asset = a
			x.stats.Assets.Conflict++
		}
	}
}

// name gives the references of every recognised object its canonical id. A key that the tables know is no longer ambiguous: weak becomes
// medium. A robot that the event calls a device, or the other way round, gets a reference of its own kind.
func (x *Enricher) name(e *event.Event, found int) {
	for i := range found {
		ref := &e.Entities[i]
		if ref.Kind == event.EntityResource {
			x.nameResource(e, i)
			continue
		}
		if ref.Object >= event.ObjectExtra {
			continue
		}
		o := &x.objects[ref.Object]
		switch {
		case ref.Kind == event.EntityUser && o.identity != nil:
			ref.ID = o.identity.ID
		case (ref.Kind == event.EntityDevice || ref.Kind == event.EntityRobot) && o.asset != nil:
			ref.ID = o.asset.ID
		case ref.Kind == event.EntityMAC && o.asset != nil && x.t.assetByMAC(ref.Key) == o.asset:
			ref.ID = o.asset.ID
			continue
		default:
			continue
		}
		if ref.Strength == event.Weak {
			ref.Strength = event.Medium
		}
	}
	for at, o := range x.spokenOf {
		x.countObject(o)
		if o.asset != nil && o.role < event.RoleReporter {
			x.addAsset(e, o, at, max(event.Medium, o.by))
		}
	}
}

func (x *Enricher) countObject(o *object) {
	switch {
	case o.asset != nil:
		x.stats.Assets.Hit++
	case o.device != "" || o.mac != "":
		x.stats.Assets.Miss++
	}
	switch {
	case o.identity != nil:
		x.stats.Identities.Hit++
	case o.userExists:
		x.stats.Identities.Miss++
	}
}

// nameResource adds a reference to the machine where the thing acted on (access to a robot through its fleet manager) is one we know.
func (x *Enricher) nameResource(e *event.Event, i int) {
	ref := e.Entities[i]
	if ref.Role != event.RoleTarget {
		return
	}
	if at, ok := x.t.assetNames[lower(ref.Key)]; ok {
		a := &x.t.assets[at]
		addRef(e, event.EntityRef{Kind: a.EntityKind(), Role: event.RoleTarget, Strength: event.Medium, Object: ref.Object, Key: bareID(a.ID), ID: a.ID})
	}
}

// addAsset adds a reference of the asset's own kind if the object has none.
func (x *Enricher) addAsset(e *event.Event, o *object, at uint8, strength event.Strength) {
	kind := o.asset.EntityKind()
	if kind == event.EntityRobot && o.hasRobot || kind == event.EntityDevice && o.hasDevice {
		return
	}
	addRef(e, event.EntityRef{Kind: kind, Role: o.role, Strength: strength, Object: at, Key: bareID(o.asset.ID), ID: o.asset.ID})
	o.hasRobot, o.hasDevice = o.hasRobot || kind == event.EntityRobot, o.hasDevice || kind == event.EntityDevice
}

// addRef adds a reference unless the same entity already has that role with a key as strong.
func addRef(e *event.Event, ref event.EntityRef) {
	for i := range e.Entities {
		y := &e.Entities[i]
		if y.Kind == ref.Kind && y.Role == ref.Role && y.ID == ref.ID && y.Strength >= ref.Strength {
			return
		}
	}
	e.Entities = append(e.Entities, ref)
}

// home is the object whose address another object is.
func home(object uint8) uint8 {
	switch object {
	case event.ObjectSourceIP:
		return event.ObjectSource
	case event.ObjectDestinationIP:
		return event.ObjectDestination
	case event.ObjectDeviceIP:
		return event.ObjectDevice
	case event.ObjectRobotIP:
		return event.ObjectRobot
	}
	return object
}

// parseIP reads the canonical text of an address; the zero Addr if it is none.
func parseIP(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	if a, ok := event.IPv4(s); ok {
		return netip.AddrFrom4(a)
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap()
}
