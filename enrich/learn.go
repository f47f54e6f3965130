package enrich

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// OCSF activities, protocols and statuses that bindings are learned from.
const (
	dhcpDecline = 4
	dhcpAck     = 5
	dhcpRelease = 7
	dhcpExpire  = 9

	authLogon  = 1
	authLogoff = 2

	protocolEAP    = 9
	protocolRADIUS = 10

	statusSuccess = 1
	statusFailure = 2
)

// client is the machine an event introduces: its address, hardware address, name and user, as far as the event says.
type client struct {
	ip, mac, device, user, session string
}

// learn takes bindings from the classes that state them. It runs before addresses are resolved, so that an event profits from itself.
func (x *Enricher) learn(e *event.Event) {
	switch e.ClassUID {
	case event.ClassDHCP:
		x.learnDHCP(e)
	case event.ClassAuthentication:
		if admission(e) {
			x.learnAdmission(e)
		}
	case event.ClassInventory, event.ClassDeviceConfigChange:
		x.learnManaged(e)
	}
}

func (x *Enricher) learnDHCP(e *event.Event) {
	c := x.client(event.ObjectSource, event.ObjectDevice)
	if c.mac == "" {
		c = x.client(event.ObjectDestination, event.ObjectDestination)
	}
	if c.ip == "" || c.mac == "" {
		return
	}
	switch e.ActivityID {
	case dhcpDecline, dhcpRelease, dhcpExpire:
		x.bindings.Stop(IPToMAC, c.ip, "mac:"+c.mac, "", e.Time, SourceDHCP)
	case dhcpAck:
		x.bind(c, e.Time, e.Time+int64(e.LeaseDur)*1_000_000, SourceDHCP)
	case 0, event.ActivityOther:
		if e.LeaseDur > 0 { // A lease file's entry.
			x.bind(c, e.Time, e.Time+int64(e.LeaseDur)*1_000_000, SourceDHCP)
		}
	}
}

// learnAdmission takes NAC authentications and RADIUS accounting.
func (x *Enricher) learnAdmission(e *event.Event) {
	c := x.client(event.ObjectDevice, event.ObjectSource)
	c.user, c.session = x.userNamed(), e.Session.UID
	stop, accounts := accounting(e)
	source := SourceNAC
	if accounts {
		source = SourceRADIUS
	}
	switch {
	case e.ActivityID == authLogoff || stop:
		x.release(c, e.Time, source)
	case e.StatusID == statusFailure:
	case accounts || e.ActivityID == authLogon && e.StatusID == statusSuccess:
		x.bind(c, e.Time, e.Time, source)
	}
}

// learnManaged takes what an MDM or EDR agent reports about its own device, as of when the agent was heard.
func (x *Enricher) learnManaged(e *event.Event) {
	c := x.client(event.ObjectDevice, event.ObjectDevice)
	source := SourceNAC
	m := e.Device.More
	if e.Device.UID != "" || e.Device.Serial != "" || m != nil && (m.AgentUID != "" || m.UDID != "") {
		source = SourceMDM
		c.device = x.deviceNamed(event.ObjectDevice, "", source)
	}
	user := x.userNamed()
	if m != nil && m.Owner != "" {
		if key := event.CanonicalKey(event.EntityUser, m.Owner); key != "" {
			user = "user:" + key
		}
	}
	at := e.Time
	if e.Device.LastSeen > 0 && e.Device.LastSeen < at {
		at = e.Device.LastSeen
	}
	x.bind(c, at, at, source)
	if c.device != "" && source == SourceMDM {
		x.observe(DeviceToUser, c.device, x.person(user), "", at, at, source)
	}
}

// bind observes everything the client ties together; until at or before from means the source's default age.
func (x *Enricher) bind(c client, from, until int64, source Source) {
	if c.ip != "" && x.t.bindable(parseIP(c.ip)) {
		if c.mac != "" {
			x.observe(IPToMAC, c.ip, "mac:"+c.mac, c.session, from, until, source)
		} else {
			x.observe(IPToDevice, c.ip, c.device, c.session, from, until, source)
		}
		x.observe(IPToUser, c.ip, c.user, c.session, from, until, source)
	}
	if c.mac != "" {
		x.observe(MACToDevice, c.mac, c.device, "", from, from, source)
		x.observe(MACToUser, c.mac, c.user, c.session, from, until, source)
	}
}

func (x *Enricher) observe(r Relation, identifier, entity, session string, from, until int64, source Source) {
	if entity == "" {
		return
	}
	if until <= from {
		until = 0
	}
	x.bindings.Add(Binding{Relation: r, Identifier: identifier, Entity: entity, Session: session, From: from, To: until, Source: source})
}

// release ends what a session tied together.
func (x *Enricher) release(c client, at int64, source Source) {
	if c.ip != "" {
		if c.mac != "" {
			x.bindings.Stop(IPToMAC, c.ip, "mac:"+c.mac, c.session, at, source)
		} else {
			x.bindings.Stop(IPToDevice, c.ip, c.device, c.session, at, source)
		}
		x.bindings.Stop(IPToUser, c.ip, c.user, c.session, at, source)
	}
	if c.mac != "" {
		x.bindings.Stop(MACToUser, c.mac, c.user, c.session, at, source)
	}
}

// client puts together what two objects say about the same machine, the first one first.
func (x *Enricher) client(first, second uint8) client {
	a, b := &x.objects[first], &x.objects[second]
	c := client{ip: a.ip, mac: a.mac}
	if c.ip == "" {
		c.ip = b.ip
	}
	if c.mac == "" {
		c.mac = b.mac
	}
	if c.device = x.deviceNamed(first, c.mac, SourceNAC); c.device == "" {
		c.device = x.deviceNamed(second, c.mac, SourceNAC)
	}
	return c
}

// deviceNamed is the id of the machine an object names by a key that names one: short host names unknown to the inventory are shared by
// too many. A client chooses the host name it sends: it cannot claim the name of an asset whose hardware addresses we know and which are others.
func (x *Enricher) deviceNamed(at uint8, mac string, source Source) string {
	o := &x.objects[at]
	if o.asset == nil {
		if o.named < event.Medium || x.t.asset(o.device) != nil {
			return ""
		}
		return o.device
	}
	if source != SourceMDM && mac != "" && len(o.asset.MACs) > 0 && x.t.assetByMAC(mac) != o.asset {
		return ""
	}
	return o.asset.ID
}

// userNamed is the id of the person an event names; machine accounts, hardware addresses used as names and shared accounts are none.
func (x *Enricher) userNamed() string {
	for _, at := range [...]uint8{event.ObjectUser, event.ObjectActor} {
		o := &x.objects[at]
		if o.identity != nil {
			return o.identity.ID
		}
		name := bareID(o.user)
		if name == "" || o.userNamed == event.Context || strings.HasPrefix(name, "host/") || strings.HasSuffix(name, "$") {
			continue
		}
		if _, isMAC := event.MAC(name); isMAC {
			continue
		}
		return o.user
	}
	return ""
}

// admission reports whether an authentication let a machine onto the network.
func admission(e *event.Event) bool {
	if e.AuthProtocolID == protocolEAP || e.AuthProtocolID == protocolRADIUS {
		return true
	}
	p := lower(e.AuthProtocol)
	return p != "" && (strings.Contains(p, "eap") || strings.Contains(p, "radius") || strings.HasPrefix(p, "mab") || strings.Contains(p, "802.1x"))
}

// accounting reports whether an event is a RADIUS accounting record (RFC 2866, Acct-Status-Type) and whether it ends the session. The
// numbers are those of Cisco's message catalogue.
func accounting(e *event.Event) (stop, ok bool) {
	for _, s := range [...]string{e.Metadata.LogName, e.Metadata.EventCode, e.Activity} {
		s = lower(s)
		ok = ok || strings.Contains(s, "acct") || strings.Contains(s, "accounting") || s == "start" || s == "stop" || s == "alive" || strings.Contains(s, "interim")
		stop = stop || strings.Contains(s, "stop") || s == "3001"
	}
	return ok && stop, ok
}
