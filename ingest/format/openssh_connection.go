package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// connection reads the lines on the beginning and the end of a connection.
func (m *sshMessage) connection(word, rest string) bool {
	switch word {
	case "Connection":
		return m.connectionLine(rest)
	case "Disconnected":
		m.set("disconnected", event.ClassSSH, netClose, statusSuccess)
		rest, found := strings.CutPrefix(rest, "from ")
		m.setRemoteUser(m.cutPeer(rest))
		return found
	case "Received":
		return m.received(rest)
	case "Disconnecting:":
		m.set("disconnecting", event.ClassSSH, netClose, statusFailure)
		m.detail = rest
		if _, user, found := strings.Cut(rest, "Too many authentication failures for "); found {
			m.set("max_attempts", event.ClassAuthentication, authLogon, statusFailure)
			m.detail, m.severity = "Too many authentication failures", severityMedium
			m.setRemoteUser(user)
		}
		return true
	}
	return m.disconnecting(rest)
}

func (m *sshMessage) connectionLine(rest string) bool {
	how, rest, _ := strings.Cut(rest, " ")
	switch how {
	case "from":
		m.set("connection_opened", event.ClassSSH, netOpen, statusSuccess)
		peer, local, _ := strings.Cut(rest, " on ")
		m.cutPeer("from " + peer)
		address, port, _ := strings.Cut(local, " port ")
		m.local, m.lport = address, port[:leadingDigits(port)]
		return true
	case "closed", "reset":
		m.set("connection_closed", event.ClassSSH, netClose, statusSuccess)
		if how == "reset" {
			m.set("connection_reset", event.ClassSSH, netReset, statusSuccess)
		}
		rest, found := strings.CutPrefix(rest, "by ")
		if rest == "remote host" {
			return found
		}
		m.setRemoteUser(m.cutPeer(rest))
		return found
	}
	return false
}

// received reads "disconnect from ADDRESS port N:CODE: TEXT", "disconnect from ADDRESS: CODE: TEXT" and "signal N; terminating."
func (m *sshMessage) received(rest string) bool {
	if s, found := strings.CutPrefix(rest, "signal "); found {
		m.set("server_stopped", event.ClassAppLifecycle, 4, statusSuccess)
		m.detail = "signal " + s
		return true
	}
	if strings.HasPrefix(rest, "SIGHUP") {
		m.set("server_restarted", event.ClassAppLifecycle, 5, statusSuccess)
		return true
	}
	rest, found := strings.CutPrefix(rest, "disconnect from ")
	if !found {
		return false
	}
	m.set("disconnect_received", event.ClassSSH, netClose, statusSuccess)
	// The text after the code is the client's; the peer stands before it.
	var head, tail string
	if i := strings.Index(rest, " port "); i >= 0 {
		n := i + len(" port ")
		n += leadingDigits(rest[n:])
		head, tail = rest[:n], strings.TrimPrefix(rest[n:], ":")
	} else {
		head, tail, _ = strings.Cut(rest, ": ")
	}
	if user := m.cutPeer(head); user != "" {
		m.setRemoteUser(user)
	}
	if n := leadingDigits(strings.TrimLeft(tail, " ")); n > 0 {
		_, tail, _ = strings.Cut(tail, ":")
	}
	m.detail = strings.TrimSpace(tail)
	return true
}

// disconnecting reads "[invalid user |authenticating user |user ]NAME ADDRESS port N: REASON".
func (m *sshMessage) disconnecting(rest string) bool {
	m.set("disconnecting", event.ClassSSH, netClose, statusFailure)
	i := strings.LastIndex(rest, " port ")
	if i < 0 {
		return false
	}
	head, reason := rest, ""
	if n := strings.Index(rest[i:], ": "); n >= 0 {
		head, reason = rest[:i+n], rest[i+n+2:]
	}
	m.detail = reason
	m.setRemoteUser(m.cutPeer(head))
	if strings.HasPrefix(reason, "Too many authentication failures") {
		m.set("max_attempts", event.ClassAuthentication, authLogon, statusFailure)
		m.severity = severityMedium
	}
	if strings.HasPrefix(reason, "Change of username or service not allowed") {
		m.set("user_switched", event.ClassAuthentication, authLogon, statusFailure)
		m.severity = severityMedium
	}
	return true
}

// timeout reads "Timeout before authentication for ADDRESS port N", since 9.8 "… for connection from ADDRESS to ADDRESS, pid = N", and
// "Timeout, client not responding from [user NAME ]ADDRESS port N".
func (m *sshMessage) timeout(body string) bool {
	if rest, found := strings.CutPrefix(body, "Timeout before authentication for "); found {
		m.set("timeout", event.ClassSSH, netFail, statusFailure)
		m.detail = "Timeout before authentication"
		if rest, found = strings.CutPrefix(rest, "connection from "); found {
			peer, local, _ := strings.Cut(rest, " to ")
			m.peer = peer
			m.local, _, _ = strings.Cut(local, ",")
			return true
		}
		m.cutPeer(rest)
		return true
	}
	rest, found := strings.CutPrefix(body, "Timeout, client not responding")
	m.set("client_silent", event.ClassSSH, netClose, statusFailure)
	m.detail = "client not responding"
	m.setRemoteUser(m.cutPeer(strings.TrimPrefix(strings.TrimPrefix(rest, "."), " from ")))
	return found
}
