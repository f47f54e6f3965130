package format

import (
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// dhcpServer reads the syslog lines of ISC dhcpd 3 and 4, DHCPv6 included.
func dhcpServer() Format {
	return Format{
		Name:   "dhcpd",
		Title:  "ISC dhcpd",
		Domain: "network_access",
		Classes: []string{
			"application_lifecycle", "base_event", "dhcp_activity",
		},
		Doc: "Lines of dhcpd with or without a syslog header. Leases become DHCP Activity with the client in src_endpoint and the relay in dst_endpoint; " +
			"only an acknowledgement binds address and client. Failover, name updates and the server's own state are kept with their event code.",
		Append: appendDHCP,
	}
}

// dhcpMessage is what a line says, before it becomes an event.
type dhcpMessage struct {
	code     string
	activity uint16
	status   uint8
	ip       string
	mac      string
	host     string
	via      string // Address of the relay or name of the server's interface.
	server   string
	reason   string
	lease    string // Seconds.
	renewal  bool
	uid      string // DUID of a DHCPv6 client.
	severity uint8
	class    uint32
}

func appendDHCP(_ *Scratch, dst []event.Event, rec *event.Record) ([]event.Event, error) {
	h, body, err := readHeader(rec)
	if err != nil {
		return dst, err
	}
	program := h.App
	if program == "" {
		if p, _, rest, ok := cutTag(body); ok && isDHCPProgram(p) {
			program, body = p, rest
		}
	}
	if program != "" && !isDHCPProgram(program) {
		return dst, Rejectf("wrong_program", "the line is from %q, not from dhcpd", clip(program, 40))
	}
	if binaryText(body) {
		return dst, Rejectf("not_text", "the message has control characters")
	}
	body = strings.TrimLeft(body, " ")
	m := dhcpMessage{class: event.ClassDHCP}
	if !m.read(body) {
		if program == "" {
			return dst, Rejectf("unknown_message", "no message of dhcpd begins with %q", clip(body, 40))
		}
		m = dhcpMessage{class: event.ClassBase, code: "other"}
	}
	dst = append(dst, event.Event{})
	e := &dst[len(dst)-1]
	setHeaderTime(e, &h)
	e.Metadata.Product, e.Metadata.Vendor = "ISC DHCP", "ISC"
	e.Message = body
	m.fill(e, h.Hostname)
	return dst, nil
}

func isDHCPProgram(p string) bool {
	switch p {
	case "dhcpd", "dhcpd6", "dhcpd4", "dhcp", "dhcpd-pools", "isc-dhcpd", "isc-dhcp-server":
		return true
	}
	return false
}

func (m *dhcpMessage) read(body string) bool {
	word, rest, _ := strings.Cut(body, " ")
	for _, k := range dhcpKinds {
		if word == k.word {
			m.code, m.activity, m.status = k.code, k.activity, statusSuccess
			m.lineOf(rest)
			return m.mac != "" || m.ip != "" || m.uid != ""
		}
	}
	if m.readSix(word, body, rest) {
		return true
	}
	return m.notice(body)
}

// dhcpKinds are the message types of RFC 2131 and 4388 and OCSF's activities for them.
var dhcpKinds = []struct {
	word, code string
	activity   uint16
}{
	{"DHCPDISCOVER", "DHCPDISCOVER", 1},
	{"DHCPREQUEST", "DHCPREQUEST", 3},
	{"DHCPOFFER", "DHCPOFFER", 2},
	{"DHCPACK", "DHCPACK", 5},
	{"DHCPNAK", "DHCPNAK", 6},
	{"DHCPDECLINE", "DHCPDECLINE", 4},
	{"DHCPRELEASE", "DHCPRELEASE", 7},
	{"DHCPINFORM", "DHCPINFORM", 8},
	{"DHCPEXPIRE", "DHCPEXPIRE", 9},
	{"DHCPLEASEQUERY", "DHCPLEASEQUERY", 99},
	{"DHCPLEASEACTIVE", "DHCPLEASEACTIVE", 99},
	{"DHCPLEASEUNKNOWN", "DHCPLEASEUNKNOWN", 99},
	{"DHCPLEASEUNASSIGNED", "DHCPLEASEUNASSIGNED", 99},
	{"BOOTREQUEST", "BOOTREQUEST", 99},
	{"BOOTREPLY", "BOOTREPLY", 99},
}

// lineOf reads "[for|on|of|to ADDRESS [(SERVER)]] [from|to MAC|ADDRESS [(HOST)]] via INTERFACE|RELAY[: REASON]". The host name is the
// client's choice and may hold anything, so it ends at the last ") via".
func (m *dhcpMessage) lineOf(s string) {
	for s != "" {
		var word string
		word, s, _ = strings.Cut(s, " ")
		switch word {
		case "for", "on", "of", "to", "from":
			s = m.object(s)
		case "via":
			m.viaPart(s)
			return
		case "uid", "TransID", "lease-duration", "offered-duration", "relay":
		}
	}
}

// object reads one address, with what stands in brackets after it.
func (m *dhcpMessage) object(s string) (rest string) {
	word, rest, _ := strings.Cut(s, " ")
	word, colon := strings.CutSuffix(word, ":")
	bracket, after := "", rest
	if strings.HasPrefix(rest, "(") && !colon {
		end := strings.LastIndex(rest, ") via ")
		if end < 0 {
			end = strings.IndexByte(rest, ')')
		}
		// A server's address may stand in a bracket of its own before "from".
		if first := strings.IndexByte(rest, ')'); first > 0 && plainIP(rest[1:first]) != "" {
			end = first
		}
		if end > 0 {
			bracket, after = rest[1:end], strings.TrimLeft(rest[end+1:], " ")
		}
	}
	if ip := plainIP(word); ip != "" {
		if m.ip == "" {
			m.ip = ip
		}
		m.bracketOfAddress(bracket)
		return after
	}
	if mac, ok := event.MAC(word); ok {
		m.mac = mac
		if m.host == "" {
			m.host = bracket
		}
		return after
	}
	if m.code == "BOOTREPLY" && bracket != "" {
		// "BOOTREPLY for ADDRESS to NAME (MAC) via …"
		m.host = word
		m.mac, _ = event.MAC(bracket)
	}
	return after
}

func (m *dhcpMessage) bracketOfAddress(s string) {
	if s == "" {
		return
	}
	if mac, ok := event.MAC(s); ok {
		m.mac = mac // "DHCPACK to ADDRESS (MAC) via …"
	} else if ip := plainIP(s); ip != "" {
		m.server = ip
	} else {
		m.host = s
	}
}

// viaPart reads what follows "via": the relay's address or the interface, the reason, and what appliances add.
func (m *dhcpMessage) viaPart(s string) {
	word, rest, _ := strings.Cut(s, " ")
	word, colon := strings.CutSuffix(word, ":")
	m.via = word
	if !colon {
		if i := strings.Index(rest, ": "); i >= 0 {
			m.extras(rest[:i])
			m.setReason(rest[i+2:])
			return
		}
		m.extras(rest)
		if strings.HasPrefix(rest, "(") {
			m.setReason(strings.Trim(rest, "()"))
		}
		return
	}
	m.setReason(rest)
}

// extras are words that appliances built on dhcpd add: "relay 192.0.2.1 lease-duration 3600 TransID 1a2b (RENEW)".
func (m *dhcpMessage) extras(s string) {
	for s != "" {
		var word string
		word, s, _ = strings.Cut(s, " ")
		value, _, _ := strings.Cut(s, " ")
		switch word {
		case "relay":
			if plainIP(value) != "" {
				m.via = value
			}
		case "lease-duration":
			m.lease = value
		case "(RENEW)":
			m.renewal = true
		}
	}
}

// setReason also judges: these are the words dhcpd adds when a request leads to nothing.
func (m *dhcpMessage) setReason(s string) {
	m.reason = s
	switch {
	case s == "" || s == "found" || s == "RENEW" || strings.HasPrefix(s, "load balance to peer"), strings.HasPrefix(s, "network ") && !strings.Contains(s, "no free leases"):
	case strings.Contains(s, "no free leases"), strings.Contains(s, "peer holds all free leases"):
		m.status, m.severity = statusFailure, severityMedium
	default:
		m.status = statusFailure
	}
}

// fill makes the event.
func (m *dhcpMessage) fill(e *event.Event, server string) {
	e.ClassUID, e.ActivityID, e.StatusID = m.class, m.activity, m.status
	e.SeverityID = max(m.severity, severityInfo)
	e.Metadata.EventCode, e.StatusDetail = m.code, m.reason
	if m.activity == event.ActivityOther {
		e.Activity = m.code
	}
	if m.code == "DHCPNAK" || m.code == "DHCPDECLINE" {
		e.StatusID = statusFailure
	}
	if m.class == event.ClassAppLifecycle {
		e.App = &event.Product{Name: "dhcpd", Vendor: "ISC"}
	}
	if m.class != event.ClassDHCP {
		setReporterHost(e, server)
		m.nameEntities(e)
		return
	}
	e.AppProtocol = "dhcp"
	e.SrcEndpoint.IP, e.SrcEndpoint.MAC, e.SrcEndpoint.UID = m.ip, m.mac, m.uid
	if !event.Placeholder(m.host) && plainIP(m.host) == "" {
		e.SrcEndpoint.Hostname = strings.ToLower(m.host)
	}
	if relay := plainIP(m.via); relay != "" {
		e.DstEndpoint.IP = relay
		setReporterHost(e, server)
	} else {
		e.DstEndpoint.IP = m.server
		setHost(&e.DstEndpoint, strings.ToLower(server))
		if m.via != "" {
			e.DstEndpoint.Extend().Interface = m.via
		}
	}
	if seconds, err := strconv.ParseInt(m.lease, 10, 32); err == nil {
		e.LeaseDur = int32(seconds)
	}
	if m.renewal {
		e.IsRenewal = event.True
	}
	if !knownEndpoint(&e.SrcEndpoint) && !knownEndpoint(&e.DstEndpoint) {
		e.ClassUID, e.ActivityID, e.Activity = event.ClassBase, 0, ""
	}
}

// nameEntities keeps whom a notice is about, where its class has no field for it.
func (m *dhcpMessage) nameEntities(e *event.Event) {
	e.AddEntity(event.EntityIP, event.RoleContext, event.Weak, event.ObjectExtra, m.ip)
	e.AddEntity(event.EntityMAC, event.RoleContext, event.Medium, event.ObjectExtra, m.mac)
	e.AddEntity(event.EntityDevice, event.RoleContext, event.Weak, event.ObjectExtra, m.host)
}
