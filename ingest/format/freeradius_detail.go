package format

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// isRADIUSDetail tells a block of a detail file: a date line, then indented "Name = value" lines.
func isRADIUSDetail(s string) bool {
	i := strings.IndexByte(s, '\n')
	if i < 0 || i+2 > len(s) || s[i+1] != '\t' && s[i+1] != ' ' {
		return s != "" && s[0] == '\t' && strings.Contains(s, " = ")
	}
	return strings.Contains(s[i:], " = ")
}

// radiusPacket holds the attributes of one RADIUS packet that matter (RFC 2865, 2866, 2869, 3162, 3580, 5176). Names are FreeRADIUS's.
type radiusPacket struct {
	kind, user, calling, called              string
	nasIP, nasID, nasPort, nasPortID, client string
	framedIP, framedIPv6                     string
	acctStatus, acctSession, acctUnique      string
	cause, vlan, filter, reply, eap, module  string
	in, out, inPackets, outPackets           string
	inGiga, outGiga, seconds                 string
	timestamp, stamp                         string
	secrets                                  [][]byte // Where the record holds them.
}

func (p *radiusPacket) read(text string) {
	for key, value := range kv.Radius(text) {
		if key == "" || value == "" {
			continue
		}
		if dst := p.field(key); dst != nil {
			if *dst == "" {
				*dst = value
			}
		} else if radiusSecret(key) && p.secrets == nil {
			p.findSecrets(text)
		}
	}
}

// unmappedRADIUS lists the attributes of a detail block that decoding does not read, each once.
func unmappedRADIUS(rec *event.Record) []string {
	text := textOf(rec.Value)
	if !isRADIUSDetail(text) {
		return nil
	}
	var p radiusPacket
	var keys []string
	for key := range kv.Radius(text) {
		if p.field(key) == nil && !radiusSecret(key) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// findSecrets notes where the record spells the values of attributes that hold credentials.
func (p *radiusPacket) findSecrets(text string) {
	for line := range strings.Lines(text) {
		key, value, found := strings.Cut(line, "=")
		if found && radiusSecret(strings.TrimRight(strings.TrimSpace(key), " +:")) {
			p.secrets = append(p.secrets, bytesOf(strings.TrimSpace(value)))
		}
	}
}

// radiusSecret names the attributes that carry credentials or their digests; they are never stored.
func radiusSecret(key string) bool {
	switch key {
	case "User-Password", "CHAP-Password", "Cleartext-Password", "MS-CHAP-Response", "MS-CHAP2-Response", "Tunnel-Password", "NT-Password",
		"LM-Password", "Crypt-Password", "Password-With-Header", "MS-MPPE-Send-Key", "MS-MPPE-Recv-Key":
		return true
	}
	return false
}

func (p *radiusPacket) field(key string) *string {
	switch key {
	case "Packet-Type", "Response-Packet-Type":
		return &p.kind
	case "User-Name":
		return &p.user
	case "Calling-Station-Id":
		return &p.calling
	case "Called-Station-Id":
		return &p.called
	case "NAS-IP-Address", "NAS-IPv6-Address":
		return &p.nasIP
	case "NAS-Identifier":
		return &p.nasID
	case "NAS-Port":
		return &p.nasPort
	case "NAS-Port-Id":
		return &p.nasPortID
	case "Client-Shortname":
		return &p.client
	case "Framed-IP-Address":
		return &p.framedIP
	case "Framed-IPv6-Address":
		return &p.framedIPv6
	case "Acct-Status-Type":
		return &p.acctStatus
	case "Acct-Session-Id":
		return &p.acctSession
	case "Acct-Unique-Session-Id":
		return &p.acctUnique
	case "Acct-Terminate-Cause":
		return &p.cause
	case "Acct-Session-Time":
		return &p.seconds
	case "Tunnel-Private-Group-Id", "Tunnel-Private-Group-Id:0", "Tunnel-Private-Group-ID", "Tunnel-Private-Group-Id:1":
		return &p.vlan
	case "Filter-Id":
		return &p.filter
	case "Reply-Message":
		return &p.reply
	case "EAP-Type":
		return &p.eap
	case "Module-Failure-Message":
		return &p.module
	case "Acct-Input-Octets":
		return &p.in
	case "Acct-Output-Octets":
		return &p.out
	case "Acct-Input-Gigawords":
		return &p.inGiga
	case "Acct-Output-Gigawords":
		return &p.outGiga
	case "Acct-Input-Packets":
		return &p.inPackets
	case "Acct-Output-Packets":
		return &p.outPackets
	case "Timestamp":
		return &p.timestamp
	case "Event-Timestamp":
		return &p.stamp
	}
	return nil
}

func appendRADIUSDetail(dst []event.Event, rec *event.Record, text string) ([]event.Event, error) {
	if binaryText(text) {
		return dst, Rejectf("not_text", "the block has control characters")
	}
	var p radiusPacket
	p.read(text)
	if p.kind == "" && p.acctStatus == "" && p.user == "" && p.nasIP == "" {
		return dst, Rejectf("no_event", "the block has none of Packet-Type, Acct-Status-Type, User-Name and NAS-IP-Address")
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	e.Metadata.Product, e.Metadata.Vendor, e.Metadata.LogName = "FreeRADIUS", "FreeRADIUS", "detail"
	e.SeverityID = severityInfo
	if len(p.secrets) > 0 {
		e.Envelope.Quality |= event.Redacted
		redactRaw(e, rec, p.secrets...)
	}
	first, _, _ := strings.Cut(text, "\n")
	p.setTime(e, rec, first)
	p.setEnds(e)
	p.setClass(e)
	return dst, nil
}

// setTime prefers the server's own stamp, which counts seconds from the epoch, over the date line, which has no zone.
func (p *radiusPacket) setTime(e *event.Event, rec *event.Record, first string) {
	if micros, _, ok := kv.Time(p.timestamp); ok {
		e.Time, e.Envelope.TimeSource = micros, event.TimeParsed
	} else if strings.TrimSpace(first) != "" {
		setStamp(e, first, rec.Location)
	}
	if e.Time == 0 && p.stamp != "" {
		setStamp(e, p.stamp, rec.Location)
	}
}

func (p *radiusPacket) setEnds(e *event.Event) {
	r := &e.Metadata.Extend().Reporter
	r.IP, r.Name = plainIP(p.nasIP), kv.Known(p.nasID)
	if r.Name == "" {
		r.Name = kv.Known(p.client)
	}
	setRADIUSUser(e, p.user)
	setStation(e, p.calling)
	ip := plainIP(p.framedIP)
	if ip == "" {
		ip = plainIP(p.framedIPv6)
	}
	if ip != "" {
		e.SrcEndpoint.IP, e.Device.IP = ip, ip
	}
	if p.nasPortID != "" || p.nasPort != "" {
		e.SrcEndpoint.Extend().Interface = p.nasPortID
		if p.nasPortID == "" {
			e.SrcEndpoint.More.Interface = p.nasPort
		}
	}
	e.SrcEndpoint.VLAN, e.Device.VLAN = p.vlan, p.vlan
	if mac, ok := kv.MAC(p.called); ok && !kv.NoMAC(mac) {
		e.AddEntity(event.EntityMAC, event.RoleReporter, event.Context, event.ObjectReporter, mac)
	}
}

func (p *radiusPacket) setClass(e *event.Event) {
	kind := p.kind
	if kind == "" && p.acctStatus != "" {
		kind = "Accounting-Request"
	}
	e.Metadata.EventCode = kind
	switch kind {
	case "Accounting-Request", "Accounting-Response":
		p.setAccounting(e)
	case "Access-Accept":
		p.setLogon(e, authLogon, statusSuccess)
	case "Access-Reject":
		p.setLogon(e, authLogon, statusFailure)
		e.ActionID = 2
	case "Access-Challenge", "Access-Request", "":
		p.setLogon(e, authPreauth, 0)
	case "CoA-Request", "CoA-ACK", "CoA-NAK", "Disconnect-Request", "Disconnect-ACK", "Disconnect-NAK":
		p.setCoA(e, kind)
	default:
		p.setBase(e)
	}
}

func (p *radiusPacket) setLogon(e *event.Event, activity uint16, status uint8) {
	e.ClassUID, e.ActivityID, e.StatusID = event.ClassAuthentication, activity, status
	e.Service.Name, e.AppProtocol, e.AuthProtocolID, e.LogonTypeID = "RADIUS", "radius", 10, 3
	if p.eap != "" {
		e.AuthProtocolID, e.AuthProtocol = 9, "EAP-"+p.eap
	}
	setBypass(e)
	e.StatusDetail = p.reply
	if p.module != "" {
		e.StatusDetail = p.module
	}
	e.Session.UID = accountingSession(p.nasIP, p.acctSession)
	if p.filter != "" {
		e.Policy = &event.Policy{Name: p.filter}
	}
}

// setAccounting makes the start, the course and the end of a session a network connection of the station (RFC 2866 section 5.1).
func (p *radiusPacket) setAccounting(e *event.Event) {
	e.Metadata.EventCode = "Accounting-" + strings.TrimPrefix(p.acctStatus, "Accounting-")
	e.StatusDetail = p.cause
	e.Actor.User, e.User = e.User, event.User{}
	e.Actor.Session.UID = accountingSession(p.nasIP, p.acctSession)
	if p.acctUnique != "" {
		e.Metadata.OriginalUID = p.acctUnique
	}
	switch {
	case p.acctStatus == "Accounting-On", p.acctStatus == "Accounting-Off", !knownEndpoint(&e.SrcEndpoint):
		e.ClassUID = event.ClassBase
		return
	}
	e.ClassUID, e.AppProtocol, e.StatusID = event.ClassNetwork, "radius", statusSuccess
	switch p.acctStatus {
	case "Start":
		e.ActivityID = netOpen
	case "Stop":
		e.ActivityID = netClose
	case "Interim-Update", "Alive":
		e.ActivityID = 6
	default:
		e.ActivityID, e.Activity = event.ActivityOther, p.acctStatus
		if e.Activity == "" {
			e.Activity = "Accounting"
		}
	}
	if seconds, err := strconv.ParseInt(p.seconds, 10, 32); err == nil && e.Time != 0 {
		e.StartTime, e.EndTime = e.Time-seconds*1e6, e.Time
	}
	p.setTraffic(e)
}

// setTraffic counts from the station's side: Acct-Input-Octets came from it (RFC 2866 section 5.3).
func (p *radiusPacket) setTraffic(e *event.Event) {
	out, in := octets(p.in, p.inGiga), octets(p.out, p.outGiga)
	if !out.Known && !in.Known {
		return
	}
	e.Traffic = &event.Traffic{
		BytesOut: out, BytesIn: in, Bytes: event.IntOf(out.V + in.V),
		PacketsOut: octets(p.inPackets, ""), PacketsIn: octets(p.outPackets, ""),
	}
}

// octets joins a 32-bit counter and its overflow count (RFC 2869 section 5.1).
func octets(low, giga string) event.Int {
	n, err := strconv.ParseUint(low, 10, 32)
	if err != nil {
		return event.Int{}
	}
	high, _ := strconv.ParseUint(giga, 10, 16)
	return event.IntOf(int64(high<<32 | n))
}

// setCoA is a change of authorization of a running session (RFC 5176).
func (p *radiusPacket) setCoA(e *event.Event, kind string) {
	if strings.HasSuffix(kind, "-ACK") {
		e.StatusID = statusSuccess
	} else if strings.HasSuffix(kind, "-NAK") {
		e.StatusID = statusFailure
	}
	e.Actor.Session.UID = accountingSession(p.nasIP, p.acctSession)
	e.StatusDetail = p.reply
	e.Actor.User, e.User = e.User, event.User{}
	if !knownDevice(&e.Device) {
		p.setBase(e)
		return
	}
	e.ClassUID, e.ActivityID = event.ClassDeviceConfigChange, 1
	if strings.HasPrefix(kind, "Disconnect") {
		e.DispositionID = 24
	}
	if p.filter != "" {
		e.Policy = &event.Policy{Name: p.filter}
	}
	e.SrcEndpoint = event.Endpoint{}
}

func (p *radiusPacket) setBase(e *event.Event) {
	e.ClassUID, e.ActivityID = event.ClassBase, 0
	if e.User.Name != "" {
		e.Actor.User, e.User = e.User, event.User{}
	}
}
