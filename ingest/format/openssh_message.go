package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// readSSH recognises one message of sshd. Names that a client chose (user, version text) may hold anything, so a peer is always looked
// for from the end of the line. The wording is that of OpenSSH's auth.c, auth2.c, monitor.c, packet.c, kex.c, session.c, sshd.c.
func readSSH(m *sshMessage, body string) bool {
	body = cutLevel(body)
	preauth := false
	for _, stage := range [...]string{" [preauth]", " [postauth]"} {
		if rest, found := strings.CutSuffix(body, stage); found {
			body, preauth = rest, true
		}
	}
	if strings.HasPrefix(body, "pam_") || strings.HasPrefix(body, "PAM") {
		return readPAM(m, body)
	}
	word, rest, _ := strings.Cut(body, " ")
	switch word {
	case "Accepted", "Failed", "Partial", "Postponed":
		return m.verdict(word, rest)
	case "Invalid", "Illegal":
		return m.invalidUser(rest)
	case "User", "ROOT", "Login", "Root":
		return m.userRefused(word, rest)
	case "input_userauth_request:", "Input_userauth_request:":
		user, found := strings.CutPrefix(rest, "invalid user ")
		m.set("invalid_user", event.ClassAuthentication, authLogon, statusFailure)
		m.user, m.invalid, m.detail = user, true, "Invalid user"
		return found
	case "maximum", "Too":
		return m.tooMany(body)
	case "Connection", "Disconnected", "Received", "Disconnecting", "Disconnecting:":
		return m.connection(word, rest)
	case "Timeout", "Timeout,":
		return m.timeout(body)
	case "Starting", "Close", "Closing", "subsystem", "session", "forced-command", "Changed", "User-child", "Exit":
		return m.session(word, body, rest)
	case "Authentication", "Certificate", "Found", "Matched", "userauth_pubkey:", "userauth_hostbased:", "Refusing", "key", "cert:", "Key", "Allowed":
		return m.credential(word, body)
	case "Server", "Exiting", "Restarting", "sshd:", "Generating", "RESTART", "Bind", "Missing", "Cannot", "daemon", "re-exec":
		return m.server(body)
	}
	if readSSHProtocol(m, word, body) {
		return true
	}
	if preauth && strings.Contains(body, " port ") {
		m.set("protocol_error", event.ClassSSH, netFail, statusFailure)
		m.detail = body
		m.cutPeer(body)
		return true
	}
	return false
}

func (m *sshMessage) set(code string, class uint32, activity uint16, status uint8) {
	m.code, m.class, m.activity, m.status = code, class, activity, status
}

// cutLevel drops the level that sshd writes before a message.
func cutLevel(s string) string {
	for _, level := range [...]string{"fatal: ", "error: ", "info: ", "debug1: ", "debug2: ", "debug3: ", "warning: ", "Warning: "} {
		if rest, found := strings.CutPrefix(s, level); found {
			return strings.TrimLeft(rest, " ")
		}
	}
	return s
}

// cutPeer reads the peer at the end of "… from ADDRESS port N", "… USER ADDRESS port N" or "… from ADDRESS" and returns what stands
// before it, without "from".
func (m *sshMessage) cutPeer(s string) (before string) {
	s = strings.TrimSpace(s)
	if i := strings.LastIndex(s, " port "); i >= 0 {
		port := s[i+len(" port "):]
		if n := leadingDigits(port); n > 0 && (n == len(port) || port[n] == ' ' || port[n] == ':') {
			m.port = port[:n]
			s = s[:i]
		}
	}
	at := strings.LastIndexByte(s, ' ')
	address := strings.Trim(s[at+1:], "[]")
	if !isPeer(address) {
		return s
	}
	m.peer = address
	if at < 0 {
		return ""
	}
	before = strings.TrimRight(s[:at], " ")
	if before == "from" {
		return ""
	}
	return strings.TrimSuffix(before, " from")
}

// isPeer tells an address or host name from other words at the end of a message.
func isPeer(s string) bool {
	if s == "" || len(s) > 255 || event.Placeholder(s) || s == "UNKNOWN" {
		return false
	}
	if plainIP(s) != "" {
		return true
	}
	for i := range len(s) {
		c := s[i]
		if c|0x20 < 'a' && c-'0' > 9 && c != '.' && c != '-' && c != '_' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	return n
}

// verdict reads "METHOD for [invalid user ]USER from ADDRESS port N ssh2[: KEY]", and the short "METHOD for USER".
func (m *sshMessage) verdict(word, rest string) bool {
	if word == "Accepted" && (strings.HasPrefix(rest, "key ") || strings.HasPrefix(rest, "certificate ID ")) {
		m.set("key_matched", event.ClassBase, 0, 0)
		m.key, m.detail = fingerprint(rest), rest
		return true
	}
	method, rest, found := strings.Cut(rest, " for ")
	if !found || method == "" || len(method) > 40 || strings.IndexByte(method, ' ') >= 0 {
		return false
	}
	m.method = method
	head, tail := rest, ""
	for _, protocol := range [...]string{" ssh2", " ssh1"} {
		if i := strings.LastIndex(rest, protocol); i >= 0 && (i+len(protocol) == len(rest) || rest[i+len(protocol)] == ':') {
			head, tail = rest[:i], rest[i+len(protocol):]
			break
		}
	}
	m.key = fingerprint(tail)
	user := head
	if strings.Contains(head, " from ") {
		user = m.cutPeer(head)
	}
	for _, kind := range [...]string{"invalid user ", "illegal user "} {
		if name, found := strings.CutPrefix(user, kind); found {
			user, m.invalid = name, true
		}
	}
	m.user = user
	switch word {
	case "Accepted":
		m.set("accepted", event.ClassAuthentication, authLogon, statusSuccess)
	case "Partial":
		m.set("partial", event.ClassAuthentication, authPreauth, statusSuccess)
	case "Postponed":
		m.set("postponed", event.ClassAuthentication, authPreauth, 0)
	default:
		m.set("failed", event.ClassAuthentication, authLogon, statusFailure)
		m.detail = "Failed " + method
		if m.invalid {
			m.detail = "Invalid user"
		}
		if method == "none" {
			// The client asks which methods there are; nobody tried to get in yet.
			m.activity = authPreauth
		}
	}
	return true
}

// fingerprint finds "SHA256:…" or "MD5:…" after a key type.
func fingerprint(s string) string {
	for _, hash := range [...]string{"SHA256:", "MD5:"} {
		if i := strings.Index(s, hash); i >= 0 {
			key, _, _ := strings.Cut(s[i:], " ")
			return key
		}
	}
	return ""
}

// invalidUser reads "user NAME from ADDRESS [port N]".
func (m *sshMessage) invalidUser(rest string) bool {
	rest, found := strings.CutPrefix(rest, "user ")
	if !found || !strings.Contains(" "+rest, " from ") {
		return false
	}
	m.set("invalid_user", event.ClassAuthentication, authLogon, statusFailure)
	m.user, m.invalid, m.detail = strings.TrimSpace(m.cutPeer(rest)), true, "Invalid user"
	if m.user == "from" {
		m.user = ""
	}
	return true
}

// userRefused reads "User NAME [from HOST] not allowed because REASON", "ROOT LOGIN REFUSED FROM ADDRESS" and "User child is on pid N".
func (m *sshMessage) userRefused(word, rest string) bool {
	switch {
	case word == "ROOT" || word == "Root":
		at := strings.Index(lowerASCII(rest), "from ")
		if at < 0 {
			return false
		}
		m.set("root_refused", event.ClassAuthentication, authLogon, statusFailure)
		m.user, m.detail, m.severity = "root", "root login refused", severityLow
		m.cutPeer(rest[at+len("FROM "):])
		return true
	case word == "Login":
		m.set("login_restricted", event.ClassAuthentication, authLogon, statusFailure)
		name, found := strings.CutPrefix(rest, "restricted for ")
		m.user, m.detail, _ = strings.Cut(name, ": ")
		return found
	case strings.HasPrefix(rest, "child is on pid "):
		m.set("child_started", event.ClassBase, 0, 0)
		return true
	}
	user, reason, found := cutLast(rest, " not allowed because ")
	if !found {
		if user, reason, found = cutLast(rest, "'s password "); !found {
			return false
		}
	}
	m.set("not_allowed", event.ClassAuthentication, authLogon, statusFailure)
	m.detail, m.severity = reason, severityLow
	if strings.HasPrefix(reason, "account is locked") {
		m.code = "account_locked"
	}
	if strings.Contains(user, " from ") {
		user = m.cutPeer(user)
	}
	m.user = user
	return true
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// tooMany reads "maximum authentication attempts exceeded for [invalid user ]NAME from ADDRESS port N ssh2" and the older "Too many
// authentication failures for NAME".
func (m *sshMessage) tooMany(body string) bool {
	reason, rest, found := strings.Cut(body, " for ")
	if !found || !strings.Contains(reason, "authentication") {
		return false
	}
	m.set("max_attempts", event.ClassAuthentication, authLogon, statusFailure)
	m.detail, m.severity = reason, severityMedium
	rest = strings.TrimSuffix(rest, " ssh2")
	if strings.Contains(rest, " from ") {
		rest = m.cutPeer(rest)
	}
	m.setRemoteUser(rest)
	return true
}

// setRemoteUser reads "[invalid |illegal |authenticating ]user NAME" or just the name.
func (m *sshMessage) setRemoteUser(s string) {
	for _, kind := range [...]string{"invalid user ", "illegal user ", "authenticating user ", "user ", "by user "} {
		name, found := strings.CutPrefix(s, kind)
		if found {
			m.invalid = kind[0] == 'i'
			s = name
			break
		}
	}
	s = strings.TrimSpace(s)
	switch s {
	case "user", "invalid user", "illegal user", "authenticating user":
		s = ""
	}
	m.user = s
}

// session reads the lines on what runs inside a connection.
func (m *sshMessage) session(word, body, rest string) bool {
	switch word {
	case "Starting", "Close":
		code := "session_started"
		m.set(code, event.ClassSSH, netOpen, statusSuccess)
		if word == "Close" {
			m.set("session_ended", event.ClassSSH, netClose, statusSuccess)
		}
		rest, found := strings.CutPrefix(rest, "session: ")
		if i := strings.LastIndex(rest, " id "); i >= 0 {
			rest = rest[:i]
		}
		before := m.cutPeer(rest)
		what, user, ok := cutLast(before, " for ")
		if !ok {
			user = before
		} else {
			m.detail = what
		}
		m.setRemoteUser(user)
		return found
	case "Closing":
		m.set("connection_closed", event.ClassSSH, netClose, statusSuccess)
		rest, found := strings.CutPrefix(rest, "connection to ")
		m.cutPeer(rest)
		return found
	case "subsystem":
		m.set("subsystem_requested", event.ClassBase, 0, statusSuccess)
		rest, found := strings.CutPrefix(rest, "request for ")
		name, user, _ := strings.Cut(rest, " by user ")
		m.detail, m.user = name, user
		return found
	case "session":
		return m.sftpSession(rest)
	}
	m.set("session_note", event.ClassBase, 0, 0)
	m.detail = body
	return true
}

// sftpSession reads "opened for local user NAME from [ADDRESS]" of sftp-server and its closing line.
func (m *sshMessage) sftpSession(rest string) bool {
	how, rest, _ := strings.Cut(rest, " ")
	rest, found := strings.CutPrefix(rest, "for local user ")
	if !found {
		return false
	}
	m.set("sftp_opened", event.ClassSSH, netOpen, statusSuccess)
	if how == "closed" {
		m.set("sftp_closed", event.ClassSSH, netClose, statusSuccess)
	}
	m.user = m.cutPeer(rest)
	return true
}

// credential reads the lines on keys, certificates and the files they are in.
func (m *sshMessage) credential(word, body string) bool {
	m.key = fingerprint(body)
	switch {
	case strings.HasPrefix(body, "Authentication refused: "):
		m.set("key_file_refused", event.ClassBase, 0, statusFailure)
		m.severity = severityLow
	case strings.HasPrefix(body, "Authentication tried for "):
		m.set("key_host_refused", event.ClassAuthentication, authLogon, statusFailure)
		rest := body[len("Authentication tried for "):]
		m.user, _, _ = strings.Cut(rest, " with correct key")
		for k, v := range kv.Quoted(strings.Map(bracketSpace, rest)) {
			if k == "ip" {
				m.peer = v
			}
		}
		m.severity = severityMedium
	case strings.HasPrefix(body, "Authentication key ") && strings.Contains(body, " revoked"):
		m.set("key_revoked", event.ClassBase, 0, statusFailure)
		m.severity = severityMedium
	case word == "Authentication":
		return false
	case strings.HasPrefix(body, "Certificate invalid") || word == "cert:" || strings.HasPrefix(body, "key_cert_check_authority"):
		m.set("certificate_invalid", event.ClassBase, 0, statusFailure)
		m.severity = severityLow
	case strings.HasPrefix(body, "userauth_"):
		m.set("key_type_refused", event.ClassBase, 0, statusFailure)
	case strings.HasPrefix(body, "Found matching") || word == "Matched" || word == "Allowed":
		m.set("key_matched", event.ClassBase, 0, 0)
	default:
		return false
	}
	m.detail = body
	return true
}

func bracketSpace(r rune) rune {
	switch r {
	case '(', ')', ',':
		return ' '
	}
	return r
}

// server reads the lines on the daemon itself.
func (m *sshMessage) server(body string) bool {
	m.detail = body
	switch {
	case strings.HasPrefix(body, "Server listening on "):
		m.set("server_started", event.ClassAppLifecycle, 3, statusSuccess)
		rest := strings.TrimSuffix(body[len("Server listening on "):], ".")
		address, port, _ := strings.Cut(rest, " port ")
		m.local, m.lport = address, port
	case strings.HasPrefix(body, "Exiting on signal"), strings.HasPrefix(body, "sshd: no hostkeys available"):
		m.set("server_stopped", event.ClassAppLifecycle, 4, statusSuccess)
	case strings.HasPrefix(body, "Bind to port "), strings.HasPrefix(body, "Cannot bind any address"), strings.HasPrefix(body, "Missing privilege separation"):
		m.set("server_failed", event.ClassAppLifecycle, 3, statusFailure)
		m.severity = severityMedium
	case strings.HasPrefix(body, "RESTART FAILED"):
		m.set("server_restarted", event.ClassAppLifecycle, 5, statusFailure)
		m.severity = severityMedium
	case strings.HasPrefix(body, "sshd: "), strings.HasPrefix(body, "Generating "), strings.HasPrefix(body, "re-exec"), strings.HasPrefix(body, "daemon() failed"):
		m.set("server_note", event.ClassBase, 0, 0)
	default:
		return false
	}
	return true
}
