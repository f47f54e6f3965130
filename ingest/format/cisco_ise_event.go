package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// setEnds fills the ends and the account. The station that wants in is the source; the network device that asks for it reports, and is
// never an end: its address must not be bound to the station's hardware address.
func (a *iseAttributes) setEnds(e *event.Event, p *iseHeader) {
	r := &e.Metadata.Extend().Reporter
	r.Name, r.IP = a.deviceName, plainIP(a.deviceIP)
	if r.IP == "" {
		r.IP = plainIP(a.nasIP)
	} else if nas := plainIP(a.nasIP); nas != r.IP {
		e.AddEntity(event.EntityIP, event.RoleReporter, event.Context, event.ObjectReporter, nas)
	}
	e.DstEndpoint.IP, e.DstEndpoint.Port = plainIP(a.destinationIP), portText(a.destinationPort)
	if r.Name == "" && r.IP == "" {
		setReporterHost(e, p.host)
	} else if e.DstEndpoint.IP != "" {
		setHost(&e.DstEndpoint, strings.ToLower(p.host))
		e.DstEndpoint.IP = plainIP(a.destinationIP)
		// The policy node stands in every sign-in of the site: it is an end here, but it joins nothing.
		e.AddEntity(event.EntityDevice, event.RoleReporter, event.Context, event.ObjectReporter, e.DstEndpoint.Hostname)
		e.AddEntity(event.EntityIP, event.RoleReporter, event.Context, event.ObjectReporter, e.DstEndpoint.IP)
	}
	a.setStation(e)
	a.setUser(e)
	if gateway := plainIP(a.called); gateway != "" {
		// The address a VPN client connected to; the RADIUS server behind it is not what it sees.
		e.AddEntity(event.EntityIP, event.RoleReporter, event.Context, event.ObjectReporter, a.destinationIP)
		e.DstEndpoint = event.Endpoint{IP: gateway}
	} else if mac, ok := kv.MAC(a.called); ok && e.DstEndpoint.IP == "" {
		e.DstEndpoint.MAC = mac
	}
}

// setStation fills source and device from whatever names the station.
func (a *iseAttributes) setStation(e *event.Event) {
	for _, s := range [...]string{a.endpointMAC, a.calling, a.chaddr, a.userName, a.radiusUser, a.responseUser, a.mdmMAC} {
		if mac, ok := kv.MAC(s); ok && !kv.NoMAC(mac) {
			e.SrcEndpoint.MAC, e.Device.MAC = mac, mac
			break
		}
	}
	for _, s := range [...]string{a.calling, a.framedIP, a.framedIPv6, a.endpointIP} {
		if ip := plainIP(s); ip != "" && ip != "0.0.0.0" {
			e.SrcEndpoint.IP, e.Device.IP = ip, ip
			break
		}
	}
	if inner := plainIP(a.framedIP); inner != "" && inner != e.Device.IP {
		// A VPN client has the address it came from and the one it was given.
		e.Device.IP = inner
	}
	host := a.hostName
	if host == "" {
		host = a.fqdn
	}
	if host != "" && plainIP(host) == "" {
		e.Device.Hostname = strings.ToLower(host)
		e.SrcEndpoint.Hostname = e.Device.Hostname
	}
	if a.fqdn != "" && a.fqdn != host {
		e.AddEntity(event.EntityDevice, event.RoleSubject, event.Medium, event.ObjectDevice, a.fqdn)
	}
	if port := a.nasPortID; port != "" {
		e.SrcEndpoint.Extend().Interface = port
	} else if a.nasPort != "" {
		e.SrcEndpoint.Extend().Interface = a.nasPort
	}
	e.SrcEndpoint.VLAN, e.Device.VLAN = a.vlan, a.vlan
	os := a.os
	if os == "" {
		os = a.mdmOS
	}
	if os != "" {
		e.Device.Extend().OS = os
	}
	if a.profile != "" {
		e.Device.Type = a.profile
		e.Device.TypeID = 99
	}
	switch a.posture {
	case "Compliant":
		e.Device.Compliant = event.True
	case "NonCompliant", "Non-Compliant":
		e.Device.Compliant = event.False
	}
}

// setUser takes the account that the message is about.
func (a *iseAttributes) setUser(e *event.Event) {
	for _, s := range [...]string{a.userName, a.radiusUser, a.user, a.adminName, a.original, a.subject, a.responseUser} {
		if s == "" {
			continue
		}
		setLogin(&e.User, s)
		if mac, ok := kv.MAC(s); ok && len(s) <= 17 {
			// MAC authentication bypass: the account is the station itself.
			e.User.Name, e.User.TypeID = mac, userSystem
		} else if strings.HasPrefix(s, "host/") || strings.HasSuffix(s, "$") {
			e.User.TypeID = userSystem
			if e.Device.Hostname == "" {
				e.Device.Hostname = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(s, "host/"), "$"))
			}
		}
		return
	}
}

// setClass decides what kind of event a message is, and fills what that kind has.
func (a *iseAttributes) setClass(e *event.Event, rec *event.Record, p *iseHeader) {
	kind := iseKindOf(p)
	if kind == iseUnknown {
		kind = a.kindOf(p)
	}
	switch kind {
	case isePassed, iseFailed, isePartOfLogon:
		if strings.EqualFold(a.protocol, "Tacacs") {
			a.administered(e, p)
		}
		a.logon(e, kind)
	case iseAccounting:
		a.accounting(e)
	case iseDeviceAccounting, iseCommand:
		a.deviceCommand(e, rec, p)
	case iseAdminLogin:
		a.adminLogin(e, p)
	case iseConfiguration:
		a.configuration(e, p)
	case isePassword:
		e.ClassUID, e.ActivityID = event.ClassAccountChange, 3
		a.outcome(e, p)
	case iseGuest:
		a.guest(e, p)
	case iseCoA:
		a.authorizationChange(e, p)
	case isePosture:
		a.postureReport(e, p)
	case iseProfiler:
		e.ClassUID, e.ActivityID = event.ClassInventory, 2
		a.setPolicy(e, a.profile, a.policyID)
		a.actingUser(e)
	case isePeer:
		a.peer(e, p)
	case iseProcess:
		e.ClassUID, e.ActivityID = event.ClassAppLifecycle, iseProcessActivity(p.text)
		e.App = &event.Product{Name: "Cisco ISE", Vendor: "Cisco"}
		e.StatusID = statusSuccess
		a.actingUser(e)
	default:
		a.base(e, p)
	}
	if e.StatusDetail == "" {
		e.StatusDetail = a.operation
	}
}

// actingUser makes the account the actor, for classes that have no user of their own.
func (a *iseAttributes) actingUser(e *event.Event) {
	e.Actor.User, e.User = e.User, event.User{}
	e.Actor.Session.UID = a.sessionID()
}

func (a *iseAttributes) sessionID() string {
	if id := firstKnown(a.cpmSession, a.audit); id != "" {
		return id
	}
	return accountingSession(firstKnown(a.deviceIP, a.nasIP), a.acctSession)
}

// accountingSession makes an Acct-Session-Id, which is unique to one access server only (RFC 2866 section 5.5), unique.
func accountingSession(nas, id string) string {
	if id == "" || kv.Placeholder(id) {
		return ""
	}
	return nas + "/" + id
}

func (a *iseAttributes) setPolicy(e *event.Event, name, uid string) {
	if name != "" || uid != "" {
		e.Policy = &event.Policy{Name: name, UID: uid}
	}
}

// logon is a verdict on an account or a station.
func (a *iseAttributes) logon(e *event.Event, kind iseKind) {
	e.ClassUID, e.ActivityID = event.ClassAuthentication, authLogon
	e.LogonTypeID = 3
	switch {
	case kind == isePassed, a.authStatus == "AuthenticationPassed":
		e.StatusID, e.ActionID = statusSuccess, 1
		e.StatusDetail = a.profiles
	case kind == iseFailed, a.failure != "", a.packetType == "AccessReject":
		e.StatusID, e.ActionID = statusFailure, 2
		e.StatusDetail = a.failure
		e.StatusCode = a.failure[:leadingDigits(a.failure)]
	}
	rule := a.authzRule
	if rule == "" {
		rule = a.identityRule
	} else if a.identityRule != "" {
		e.Unmapped = append(e.Unmapped, event.Attribute{Key: "IdentityPolicyMatchedRule", Value: a.identityRule})
	}
	a.setPolicy(e, rule, a.policySet)
	if lowerContains(a.profiles, "quarantine") {
		e.DispositionID = 3
	}
	e.Session.UID = a.sessionID()
	a.setProtocol(e)
	e.Service.Name = a.service
	if e.Service.Name == "" {
		e.Service.Name = e.AppProtocol
	}
}

// setProtocol names how the account was checked.
func (a *iseAttributes) setProtocol(e *event.Event) {
	e.AppProtocol = "radius"
	if a.protocol != "" && !strings.EqualFold(a.protocol, "radius") {
		e.AppProtocol = strings.ToLower(a.protocol)
	}
	e.AuthProtocolID = 10
	switch {
	case e.AppProtocol == "tacacs":
		e.AuthProtocolID, e.AuthProtocol = 99, "TACACS+"
	case a.eap != "" || a.eapTunnel != "":
		e.AuthProtocolID, e.AuthProtocol = 9, a.eap
		if a.eap == "" {
			e.AuthProtocol = a.eapTunnel
		}
	case strings.HasPrefix(a.method, "PAP"):
		e.AuthProtocolID = 7
	case strings.HasPrefix(a.method, "CHAP"):
		e.AuthProtocolID = 8
	case a.method == "Lookup" || a.method == "mab":
		e.AuthProtocol = "MAB"
	case a.method == "MSCHAPV2" || a.method == "dot1x":
		e.AuthProtocolID, e.AuthProtocol = 9, a.method
	}
}

// accounting is the beginning, course and end of a session (RFC 2866), as traffic of the station.
func (a *iseAttributes) accounting(e *event.Event) {
	a.actingUser(e)
	e.AppProtocol, e.StatusID = "radius", statusSuccess
	e.StatusDetail = a.cause
	if !knownEndpoint(&e.SrcEndpoint) && !knownEndpoint(&e.DstEndpoint) {
		e.ClassUID, e.StatusID = event.ClassBase, 0
		return
	}
	e.ClassUID = event.ClassNetwork
	switch a.acctStatus {
	case "Start":
		e.ActivityID = netOpen
	case "Stop":
		e.ActivityID = netClose
	default:
		e.ActivityID = 6
	}
	if a.service != "" {
		e.Policy = &event.Policy{Name: a.service}
	}
	// Input is what came from the station (RFC 2866 section 5.3).
	out, in := octets(a.in, a.inGiga), octets(a.out, a.outGiga)
	if out.Known || in.Known {
		e.Traffic = &event.Traffic{
			BytesOut: out, BytesIn: in, Bytes: event.IntOf(out.V + in.V),
			PacketsOut: octets(a.inPackets, ""), PacketsIn: octets(a.outPackets, ""),
		}
	}
	if seconds, err := strconv.ParseInt(a.seconds, 10, 32); err == nil && e.Time != 0 {
		e.StartTime, e.EndTime = e.Time-seconds*1e6, e.Time
	}
}

// lowerContains is strings.Contains without regard to case; sub is in lower case and begins with a letter.
func lowerContains(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i]|0x20 == sub[0] && strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}
