package event

import (
	"cmp"
	"fmt"
	"strings"
)

// RefOf is the part of e that is kept as evidence. It shares no memory with e.
func RefOf(e *Event) *Ref {
	r := &Ref{
		Event: e.Envelope.ID, Time: e.Time, Received: e.Envelope.Received, Sequence: tieKey(e),
		ClassUID: e.ClassUID, Activity: e.ActivityID, ActivityName: strings.Clone(e.Activity), Severity: e.SeverityID, Status: e.StatusID,
		Future: e.Envelope.Quality&Future != 0, Domain: e.Domain(), Source: strings.Clone(e.Envelope.Position.Source), Format: strings.Clone(e.Envelope.Format),
		Summary: e.Summary(),
	}
	r.Entities = make([]EntityRef, len(e.Entities))
	for i, x := range e.Entities {
		x.Key, x.ID = strings.Clone(x.Key), strings.Clone(x.ID)
		r.Entities[i] = x
	}
	return r
}

// tieKey orders events of equal time: by source, then by the source's own sequence number, else by partition and offset, then by the place
// within the record. Numbers have fixed width, so that the order of the text is theirs.
func tieKey(e *Event) string {
	p := &e.Envelope.Position
	if m := e.Metadata.More; m != nil && m.Sequence.Known && m.Sequence.V >= 0 {
		return fmt.Sprintf("%s\x1f%016x\x1f%04x", p.Source, m.Sequence.V, e.Envelope.Index)
	}
	return fmt.Sprintf("%s\x1f%08x%016x\x1f%04x", p.Source, uint32(p.Partition), uint64(p.Offset), e.Envelope.Index)
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
	"okta": DomainIdentity, "entra": DomainIdentity,
	"cisco_ise": DomainAccess, "freeradius": DomainAccess, "dhcpd": DomainAccess,
	"crowdstrike": DomainEndpoint, "intune": DomainManagement,
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
