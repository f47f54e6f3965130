package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// dhcpSix are the DHCPv6 messages (RFC 8415) and the DHCPv4 activities they correspond to.
var dhcpSix = []struct {
	word     string
	activity uint16
	status   uint8
}{
	{"Solicit", 1, statusSuccess},
	{"Advertise", 2, statusSuccess},
	{"Request", 3, statusSuccess},
	{"Renew", 3, statusSuccess},
	{"Rebind", 3, statusSuccess},
	{"Confirm", 3, statusSuccess},
	{"Reply", 5, statusSuccess},
	{"Release", 7, statusSuccess},
	{"Decline", 4, statusFailure},
	{"Information-request", 8, statusSuccess},
	{"Relay-forward", event.ActivityOther, statusSuccess},
	{"Relay-reply", event.ActivityOther, statusSuccess},
}

// readSix reads "Solicit message from ADDRESS port 546, transaction ID 0x…", "Reply NA: address ADDRESS to client with duid DUID iaid = N
// valid for N seconds" and "Sending Reply to ADDRESS port 546".
func (m *dhcpMessage) readSix(word, body, rest string) bool {
	if word == "Sending" {
		word, rest, _ = strings.Cut(rest, " ")
	}
	for _, k := range dhcpSix {
		if word != k.word {
			continue
		}
		m.code, m.activity, m.status = "DHCP6-"+k.word, k.activity, k.status
		m.renewal = word == "Renew"
		switch {
		case strings.HasPrefix(rest, "message from "), strings.HasPrefix(rest, "to "):
			address, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(rest, "message from "), "to "), " ")
			m.ip = plainIP(strings.TrimSuffix(address, ","))
			return m.ip != ""
		case strings.Contains(rest, " with duid "):
			address, client, _ := strings.Cut(rest, " to client with duid ")
			if client == "" {
				address, client, _ = strings.Cut(rest, " from client with duid ")
			}
			m.ip = plainIP(address[strings.LastIndexByte(address, ' ')+1:])
			m.uid, client, _ = strings.Cut(client, " ")
			if _, lease, found := strings.Cut(client, "valid for "); found {
				m.lease, _, _ = strings.Cut(lease, " ")
			}
			return true
		}
		return false
	}
	return strings.HasPrefix(body, "Option 82: received a ") && m.optionEightyTwo(body)
}

// optionEightyTwo reads the line that many configurations log for relayed requests: "Option 82: received a REQUEST DHCP packet from
// relay-agent eth2 with a circuit-id of "…", a remote-id of "…" for ADDRESS (MAC) lease time is N seconds."
func (m *dhcpMessage) optionEightyTwo(body string) bool {
	_, rest, found := strings.Cut(body, " from relay-agent ")
	if !found {
		return false
	}
	m.code, m.activity, m.status = "relay_information", event.ActivityOther, statusSuccess
	m.via, rest, _ = strings.Cut(rest, " ")
	if i := strings.LastIndex(rest, " for "); i >= 0 {
		address, client, _ := strings.Cut(rest[i+len(" for "):], " (")
		m.ip = plainIP(address)
		mac, tail, _ := strings.Cut(client, ")")
		m.mac, _ = event.MAC(mac)
		if _, lease, found := strings.Cut(tail, "lease time is "); found {
			m.lease = lease[:leadingDigits(lease)]
		}
	}
	return m.ip != "" || m.mac != ""
}

// dhcpNotices are the server's other messages. read gets the whole message.
var dhcpNotices = []struct {
	begins   string
	code     string
	class    uint32
	activity uint16
	status   uint8
	severity uint8
}{
	{"Abandoning IP address ", "abandoned", event.ClassBase, 0, statusFailure, severityLow},
	{"abandoned lease ", "abandoned", event.ClassBase, 0, statusFailure, severityLow},
	{"Reclaiming abandoned ", "reclaimed", event.ClassBase, 0, statusSuccess, severityInfo},
	{"ICMP Echo reply while lease ", "address_in_use", event.ClassBase, 0, statusFailure, severityMedium},
	{"client ", "duplicate_lease", event.ClassBase, 0, 0, severityLow},
	{"uid lease ", "duplicate_lease", event.ClassBase, 0, 0, severityLow},
	{"Dynamic and static leases present", "duplicate_lease", event.ClassBase, 0, 0, severityLow},
	{"reuse_lease: ", "lease_reused", event.ClassBase, 0, statusSuccess, severityInfo},
	{"failover peer ", "failover", event.ClassBase, 0, 0, severityLow},
	{"failover: ", "failover", event.ClassBase, 0, 0, severityLow},
	{"Failover ", "failover", event.ClassBase, 0, 0, severityLow},
	{"peer ", "failover", event.ClassBase, 0, 0, severityLow},
	{"bind update on ", "failover_bind", event.ClassBase, 0, 0, severityInfo},
	{"balanc", "failover_pool", event.ClassBase, 0, 0, severityInfo},
	{"pool ", "failover_pool", event.ClassBase, 0, 0, severityInfo},
	{"Added new forward map from ", "dns_added", event.ClassBase, 0, statusSuccess, severityInfo},
	{"Added reverse map from ", "dns_added", event.ClassBase, 0, statusSuccess, severityInfo},
	{"added reverse map from ", "dns_added", event.ClassBase, 0, statusSuccess, severityInfo},
	{"Removed forward map from ", "dns_removed", event.ClassBase, 0, statusSuccess, severityInfo},
	{"removed reverse map on ", "dns_removed", event.ClassBase, 0, statusSuccess, severityInfo},
	{"Removed reverse map on ", "dns_removed", event.ClassBase, 0, statusSuccess, severityInfo},
	{"Unable to add forward map from ", "dns_failed", event.ClassBase, 0, statusFailure, severityLow},
	{"unable to add reverse map from ", "dns_failed", event.ClassBase, 0, statusFailure, severityLow},
	{"Forward map from ", "dns_failed", event.ClassBase, 0, statusFailure, severityInfo},
	{"Internet Systems Consortium DHCP Server", "server_started", event.ClassAppLifecycle, 3, statusSuccess, severityInfo},
	{"Server starting service", "server_started", event.ClassAppLifecycle, 3, statusSuccess, severityInfo},
	{"Configuration file errors encountered", "server_failed", event.ClassAppLifecycle, 3, statusFailure, severityMedium},
	{"exiting.", "server_stopped", event.ClassAppLifecycle, 4, statusSuccess, severityInfo},
	{"shutdown ", "server_stopped", event.ClassAppLifecycle, 4, statusSuccess, severityInfo},
	{"Wrote ", "leases_written", event.ClassBase, 0, statusSuccess, severityInfo},
	{"No subnet declaration for ", "config_error", event.ClassBase, 0, statusFailure, severityLow},
	{"Not configured to listen on any interfaces", "server_failed", event.ClassAppLifecycle, 3, statusFailure, severityMedium},
	{"Listening on ", "listening", event.ClassBase, 0, statusSuccess, severityInfo},
	{"Sending on ", "listening", event.ClassBase, 0, statusSuccess, severityInfo},
	{"Can't ", "server_error", event.ClassBase, 0, statusFailure, severityLow},
	{"Malformed ", "malformed_packet", event.ClassBase, 0, statusFailure, severityLow},
	{"parse_option_buffer: ", "malformed_packet", event.ClassBase, 0, statusFailure, severityLow},
	{"Discarding packet with ", "malformed_packet", event.ClassBase, 0, statusFailure, severityLow},
	{"Packet from unknown subnet: ", "unknown_subnet", event.ClassBase, 0, statusFailure, severityLow},
}

// notice reads what is not about one exchange with a client. Everything but the client's identity stays in the message.
func (m *dhcpMessage) notice(body string) bool {
	for _, n := range dhcpNotices {
		if !strings.HasPrefix(body, n.begins) {
			continue
		}
		if n.code == "duplicate_lease" && !strings.Contains(body, "duplicate") && !strings.Contains(body, "present") {
			continue
		}
		m.code, m.class, m.activity, m.status, m.severity = n.code, n.class, n.activity, n.status, n.severity
		m.reason = body
		if i := strings.Index(body, "I move from "); i >= 0 {
			m.code, m.reason = "failover_state", body[i:]
		} else if i := strings.Index(body, "peer moves from "); i >= 0 {
			m.code, m.reason = "failover_state", body[i:]
		}
		if m.class == event.ClassBase {
			m.firstNames(body)
		}
		return true
	}
	return false
}

// firstNames picks the first address and the first hardware address out of a notice.
func (m *dhcpMessage) firstNames(body string) {
	n := 0
	for word := range strings.FieldsSeq(clip(body, 400)) {
		if n++; n > 24 {
			return
		}
		word = strings.Trim(word, ".,:;()")
		if ip := plainIP(word); ip != "" && m.ip == "" {
			m.ip = ip
		} else if mac, ok := event.MAC(word); ok && m.mac == "" && strings.Count(word, ":") == 5 {
			m.mac = mac
		}
	}
}
