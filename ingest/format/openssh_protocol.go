package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// readSSHProtocol recognises what sshd says about connections that never got as far as a user: scans, broken key exchanges, throttling.
func readSSHProtocol(m *sshMessage, word, body string) bool {
	for _, p := range sshProtocol {
		if !strings.HasPrefix(body, p.prefix) {
			continue
		}
		m.set(p.code, event.ClassSSH, p.activity, statusFailure)
		m.severity = p.severity
		m.detail = body
		p.read(m, body[len(p.prefix):])
		return true
	}
	if word != "" && strings.HasSuffix(word, ":") && strings.HasPrefix(word, "kex_") {
		m.set("kex_error", event.ClassSSH, netFail, statusFailure)
		m.detail = strings.TrimLeft(body[len(word):], " ")
		m.peerInside(m.detail)
		return true
	}
	return false
}

// sshProtocol is tried in order. read gets what follows the prefix.
var sshProtocol = []struct {
	prefix   string
	code     string
	activity uint16
	severity uint8
	read     func(m *sshMessage, rest string)
}{
	{"Unable to negotiate with ", "negotiation_failed", netFail, severityInfo, (*sshMessage).peerThenText},
	{"Unable to negotiate a ", "negotiation_failed", netFail, severityInfo, (*sshMessage).keepText},
	{"no matching ", "negotiation_failed", netFail, severityInfo, (*sshMessage).keepText},
	{"no hostkey alg", "negotiation_failed", netFail, severityInfo, (*sshMessage).keepText},
	{"Bad protocol version identification ", "bad_protocol", netFail, severityLow, (*sshMessage).peerLast},
	{"Did not receive identification string from ", "no_identification", netFail, severityInfo, (*sshMessage).peerLast},
	{"banner exchange: Connection from ", "banner_error", netFail, severityInfo, (*sshMessage).peerThenText},
	{"banner line contains invalid characters", "banner_error", netFail, severityInfo, (*sshMessage).keepText},
	{"send_error: write: ", "write_error", netFail, severityInfo, (*sshMessage).keepText},
	{"ssh_dispatch_run_fatal: Connection ", "protocol_error", netFail, severityInfo, (*sshMessage).fatalPeer},
	{"dispatch_protocol_error: ", "protocol_error", netFail, severityInfo, (*sshMessage).keepText},
	{"Protocol major versions differ", "bad_protocol", netFail, severityInfo, (*sshMessage).forPeer},
	{"Could not write ident string to ", "write_error", netFail, severityInfo, (*sshMessage).peerLast},
	{"Bad packet length ", "protocol_error", netFail, severityLow, (*sshMessage).keepText},
	{"Corrupted MAC on input", "protocol_error", netFail, severityMedium, (*sshMessage).keepText},
	{"Corrupted padlen", "protocol_error", netFail, severityLow, (*sshMessage).keepText},
	{"padding error", "protocol_error", netFail, severityLow, (*sshMessage).keepText},
	{"Write failed: ", "write_error", netFail, severityInfo, (*sshMessage).keepText},
	{"Read from socket failed: ", "read_error", netFail, severityInfo, (*sshMessage).keepText},
	{"Read error from remote host ", "read_error", netFail, severityInfo, (*sshMessage).peerThenText},
	{"packet_write_", "write_error", netFail, severityInfo, (*sshMessage).peerInside},
	{"packet_read", "read_error", netFail, severityInfo, (*sshMessage).peerInside},
	{"ssh_packet_", "protocol_error", netFail, severityInfo, (*sshMessage).peerInside},
	{"ssh_ecdsa_verify", "signature_error", netFail, severityLow, (*sshMessage).keepText},
	{"mm_answer_", "monitor_error", netFail, severityInfo, (*sshMessage).keepText},
	{"mm_request_", "monitor_error", netFail, severityInfo, (*sshMessage).keepText},
	{"mm_log_handler", "monitor_error", netFail, severityInfo, (*sshMessage).keepText},
	{"monitor_read", "monitor_error", netFail, severityLow, (*sshMessage).keepText},
	{"userauth_finish: ", "userauth_error", netFail, severityInfo, (*sshMessage).keepText},
	{"Access denied for user ", "access_denied", netRefuse, severityLow, (*sshMessage).deniedUser},
	{"refused connect from ", "refused", netRefuse, severityLow, (*sshMessage).refusedHost},
	{"refused local port forward: ", "forward_refused", netRefuse, severityLow, (*sshMessage).originator},
	{"Received request from ", "forward_refused", netRefuse, severityLow, (*sshMessage).originator},
	{"connect_to ", "forward_failed", netFail, severityInfo, (*sshMessage).forwardTarget},
	{"channel ", "channel_error", netFail, severityInfo, (*sshMessage).keepText},
	{"drop connection ", "dropped", netRefuse, severityLow, (*sshMessage).droppedPeer},
	{"beginning MaxStartups throttling", "throttling_started", netRefuse, severityMedium, (*sshMessage).keepText},
	{"exited MaxStartups throttling", "throttling_ended", netOpen, severityInfo, (*sshMessage).keepText},
	{"srclimit_penalise: ", "penalty", netRefuse, severityLow, (*sshMessage).penalty},
	{"reverse mapping checking getaddrinfo for ", "reverse_mismatch", netOpen, severityLow, (*sshMessage).bracketPeer},
	{"Address ", "reverse_mismatch", netOpen, severityLow, (*sshMessage).mappedPeer},
	{"Nasty PTR record ", "reverse_mismatch", netOpen, severityLow, (*sshMessage).nastyPeer},
	{"Could not get shadow information for ", "no_shadow", netFail, severityInfo, (*sshMessage).userLast},
	{"Could not load host key", "host_key_missing", netFail, severityLow, (*sshMessage).keepText},
	{"kex protocol error", "kex_error", netFail, severityInfo, (*sshMessage).keepText},
	{"Protocol error", "protocol_error", netFail, severityInfo, (*sshMessage).keepText},
	{"Received unexpected ", "protocol_error", netFail, severityLow, (*sshMessage).keepText},
	{"login_", "login_record_error", netFail, severityInfo, (*sshMessage).keepText},
	{"Postponing ", "postponed", netFail, severityInfo, (*sshMessage).keepText},
	{"Hm, ", "protocol_error", netFail, severityInfo, (*sshMessage).keepText},
	{"probed from ", "bad_protocol", netFail, severityLow, (*sshMessage).peerInside},
	{"scanned from ", "bad_protocol", netFail, severityLow, (*sshMessage).peerInside},
	{"POSSIBLE ", "attack_suspected", netFail, severityMedium, (*sshMessage).keepText},
	{"accept: ", "accept_error", netFail, severityInfo, (*sshMessage).keepText},
	{"getpeername failed: ", "accept_error", netFail, severityInfo, (*sshMessage).keepText},
	{"chroot", "chroot_failed", netFail, severityLow, (*sshMessage).keepText},
	{"bad ownership or modes for ", "chroot_failed", netFail, severityLow, (*sshMessage).keepText},
	{"sftp-server", "sftp_note", netOpen, severityInfo, (*sshMessage).keepText},
}

func (m *sshMessage) keepText(string) {}

// peerThenText reads "ADDRESS port N: TEXT" or "ADDRESS: TEXT", where the text may be the client's.
func (m *sshMessage) peerThenText(rest string) {
	head, _, _ := strings.Cut(rest, ": ")
	m.setRemoteUser(m.cutPeer(head))
}

// peerLast reads "… from ADDRESS [port N]", or only the address.
func (m *sshMessage) peerLast(rest string) { m.cutPeer(strings.TrimSuffix(rest, ".")) }

// forPeer reads "… for ADDRESS port N: TEXT".
func (m *sshMessage) forPeer(rest string) {
	_, rest, _ = strings.Cut(rest, " for ")
	m.peerThenText(rest)
}

// fatalPeer reads "from [user NAME ]ADDRESS port N: TEXT" and "to …".
func (m *sshMessage) fatalPeer(rest string) {
	_, rest, _ = strings.Cut(rest, " ")
	if i := strings.LastIndex(rest, " port "); i >= 0 {
		if n := strings.Index(rest[i:], ": "); n >= 0 {
			m.detail = rest[i+n+2:]
			rest = rest[:i+n]
		}
	}
	m.setRemoteUser(m.cutPeer(rest))
}

// peerInside looks for "ADDRESS port N" anywhere.
func (m *sshMessage) peerInside(rest string) {
	i := strings.Index(rest, " port ")
	if i < 0 {
		return
	}
	n := i + len(" port ")
	n += leadingDigits(rest[n:])
	m.setRemoteUser(m.cutPeer(rest[:n]))
	if plainIP(m.peer) == "" {
		m.peer, m.port = "", ""
	}
	m.user = ""
}

// refusedHost reads "HOST (ADDRESS)" of TCP wrappers.
func (m *sshMessage) refusedHost(rest string) {
	host, address, found := strings.Cut(rest, " (")
	m.peer = strings.TrimSuffix(address, ")")
	if !found || plainIP(m.peer) == "" {
		m.peer = host
	}
}

// deniedUser reads "NAME by PAM account configuration".
func (m *sshMessage) deniedUser(rest string) {
	m.class, m.activity = event.ClassAuthentication, authLogon
	m.user, m.detail, _ = strings.Cut(rest, " by ")
}

// userLast reads a name at the end of the line.
func (m *sshMessage) userLast(rest string) {
	m.class, m.activity = event.ClassAuthentication, authLogon
	m.user = rest
}

// originator reads "originator ADDRESS port N, target HOST port N".
func (m *sshMessage) originator(rest string) {
	from, to, _ := strings.Cut(strings.TrimPrefix(rest, "originator "), ", target ")
	if to == "" {
		from, to, _ = strings.Cut(rest, " to connect to ")
	}
	m.cutPeer(from)
	m.forwardTarget(to)
}

// forwardTarget reads "HOST port N[: TEXT]", where a tunnel should have gone.
func (m *sshMessage) forwardTarget(rest string) {
	host, rest, _ := strings.Cut(rest, " port ")
	m.local, m.lport = host, rest[:leadingDigits(rest)]
}

// droppedPeer reads "#N from [ADDRESS]:PORT on [ADDRESS]:PORT past MaxStartups" and its relatives.
func (m *sshMessage) droppedPeer(rest string) {
	_, rest, _ = strings.Cut(rest, "from [")
	address, rest, _ := strings.Cut(rest, "]:")
	m.peer, m.port = address, rest[:leadingDigits(rest)]
	if _, rest, found := strings.Cut(rest, " on ["); found {
		address, rest, _ = strings.Cut(rest, "]:")
		m.local, m.lport = address, rest[:leadingDigits(rest)]
	}
}

// penalty reads "ipv4: new ADDRESS/32 deferred penalty of N seconds for REASON" (OpenSSH 9.8).
func (m *sshMessage) penalty(rest string) {
	for word := range strings.FieldsSeq(rest) {
		address, _, found := strings.Cut(word, "/")
		if found && plainIP(address) != "" {
			m.peer = address
			return
		}
	}
}

// bracketPeer reads "HOST [ADDRESS] failed".
func (m *sshMessage) bracketPeer(rest string) {
	host, rest, _ := strings.Cut(rest, " [")
	m.peer, _, _ = strings.Cut(rest, "]")
	m.domain = host
}

// mappedPeer reads "ADDRESS maps to HOST, but this does not map back to the address".
func (m *sshMessage) mappedPeer(rest string) {
	address, rest, _ := strings.Cut(rest, " maps to ")
	m.peer = address
	m.domain, _, _ = strings.Cut(rest, ",")
}

// nastyPeer reads `"NAME" is set up for ADDRESS, ignoring`.
func (m *sshMessage) nastyPeer(rest string) {
	_, rest, _ = strings.Cut(rest, " is set up for ")
	m.peer, _, _ = strings.Cut(rest, ",")
}
