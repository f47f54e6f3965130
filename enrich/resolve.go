package enrich

import (
	"net/netip"

	"github.com/tocsin-siem/tocsin/event"
)

// owner is what is known about an address or hardware address at one instant.
type owner struct {
	asset *AssetInfo
	id    string // Canonical id of the device or robot; that of the asset if there is one.
	mac   string // Hardware address behind an IP address.
	user  string // Canonical id of the user.
}

// resolve names the machine and, weakly, the person behind every address of the first found entities.
func (x *Enricher) resolve(e *event.Event, found int) {
	for i := range found {
		ref := e.Entities[i]
		if ref.Role >= event.RoleReporter {
			continue
		}
		switch ref.Kind {
		case event.EntityIP:
			x.resolveIP(e, &ref)
		case event.EntityMAC:
			x.resolveMAC(e, &ref)
		}
	}
}

func (x *Enricher) resolveIP(e *event.Event, ref *event.EntityRef) {
	ip := parseIP(ref.Key)
	if !x.t.bindable(ip) {
		x.stats.Addresses.Skipped++
		return
	}
	w := x.behindIP(ip, ref.Key, e.Time)
	if w.id == "" {
		x.stats.Addresses.Miss++
	} else {
		x.stats.Addresses.Hit++
	}
	x.adopt(e, ref, w)
}

func (x *Enricher) resolveMAC(e *event.Event, ref *event.EntityRef) {
	if ref.Object >= event.ObjectExtra || x.objects[ref.Object].asset != nil {
		return
	}
	x.adopt(e, ref, x.behindMAC(ref.Key, e.Time))
}

// behindIP weighs what was learned about the address: the hardware address behind it and its device against the device itself, by
// confidence. Only where nothing was learned the inventory's fixed addresses count.
func (x *Enricher) behindIP(ip netip.Addr, key string, at int64) owner {
	device := x.bindings.find(IPToDevice, key, at)
	hardware := x.bindings.find(IPToMAC, key, at)
	var w owner
	if hardware != nil {
		w = x.behindMAC(bareID(hardware.entity), at)
		w.mac = bareID(hardware.entity)
	}
	if device != nil && (w.id == "" || device.source > hardware.source) {
		w.asset, w.id = x.device(device.entity)
	}
	if w.id == "" {
		if a := x.t.assetByIP(ip); a != nil {
			if hardware != nil && len(a.MACs) > 0 {
				x.stats.Addresses.Conflict++ // Somebody else's hardware uses the asset's address.
			} else {
				w.asset, w.id = a, a.ID
			}
		}
	}
	if y := x.bindings.find(IPToUser, key, at); y != nil {
		w.user = y.entity
	} else if w.user == "" && w.id != "" {
		w.user = x.userOf(w.id, at)
	}
	w.user = x.person(w.user)
	return w
}

func (x *Enricher) behindMAC(mac string, at int64) owner {
	var w owner
	if a := x.t.assetByMAC(mac); a != nil {
		w.asset, w.id = a, a.ID
	} else if y := x.bindings.find(MACToDevice, mac, at); y != nil {
		w.asset, w.id = x.device(y.entity)
	}
	if y := x.bindings.find(MACToUser, mac, at); y != nil {
		w.user = x.person(y.entity)
	} else if w.id != "" {
		w.user = x.person(x.userOf(w.id, at))
	}
	return w
}

func (x *Enricher) userOf(device string, at int64) string {
	user, _ := x.bindings.Resolve(DeviceToUser, device, at)
	return user
}

// device is the present canonical id of a device that was learned under another: the inventory may have changed since.
func (x *Enricher) device(id string) (*AssetInfo, string) {
	if a := x.t.asset(id); a != nil {
		return a, a.ID
	}
	return nil, id
}

func (x *Enricher) person(id string) string {
	if id == "" {
		return ""
	}
	if i := x.t.identity(id); i != nil {
		return i.ID
	}
	return id
}

// adopt adds what stands behind an address to the object whose address it is. What the event itself says by a medium or strong key, or a key
// the inventory knows, is never overruled.
func (x *Enricher) adopt(e *event.Event, ref *event.EntityRef, w owner) {
	var other object // A further address belongs to no object we keep.
	at, o := home(ref.Object), &other
	if at < event.ObjectExtra {
		o = x.object(at)
	}
	o.role = ref.Role
	switch {
	case o.asset != nil || o.named >= event.Medium:
		if w.id != "" && w.id != objectID(o) {
			x.stats.Addresses.Conflict++
		}
	case w.id != "":
		x.adoptDevice(e, o, at, w)
	case w.mac != "" && o.mac == "":
		addRef(e, event.EntityRef{Kind: event.EntityMAC, Role: ref.Role, Strength: hardwareStrength(w.mac), Object: at, Key: w.mac, ID: "mac:" + w.mac})
	}
	if w.user != "" {
		x.adoptUser(e, at, ref.Role, w.user)
	}
}

func objectID(o *object) string {
	if o.asset != nil {
		return o.asset.ID
	}
	return o.device
}

// adoptDevice gives the object the machine's id: its weak names now share it.
func (x *Enricher) adoptDevice(e *event.Event, o *object, at uint8, w owner) {
	for i := range e.Entities {
		y := &e.Entities[i]
		if y.Object == at && at < event.ObjectExtra && (y.Kind == event.EntityDevice || y.Kind == event.EntityRobot) {
			y.ID = w.id
		}
	}
	kind := event.EntityDevice
	if len(w.id) > 6 && w.id[:6] == "robot:" {
		kind = event.EntityRobot
	}
	addRef(e, event.EntityRef{Kind: kind, Role: o.role, Strength: event.Medium, Object: at, Key: bareID(w.id), ID: w.id})
	o.asset, o.device, o.named = w.asset, w.id, event.Medium
}

// adoptUser adds the person as a weak reference, unless the event already names them.
func (x *Enricher) adoptUser(e *event.Event, at uint8, role event.Role, user string) {
	for i := range e.Entities {
		if e.Entities[i].Kind == event.EntityUser && e.Entities[i].ID == user {
			return
		}
	}
	e.Entities = append(e.Entities, event.EntityRef{Kind: event.EntityUser, Role: role, Strength: event.Weak, Object: at, Key: bareID(user), ID: user})
}

// hardwareStrength is weak for a locally administered address, which is often random, and medium for a burnt-in one.
func hardwareStrength(mac string) event.Strength {
	switch mac[1] {
	case '2', '3', '6', '7', 'a', 'b', 'e', 'f':
		return event.Weak
	}
	return event.Medium
}
