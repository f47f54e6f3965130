package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/kv"
)

// readPAM recognises what sshd and its PAM modules say about an account: "pam_unix(sshd:auth): …", "PAM: …", "PAM 2 more authentication
// failures; …". The wording is that of Linux-PAM's modules and of sssd.
func readPAM(m *sshMessage, body string) bool {
	if !strings.HasPrefix(body, "pam_") {
		return readPAMOfServer(m, body)
	}
	module, rest, found := strings.Cut(body, "): ")
	name, context, inContext := strings.Cut(module, "(")
	if !found || !inContext || strings.ContainsAny(name, " :") {
		if name, rest, found = strings.Cut(body, ": "); !found || strings.IndexByte(name, ' ') >= 0 {
			return false
		}
		context = ""
	}
	service, stage, _ := strings.Cut(context, ":")
	if service != "" && service != "sshd" && m.service == "" {
		m.service = service
	}
	if name == "pam_unix" && stage == "session" || strings.HasPrefix(rest, "session ") {
		if m.pamSession(rest) {
			return true
		}
	}
	return m.pamVerdict(name, stage, rest)
}

// readPAMOfServer reads what sshd itself says about PAM.
func readPAMOfServer(m *sshMessage, body string) bool {
	switch {
	case strings.HasPrefix(body, "PAM adding faulty module: "), strings.HasPrefix(body, "PAM unable to dlopen("):
		m.set("pam_module_faulty", event.ClassBase, 0, statusFailure)
		m.detail, m.severity = body, severityLow
		return true
	case strings.HasPrefix(body, "PAM service(") && strings.Contains(body, "ignoring max retries"):
		m.set("pam_retries_ignored", event.ClassBase, 0, statusFailure)
		m.detail, m.severity = body, severityLow
		return true
	case strings.HasPrefix(body, "PAM: "):
		rest := body[len("PAM: "):]
		reason, who, found := strings.Cut(rest, " for ")
		m.set("pam_failed", event.ClassAuthentication, authLogon, statusFailure)
		m.detail = reason
		if !found {
			m.class = event.ClassBase
			m.activity = 0
			return true
		}
		user, host, fromHost := cutLast(who, " from ")
		m.setRemoteUser(user)
		if fromHost {
			m.peer = host
		}
		return true
	}
	// "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root"
	_, rest, found := strings.Cut(body, " more authentication failure")
	if !found {
		return false
	}
	m.set("pam_failed", event.ClassAuthentication, authLogon, statusFailure)
	m.detail = "authentication failure"
	m.pamFields(rest)
	return true
}

// pamSession reads "session opened for user NAME[(uid=N)] by [NAME](uid=N)" and "session closed for user NAME".
func (m *sshMessage) pamSession(rest string) bool {
	if name, found := strings.CutPrefix(rest, "session opened for user "); found {
		m.set("session_opened", event.ClassAuthentication, authLogon, statusSuccess)
		name, by, _ := strings.Cut(name, " by ")
		m.user, _, _ = strings.Cut(name, "(uid=")
		m.by, _, _ = strings.Cut(by, "(uid=")
		return true
	}
	if name, found := strings.CutPrefix(rest, "session closed for user "); found {
		m.set("session_closed", event.ClassAuthentication, authLogoff, statusSuccess)
		m.user = name
		return true
	}
	return false
}

// pamVerdict reads what a module decided.
func (m *sshMessage) pamVerdict(module, stage, rest string) bool {
	m.method = module
	m.set("pam_note", event.ClassBase, 0, 0)
	m.detail = rest
	switch {
	case strings.HasPrefix(rest, "authentication failure"), strings.HasPrefix(rest, "authentication success"):
		m.set("pam_failed", event.ClassAuthentication, authLogon, statusFailure)
		if strings.HasPrefix(rest, "authentication success") {
			m.set("pam_accepted", event.ClassAuthentication, authPreauth, statusSuccess)
		}
		m.detail, _, _ = strings.Cut(rest, ";")
		m.pamFields(rest)
	case strings.HasPrefix(rest, "check pass; user unknown"):
		m.set("pam_user_unknown", event.ClassAuthentication, authPreauth, statusFailure)
		m.detail = "user unknown"
	case strings.HasPrefix(rest, "bad username ["):
		m.set("pam_failed", event.ClassAuthentication, authLogon, statusFailure)
		m.user, _, _ = strings.Cut(rest[len("bad username ["):], "]")
		m.invalid = true
	case strings.HasPrefix(rest, "password changed for "):
		m.set("password_changed", event.ClassAccountChange, 3, statusSuccess)
		m.user = rest[len("password changed for "):]
	case strings.HasPrefix(rest, "Consecutive login failures for user "):
		m.set("account_locked", event.ClassAuthentication, authLogon, statusFailure)
		m.severity = severityMedium
		m.user, _, _ = strings.Cut(rest[len("Consecutive login failures for user "):], " account")
	case strings.HasPrefix(rest, "Failed to create session"):
		m.set("session_failed", event.ClassSSH, netFail, statusFailure)
		_, m.detail, _ = strings.Cut(rest, ": ")
	case m.pamUserInside(rest):
	}
	if m.class == event.ClassAuthentication && stage == "account" && m.status == statusFailure && m.code == "pam_failed" {
		m.code = "pam_account_refused"
	}
	return true
}

// pamFields reads "; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root".
func (m *sshMessage) pamFields(s string) {
	for key, value := range kv.Quoted(s) {
		switch key {
		case "rhost":
			m.peer = value
		case "user":
			m.user = value
		}
	}
	if !isPeer(m.peer) {
		m.peer = ""
	}
}

// pamWordings are messages that name the account after a fixed text. ends is what follows the name; "" is the rest of the line.
var pamWordings = []struct {
	begins, ends string
	code         string
	status       uint8
	activity     uint16
}{
	{"account ", " has expired", "account_expired", statusFailure, authLogon},
	{"expired password for user ", " ", "password_expired", statusFailure, authLogon},
	{"Access denied for user ", ":", "pam_account_refused", statusFailure, authLogon},
	{"access denied for user `", "'", "pam_account_refused", statusFailure, authLogon},
	{"access denied for user '", "'", "pam_account_refused", statusFailure, authLogon},
	{"received for user ", ":", "pam_failed", statusFailure, authLogon},
	{"Refused user ", " for service", "pam_account_refused", statusFailure, authLogon},
	{"user '", "' granted access", "pam_accepted", statusSuccess, authPreauth},
	{"user '", "' denied access", "pam_failed", statusFailure, authLogon},
	{"user ", " authenticated as", "pam_accepted", statusSuccess, authPreauth},
	{"user ", " tally ", "account_locked", statusFailure, authLogon},
	{"user ", " (", "account_locked", statusFailure, authLogon},
	{"not met by user \"", "\"", "pam_failed", statusFailure, authLogon},
	{"was met by user \"", "\"", "pam_accepted", statusSuccess, authPreauth},
	{"Invalid verification code for ", "", "otp_failed", statusFailure, authLogon},
	{"Accepted google_authenticator for ", "", "otp_accepted", statusSuccess, authPreauth},
	{"could not identify user (from getpwnam(", ")", "pam_failed", statusFailure, authLogon},
	{"auth could not identify password for [", "]", "pam_failed", statusFailure, authLogon},
	{"Login failed for user ", " ", "pam_failed", statusFailure, authLogon},
}

// pamUserInside reads the other modules' messages, which say the same in their own words.
func (m *sshMessage) pamUserInside(rest string) bool {
	for _, w := range pamWordings {
		at := strings.Index(rest, w.begins)
		if at < 0 {
			continue
		}
		name := rest[at+len(w.begins):]
		if w.ends != "" {
			end := strings.Index(name, w.ends)
			if end < 0 && w.ends != " " {
				continue
			}
			if end >= 0 {
				name = name[:end]
			}
		}
		if name == "" || strings.IndexByte(name, ' ') >= 0 && w.ends != "\"" {
			continue
		}
		m.set(w.code, event.ClassAuthentication, w.activity, w.status)
		m.user = name
		if w.code == "account_locked" {
			m.severity = severityMedium
		}
		if i := strings.Index(rest, "from `"); i >= 0 {
			m.peer, _, _ = strings.Cut(rest[i+len("from `"):], "'")
		}
		return true
	}
	return false
}

// readSudo reads "NAME : [TROUBLE ;] TTY=… ; PWD=… ; USER=… ; COMMAND=…", and PAM's lines under sudo's name.
func readSudo(m *sshMessage, body string) bool {
	if strings.HasPrefix(body, "pam_") {
		return readPAM(m, body)
	}
	name, rest, found := strings.Cut(body, " : ")
	if !found || strings.IndexByte(strings.TrimSpace(name), ' ') >= 0 {
		return false
	}
	m.set("sudo", event.ClassAuthentication, authSwitch, statusSuccess)
	m.by = strings.TrimSpace(name)
	head := rest
	if i := strings.Index(rest, "COMMAND="); i >= 0 {
		m.command = rest[i+len("COMMAND="):]
		head = rest[:i]
	}
	for part := range strings.SplitSeq(head, ";") {
		key, value, pair := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case pair && key == "USER":
			m.user = value
		case !pair && key != "" && m.status == statusSuccess:
			m.set("sudo_refused", event.ClassAuthentication, authSwitch, statusFailure)
			m.detail, m.severity = key, severityMedium
		}
	}
	return m.user != "" || m.detail != ""
}

// readSu reads "(to NAME) NAME on TTY", "FAILED SU (to NAME) NAME on TTY", "Successful su for NAME by NAME", "FAILED su for NAME by NAME".
func readSu(m *sshMessage, body string) bool {
	if strings.HasPrefix(body, "pam_") {
		return readPAM(m, body)
	}
	m.set("su", event.ClassAuthentication, authSwitch, statusSuccess)
	if strings.HasPrefix(body, "FAILED ") {
		m.set("su_refused", event.ClassAuthentication, authSwitch, statusFailure)
		m.severity = severityLow
	}
	if _, rest, found := strings.Cut(body, "(to "); found {
		to, by, _ := strings.Cut(rest, ") ")
		m.user = to
		m.by, _, _ = strings.Cut(by, " ")
		return m.user != ""
	}
	_, rest, found := strings.Cut(body, "su for ")
	m.user, m.by, _ = strings.Cut(rest, " by ")
	return found && m.user != ""
}
