package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// setWinUser fills a user from a name, a domain and a SID. The accounts that every machine has keep nothing but their English name: their SIDs and
// domains are the same everywhere and identify nobody.
func setWinUser(u *event.User, name, domain, sid string) {
	name, domain, sid = meant(name), meant(domain), meant(sid)
	if english := builtinAccount(sid); english != "" {
		u.Name, u.TypeID = english, userSystem
		return
	}
	if strings.HasPrefix(sid, "S-1-5-21-") || strings.HasPrefix(sid, "S-1-12-1-") {
		u.UID = sid
	}
	switch {
	case name == "":
	case strings.IndexByte(name, '\\') > 0:
		setWinLogin(u, name)
	case builtinDomain(domain):
		u.Name, u.TypeID = name, userSystem
	default:
		u.Name, u.Domain = name, domain
		if at := strings.IndexByte(name, '@'); at > 0 {
			if domain == "" {
				u.Domain = ""
			}
			if isEmail(name) {
				u.Email = strings.ToLower(name)
			}
		}
	}
	if strings.HasSuffix(u.Name, "$") {
		u.TypeID = userSystem
	}
}

// setWinLogin fills a user from DOMAIN\name.
func setWinLogin(u *event.User, login string) {
	login = meant(login)
	if login == "" {
		return
	}
	domain, name, found := strings.Cut(login, `\`)
	if !found || name == "" {
		u.Name = login
	} else if u.Name = name; builtinDomain(domain) {
		u.TypeID = userSystem
	} else {
		u.Domain = domain
	}
	if strings.HasSuffix(u.Name, "$") {
		u.TypeID = userSystem
	}
}

// builtinAccount is the English name of an account that every machine has under the same SID; "" for others.
func builtinAccount(sid string) string {
	switch sid {
	case "S-1-5-18":
		return "SYSTEM"
	case "S-1-5-19":
		return "LOCAL SERVICE"
	case "S-1-5-20":
		return "NETWORK SERVICE"
	case "S-1-5-7":
		return "ANONYMOUS LOGON"
	}
	return ""
}

// builtinDomain reports whether a domain is one of those of the accounts that every machine has, in the languages that translate it.
func builtinDomain(domain string) bool {
	switch {
	case len(domain) < 6:
		return false
	case strings.EqualFold(domain, "NT AUTHORITY"), strings.EqualFold(domain, "NT-AUTORITÄT"), strings.EqualFold(domain, "AUTORITE NT"), strings.EqualFold(domain, "NT SERVICE"),
		strings.EqualFold(domain, "NT INSTANS"), strings.EqualFold(domain, "Window Manager"), strings.EqualFold(domain, "Font Driver Host"), strings.EqualFold(domain, "IIS APPPOOL"),
		strings.EqualFold(domain, "NT VIRTUAL MACHINE"), strings.EqualFold(domain, "BUILTIN"):
		return true
	}
	return false
}

// subject fills the one who did it from the Subject fields of the security log.
func subject(w *winRecord, e *event.Event) {
	setWinUser(&e.Actor.User, w.said("SubjectUserName"), w.said("SubjectDomainName"), w.said("SubjectUserSid"))
	e.Actor.Session.UID = w.logonSession(e, "SubjectLogonId")
}

// target fills the one it was done to from the Target fields of the security log.
func target(w *winRecord, e *event.Event) {
	sid := w.said("TargetUserSid")
	if sid == "" {
		sid = w.said("TargetSid")
	}
	setWinUser(&e.User, w.said("TargetUserName"), w.said("TargetDomainName"), sid)
}

// logonSession names a logon session by the machine and its number there. The sessions of the system itself have the same number on every start of
// every machine and are left out.
func (w *winRecord) logonSession(e *event.Event, number string) string {
	switch id := w.said(number); id {
	case "", "0x0", "0x3e7", "0x3e6", "0x3e5", "0x3e4", "0", "999", "998", "997", "996":
		return ""
	default:
		return e.Device.Hostname + "/" + id
	}
}

// machineOf notes the machine of a machine account beside the account: where it logs on from.
func machineOf(e *event.Event, u *event.User) {
	if host, machine := strings.CutSuffix(u.Name, "$"); machine && host != "" {
		e.AddEntity(event.EntityDevice, event.RoleSource, event.Weak, event.ObjectExtra, host)
	}
}
