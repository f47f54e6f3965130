package event

import (
	"cmp"
	"strings"
)

// RefOf is the part of e that is kept as evidence. It shares no memory with e.
func RefOf(e *Event) *Ref {
	r := &Ref{
		Event: e.Envelope.ID, Time: e.Time, Received: e.Envelope.Received, Sequence: tieKey(e),
		ClassUID: e.ClassUID, Activity: e.ActivityID, ActivityName: strings.Clone(e.Activity), Severity: e.SeverityID, Status: e.StatusID,
		Future: e.Envelope.Quality&Future != 0, Domain: e.Domain(), Source: strings.Clone(e.Envelope.Position.Source), Format: strings.Clone(e.Envelope.Format), Site: strings.Clone(e.Envelope.Site),
		Summary: e.Summary(),
	}
	r.Entities = cloneEntities(e.Entities)
	return r
}

// cloneEntities copies references and their text, the text in one piece.
func cloneEntities(from []EntityRef) []EntityRef {
	out := make([]EntityRef, len(from))
	size := 0
	for i := range from {
		size += len(from[i].Key) + len(from[i].ID)
	}
	var all strings.Builder
	all.Grow(size)
	keep := func(s string) string {
		start := all.Len()
		all.WriteString(s)
		return all.String()[start:]
	}
	for i, x := range from {
		x.Key, x.ID = keep(x.Key), keep(x.ID)
		out[i] = x
	}
	return out
}

// tieKey orders events of equal time: by source, then by the source's own sequence number, else by partition and offset, then by the place
// within the record. Numbers have fixed width, so that the order of the text is theirs.
func tieKey(e *Event) string {
	p := &e.Envelope.Position
	if m := e.Metadata.More; m != nil && m.Sequence.Known && m.Sequence.V >= 0 {
		return tie(p.Source, "", uint64(m.Sequence.V), e.Envelope.Index)
	}
	var partition [8]byte
	return tie(p.Source, string(appendHex(partition[:0], uint64(uint32(p.Partition)), 8)), uint64(p.Offset), e.Envelope.Index)
}

func tie(source, partition string, number uint64, index uint16) string {
	b := append(make([]byte, 0, 96), source...)
	b = append(append(b, '\x1f'), partition...)
	b = append(appendHex(b, number, 16), '\x1f')
	return string(appendHex(b, uint64(index), 4))
}

// appendHex adds v in lower-case hexadecimal of that many digits.
func appendHex(b []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, "0123456789abcdef"[v>>(4*i)&15])
	}
	return b
}

// The domains of security that Tocsin correlates across.
const (
	DomainIdentity   = "identity"
	DomainAccess     = "network_access"
	DomainEndpoint   = "endpoint"
	DomainManagement = "device_management"
	DomainNetwork    = "network"
	DomainOT         = "ot"
	DomainRobot      = "robot"
	DomainChange     = "change"
)

// formatDomains are the domains of formats that speak of one domain only.
var formatDomains = map[string]string{
	"okta": DomainIdentity, "entra": DomainIdentity, "cloudtrail": DomainIdentity,
	"cisco_ise": DomainAccess, "freeradius": DomainAccess, "dhcpd": DomainAccess,
	"crowdstrike": DomainEndpoint, "windows": DomainEndpoint, "intune": DomainManagement,
	"suricata": DomainNetwork, "zeek": DomainNetwork,
	"nozomi_cef": DomainOT, "vda5050": DomainRobot, "universal_robots": DomainRobot, "ros2": DomainRobot, "bluez": DomainRobot,
	"change_ticket": DomainChange,
}

// classDomains are the domains of classes where the format does not decide.
var classDomains = map[uint32]string{
	ClassRobotControl: DomainRobot, ClassRobotState: DomainRobot, ClassOTCommand: DomainOT, ClassChangeTicket: DomainChange,
	ClassAuthentication: DomainIdentity, ClassAccountChange: DomainIdentity, ClassAuthorizeSession: DomainIdentity, ClassEntityManagement: DomainIdentity,
	ClassUserAccess: DomainIdentity, ClassGroupManagement: DomainIdentity,
	ClassNetwork: DomainNetwork, ClassHTTP: DomainNetwork, ClassDNS: DomainNetwork, ClassSSH: DomainNetwork, ClassDHCP: DomainAccess,
	ClassInventory: DomainManagement, ClassDeviceConfigChange: DomainManagement, ClassCompliance: DomainManagement,
}

// Domain is the domain of security the event belongs to: that of the robot and OT classes, else that of its format, else robot where it is
// about one, else that of its class.
func (e *Event) Domain() string {
	switch e.ClassUID {
	case ClassRobotControl, ClassRobotState, ClassOTCommand, ClassChangeTicket:
		return classDomains[e.ClassUID]
	}
	if d, ok := formatDomains[e.Envelope.Format]; ok {
		return d
	}
	if e.Robot != nil {
		return DomainRobot
	}
	return cmp.Or(classDomains[e.ClassUID], DomainEndpoint)
}
