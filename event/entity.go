package event

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// EntityKind is what an entity is.
type EntityKind uint8

// The kinds of entity. Users, robots, devices, sessions and addresses join rules and incidents; the others are context to search for.
const (
	EntityNone EntityKind = iota
	EntityUser
	EntityRobot
	EntityDevice
	EntityIP
	EntitySession
	EntityMAC
	EntityHash
	EntityDomain
	EntityGroup
	EntityResource
)

var entityKindNames = [...]string{"", "user", "robot", "device", "ip", "session", "mac", "hash", "domain", "group", "resource"}

// String is the kind's name in rules, columns and output.
func (k EntityKind) String() string { return entityKindNames[min(int(k), len(entityKindNames)-1)] }

// EntityKindOf is the kind with that name; EntityNone if there is none.
func EntityKindOf(name string) EntityKind {
	return EntityKind(max(0, slices.Index(entityKindNames[:], name)))
}

// Role is the part an entity plays in an event.
type Role uint8

// The roles, in the order in which a rule's `bind: {user: user}` prefers them. A reporter, such as a sensor or a relay, never joins.
const (
	RoleNone Role = iota
	RoleActor
	RoleTarget
	RoleSubject
	RoleSource
	RoleDestination
	RoleReporter
	RoleContext
)

var roleNames = [...]string{"", "actor", "target", "subject", "source", "destination", "reporter", "context"}

// String is the role's name in rules, columns and output.
func (r Role) String() string { return roleNames[min(int(r), len(roleNames)-1)] }

// RoleOf is the role with that name; RoleNone if there is none.
func RoleOf(name string) Role { return Role(max(0, slices.Index(roleNames[:], name))) }

// Strength says how much sharing an entity means.
type Strength uint8

// The strengths: a strong key names one thing in the world, a medium one usually does, a weak one (a short host name, a bare user name, an
// address) only with something beside it, and context never joins.
const (
	Context Strength = iota
	Weak
	Medium
	Strong
)

var strengthNames = [...]string{"context", "weak", "medium", "strong"}

// String is the strength's name in columns and output.
func (s Strength) String() string { return strengthNames[min(int(s), len(strengthNames)-1)] }

// EntityRef is one identity an event names. References with the same Object speak of the same thing by different keys, and share an ID.
type EntityRef struct {
	Kind     EntityKind
	Role     Role
	Strength Strength
	Object   uint8  // Which object of the event it was found in.
	Key      string // The key in canonical form.
	ID       string // Canonical id, kind:key; enrichment replaces it by the inventory's or the identity file's.
}

// The objects of an event that carry entities; formats number further ones from ObjectExtra.
const (
	ObjectActor uint8 = iota + 1
	ObjectUser
	ObjectSource
	ObjectDestination
	ObjectDevice
	ObjectRobot
	ObjectSession
	ObjectActorSession
	ObjectReporter
	ObjectSourceIP
	ObjectDestinationIP
	ObjectDeviceIP
	ObjectRobotIP
	ObjectExtra
)

// AddEntity notes one more identity, given by a key as the source spells it. Placeholders and repeats are dropped. A format uses it for
// what the struct has no field for, such as the second address of a host.
func (e *Event) AddEntity(kind EntityKind, role Role, strength Strength, object uint8, key string) {
	if key != "" {
		e.addKey(kind, role, strength, object, e.canonical(kind, key))
	}
}

// canonical is CanonicalKey in the memory of an entity of the event, where one has the same key.
func (e *Event) canonical(kind EntityKind, s string) string {
	if !kind.caseless() || !asciiCapital(s) || len(s) > longestUsual {
		return CanonicalKey(kind, s)
	}
	s = strings.TrimSpace(s)
	if Placeholder(s) {
		return ""
	}
	var buf [longestUsual]byte
	return e.kept(appendLowerASCII(buf[:0], strings.TrimSuffix(s, ".")))
}

// longestUsual is the length in bytes of the longest keys that need no memory of their own while they are compared.
const longestUsual = 128

// kept is b as a string, that of an entity's key where one is equal.
func (e *Event) kept(b []byte) string {
	for i := range e.Entities {
		if k := e.Entities[i].Key; k == string(b) {
			return k
		}
	}
	return string(b)
}

// addKey is AddEntity for a key in canonical form.
func (e *Event) addKey(kind EntityKind, role Role, strength Strength, object uint8, key string) {
	if key == "" {
		return
	}
	for i := range e.Entities {
		x := &e.Entities[i]
		if x.Kind == kind && x.Key == key && (x.Role == role || x.Role == RoleReporter) {
			if x.Role == role {
				x.Strength = max(x.Strength, strength)
			}
			return // what a format has named as reporter never becomes anything else
		}
	}
	if e.Entities == nil {
		e.Entities = make([]EntityRef, 0, UsualEntities)
	}
	e.Entities = append(e.Entities, EntityRef{Kind: kind, Role: role, Strength: strength, Object: object, Key: key})
}

// UsualEntities is room for what an event names and what enrichment adds.
const UsualEntities = 8

// FindEntities fills Entities from the fields of e, in fixed order, and gives each object the id of its strongest key. It is called once
// per event, after decoding and before enrichment; calling it again adds nothing.
func (e *Event) FindEntities() {
	userRole := RoleTarget
	if e.Actor.User.empty() {
		userRole = RoleActor
	}
	e.addUser(&e.Actor.User, RoleActor, ObjectActor)
	e.addUser(&e.User, userRole, ObjectUser)
	e.addEndpoint(&e.SrcEndpoint, RoleSource, ObjectSource, ObjectSourceIP)
	e.addEndpoint(&e.DstEndpoint, RoleDestination, ObjectDestination, ObjectDestinationIP)
	e.addDevice(&e.Device)
	if e.Robot != nil {
		e.addRobot(e.Robot)
	}
	e.AddEntity(EntitySession, RoleSubject, Medium, ObjectSession, e.Session.UID)
	e.AddEntity(EntitySession, RoleActor, Medium, ObjectActorSession, e.Actor.Session.UID)
	if m := e.Metadata.More; m != nil {
		r := &m.Reporter
		e.AddEntity(EntityDevice, RoleReporter, Context, ObjectReporter, r.UID)
		e.AddEntity(EntityDevice, RoleReporter, Context, ObjectReporter, r.Hostname)
		e.AddEntity(EntityDevice, RoleReporter, Context, ObjectReporter, r.Name)
		e.AddEntity(EntityIP, RoleReporter, Context, ObjectReporter, r.IP)
	}
	e.addContext()
	e.NameObjects()
}

func (u *User) empty() bool { return u.UID == "" && u.Name == "" && u.Email == "" && u.FullName == "" }

func (e *Event) addUser(u *User, role Role, object uint8) {
	if u.empty() {
		return
	}
	e.AddEntity(EntityUser, role, Strong, object, u.UID)
	e.AddEntity(EntityUser, role, Medium, object, u.Email)
	strength := Weak
	if qualified(u.Name) {
		strength = Medium
	} else if u.Domain != "" && u.Name != "" {
		e.addKey(EntityUser, role, Medium, object, e.login(u.Domain, u.Name))
	}
	if sharedAccount(u.Name) {
		strength = Context
	}
	e.AddEntity(EntityUser, role, strength, object, u.Name)
}

// qualified reports whether a user name says where it is from: name@domain or DOMAIN\name.
func qualified(name string) bool {
	return strings.IndexByte(name, '\\') >= 0 || strings.IndexByte(name, '@') >= 0
}

// login is the canonical key of DOMAIN\name.
func (e *Event) login(domain, name string) string {
	var buf [longestUsual]byte
	if len(domain)+1+len(name) > len(buf) {
		return CanonicalKey(EntityUser, domain+`\`+name)
	}
	b := append(append(append(buf[:0], domain...), '\\'), name...)
	for _, c := range b {
		if c <= ' ' || c >= utf8.RuneSelf || b[0] == '9' { // Which may be white space at an end, other letters, or a placeholder.
			return CanonicalKey(EntityUser, string(b))
		}
	}
	return e.kept(lowerInPlace(bytes.TrimSuffix(b, []byte{'.'})))
}

// sharedAccount names accounts that many people and machines use, so that sharing one says nothing.
func sharedAccount(name string) bool {
	switch strings.ToLower(name) {
	case "admin", "administrator", "root", "system", "guest", "anonymous", "user", "operator", "service", "nobody", "local service", "network service",
		"anonymous logon":
		return true
	}
	return false
}

func (e *Event) addEndpoint(p *Endpoint, role Role, object, ipObject uint8) {
	e.AddEntity(EntityDevice, role, Medium, object, p.UID)
	e.AddEntity(EntityMAC, role, macStrength(p.MAC), object, p.MAC)
	e.addHost(p.Hostname, role, object)
	e.addHost(p.Name, role, object)
	e.AddEntity(EntityIP, role, Weak, ipObject, p.IP)
}

// addHost notes a host name: a full name is medium, a short one weak, and an address in its place is an address.
func (e *Event) addHost(name string, role Role, object uint8) {
	if name == "" {
		return
	}
	if isAddress(name) {
		return
	}
	strength := Weak
	if strings.IndexByte(strings.Trim(name, "."), '.') >= 0 {
		strength = Medium
	}
	e.AddEntity(EntityDevice, role, strength, object, name)
}

// isAddress reports whether s is an IP address. It asks the parser, whose errors cost memory, only where s may be one: the first of its
// separators is a dot behind digits, or a colon behind hexadecimal ones.
func isAddress(s string) bool {
	digits := true
	for i := range len(s) {
		switch c := s[i]; {
		case c-'0' <= 9:
		case c == ':' || c == '.' && digits:
			_, err := netip.ParseAddr(s)
			return err == nil
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			digits = false
		default:
			return false
		}
	}
	return false
}

func (e *Event) addDevice(d *Device) {
	e.AddEntity(EntityDevice, RoleSubject, Strong, ObjectDevice, d.UID)
	e.AddEntity(EntityDevice, RoleSubject, Strong, ObjectDevice, d.Serial)
	e.AddEntity(EntityMAC, RoleSubject, macStrength(d.MAC), ObjectDevice, d.MAC)
	e.addHost(d.Hostname, RoleSubject, ObjectDevice)
	e.addHost(d.Name, RoleSubject, ObjectDevice)
	e.AddEntity(EntityIP, RoleSubject, Weak, ObjectDeviceIP, d.IP)
	if m := d.More; m != nil {
		e.AddEntity(EntityDevice, RoleSubject, Strong, ObjectDevice, m.AgentUID)
		e.AddEntity(EntityDevice, RoleSubject, Strong, ObjectDevice, m.AltUID)
		e.AddEntity(EntityDevice, RoleSubject, Strong, ObjectDevice, m.UDID)
		e.AddEntity(EntityUser, RoleContext, Context, ObjectExtra, m.Owner)
	}
}

func (e *Event) addRobot(r *Robot) {
	strength := Medium
	if strings.Contains(r.UID, "/") {
		strength = Strong
	}
	e.AddEntity(EntityRobot, RoleSubject, strength, ObjectRobot, r.UID)
	e.AddEntity(EntityRobot, RoleSubject, Strong, ObjectRobot, r.Serial)
	e.AddEntity(EntityRobot, RoleSubject, Medium, ObjectRobot, r.Name)
	e.AddEntity(EntityRobot, RoleSubject, Medium, ObjectRobot, r.Hostname)
	e.AddEntity(EntityMAC, RoleSubject, macStrength(r.MAC), ObjectRobot, r.MAC)
	e.AddEntity(EntityIP, RoleSubject, Weak, ObjectRobotIP, r.IP)
}

func (e *Event) addContext() {
	if p := e.Process; p != nil {
		e.AddEntity(EntityHash, RoleContext, Context, ObjectExtra, p.SHA256)
		e.AddEntity(EntityHash, RoleContext, Context, ObjectExtra, p.MD5)
		e.AddEntity(EntityUser, RoleContext, Context, ObjectExtra, p.User)
	}
	if f := e.File; f != nil {
		e.AddEntity(EntityHash, RoleContext, Context, ObjectExtra, f.SHA256)
		e.AddEntity(EntityHash, RoleContext, Context, ObjectExtra, f.SHA1)
		e.AddEntity(EntityHash, RoleContext, Context, ObjectExtra, f.MD5)
	}
	if d := e.DNS; d != nil {
		e.AddEntity(EntityDomain, RoleContext, Context, ObjectExtra, d.Query.Hostname)
	}
	if h := e.HTTPRequest; h != nil {
		e.AddEntity(EntityDomain, RoleContext, Context, ObjectExtra, h.Host)
	}
	if t := e.TLS; t != nil {
		e.AddEntity(EntityDomain, RoleContext, Context, ObjectExtra, t.SNI)
	}
	if g := e.Group; g != nil {
		e.AddEntity(EntityGroup, RoleTarget, Context, ObjectExtra, g.UID)
		e.AddEntity(EntityGroup, RoleTarget, Context, ObjectExtra, g.Name)
	}
	if a := e.Access; a != nil {
		e.AddEntity(EntityResource, RoleTarget, Context, ObjectExtra, a.Resource.UID)
		e.AddEntity(EntityResource, RoleTarget, Context, ObjectExtra, a.Resource.Name)
	}
}

// NameObjects gives every reference without an id the id of its object's strongest key of the same kind: kind:key.
func (e *Event) NameObjects() {
	var best [2 * UsualEntities]string // The keys of the objects, as far as there is room: what is beyond is looked for again.
	size := 0
	for i := range e.Entities {
		if x := &e.Entities[i]; x.ID == "" {
			key := e.strongest(x).Key
			if i < len(best) {
				best[i] = key
			}
			size += len(entityKindNames[x.Kind]) + 1 + len(key)
		}
	}
	if size == 0 {
		return
	}
	var all strings.Builder // One allocation for the ids of an event.
	all.Grow(size)
	for i := range e.Entities {
		x := &e.Entities[i]
		if x.ID != "" {
			continue
		}
		start := all.Len()
		all.WriteString(entityKindNames[x.Kind])
		all.WriteByte(':')
		if i < len(best) {
			all.WriteString(best[i])
		} else {
			all.WriteString(e.strongest(x).Key)
		}
		x.ID = all.String()[start:]
	}
}

// strongest is the reference with the strongest key among those of the same kind to the same object.
func (e *Event) strongest(x *EntityRef) *EntityRef {
	best := x
	if x.Object >= ObjectExtra {
		return best
	}
	for j := range e.Entities {
		y := &e.Entities[j]
		if y.Object == x.Object && y.Kind == x.Kind && y.Strength > best.Strength {
			best = y
		}
	}
	return best
}

// PrimaryEntity is the canonical id a rule's `bind: {x: kind}` takes: of the entities of that kind that may join, the one whose role comes
// first; within a role the strongest. With a role, only that role counts. It is empty if there is none.
func (e *Event) PrimaryEntity(kind EntityKind, role Role) string {
	var best *EntityRef
	for i := range e.Entities {
		x := &e.Entities[i]
		if x.Kind != kind || x.Role >= RoleReporter || (role != RoleNone && x.Role != role) || x.Strength == Context && kind != EntityUser {
			continue
		}
		if best == nil || x.Role < best.Role || x.Role == best.Role && x.Strength > best.Strength {
			best = x
		}
	}
	if best == nil {
		return ""
	}
	return best.ID
}
