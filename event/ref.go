package event

import (
	"cmp"
	"encoding/binary"
	"math"
	"strings"
)

// RefOf is the part of e that is kept as evidence. It shares no memory with e: all its texts but the common ones are one piece of memory, for a
// ref lives for hours, beside many others, and is a few objects to the collector rather than a dozen.
func RefOf(e *Event) *Ref {
	s := newSentence()
	s.tell(e)
	summary := len(s.b)
	s.b = appendTie(s.b, e)
	sequence := len(s.b)
	b := append(s.b, e.Activity...)
	for i := range e.Entities {
		b = appendIdentity(b, e.Entities, i)
	}
	t := texts{all: string(b)}
	s.b = b
	s.done()
	r := &Ref{
		Event: e.Envelope.ID, Time: e.Time, Received: e.Envelope.Received, ClassUID: e.ClassUID, Activity: e.ActivityID,
		Severity: e.SeverityID, Status: e.StatusID, Future: e.Envelope.Quality&Future != 0, Domain: e.Domain(),
	}
	r.Summary, r.Sequence = t.next(summary), t.next(sequence-summary)
	r.ActivityName = t.next(len(e.Activity))
	r.Source, r.Format, r.Site = common.of(e.Envelope.Position.Source), common.of(e.Envelope.Format), common.of(e.Envelope.Site)
	r.Entities = make([]EntityRef, len(e.Entities))
	for i := range r.Entities {
		r.Entities[i] = e.Entities[i]
		t.identify(r.Entities, i)
	}
	return r
}

// appendIdentity adds the texts of a reference: its id, which those to the same object share, and its key, where that is not the id's end.
func appendIdentity(b []byte, list []EntityRef, i int) []byte {
	x := &list[i]
	if i == 0 || list[i-1].ID != x.ID {
		b = append(b, x.ID...)
	}
	if !strings.HasSuffix(x.ID, x.Key) {
		b = append(b, x.Key...)
	}
	return b
}

// texts are texts one after the other.
type texts struct{ all string }

// next takes the next text, of n bytes.
func (t *texts) next(n int) (s string) {
	s, t.all = t.all[:n], t.all[n:]
	return s
}

// identify gives a reference the texts that appendIdentity has added for an equal one.
func (t *texts) identify(list []EntityRef, i int) {
	x := &list[i]
	if i > 0 && list[i-1].ID == x.ID {
		x.ID = list[i-1].ID
	} else {
		x.ID = t.next(len(x.ID))
	}
	if strings.HasSuffix(x.ID, x.Key) {
		x.Key = x.ID[len(x.ID)-len(x.Key):]
	} else {
		x.Key = t.next(len(x.Key))
	}
}

// appendTie adds the tie key, which orders events of equal time: by source, then by the source's own sequence number, else by partition and offset,
// then by the place within the record. Numbers have fixed width, so that the order of the text is theirs.
func appendTie(b []byte, e *Event) []byte {
	p := &e.Envelope.Position
	b = append(append(b, p.Source...), '\x1f')
	if m := e.Metadata.More; m != nil && m.Sequence.Known && m.Sequence.V >= 0 {
		b = appendHex(b, uint64(m.Sequence.V), 16)
	} else {
		b = appendHex(appendHex(b, uint64(uint32(p.Partition)), 8), uint64(p.Offset), 16)
	}
	return appendHex(append(b, '\x1f'), uint64(e.Envelope.Index), 4)
}

// appendHex adds v in lower-case hexadecimal of that many digits: 4, 8 or 16.
func appendHex(b []byte, v uint64, digits int) []byte {
	switch digits {
	case 4:
		return binary.BigEndian.AppendUint32(b, uint32(hexOf(v&0xffff)))
	case 8:
		return binary.BigEndian.AppendUint64(b, hexOf(v&math.MaxUint32))
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, hexOf(v>>32)), hexOf(v&math.MaxUint32))
}

// hexOf gives the eight digits of a number of 32 bits in one word, the first in its highest byte.
func hexOf(v uint64) uint64 {
	const each = 0x0101010101010101
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = (v | v<<4) & (0x0f * each)
	letters := (v + 6*each) >> 4 & each
	return v + '0'*each + ('a'-'0'-10)*letters
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
