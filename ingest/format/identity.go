package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

// setLogin fills a login name and, where it is one, the e-mail address. Placeholders are left out.
func setLogin(u *event.User, login string) {
	if login = meant(login); login == "" {
		return
	}
	if isEmail(login) {
		login = strings.ToLower(login)
		u.Email = login
	}
	u.Name = login
}

// setPrincipal fills the name of a directory account: a user principal name, which counts as the e-mail address whatever its shape.
func setPrincipal(u *event.User, principal string) {
	if principal = strings.ToLower(meant(principal)); principal == "" {
		return
	}
	u.Name, u.Email = principal, principal
}

// isEmail reports whether s has the shape OCSF demands of email_t: directory logins without a domain do not.
func isEmail(s string) bool {
	at := strings.IndexByte(s, '@')
	if at <= 0 || at > 128 || len(s) > 254 {
		return false
	}
	for i := range at {
		if c := s[i]; !alphanumeric(c) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) < 0 {
			return false
		}
	}
	label, rest, dotted := strings.Cut(s[at+1:], ".")
	if !dotted || label == "" || rest == "" {
		return false
	}
	for i := at + 1; i < len(s); i++ {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// meant is s without surrounding space, or "" for a placeholder.
func meant(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || startsPlaceholder(s[0]) && (event.Placeholder(s) || s == "<null>") {
		return ""
	}
	return s
}

// startsPlaceholder spares most values the comparison with all placeholders.
func startsPlaceholder(c byte) bool {
	switch c | 0x20 {
	case 'n', 'u', 'r', '-', '(', '<', '0', '9':
		return true
	}
	return false
}

// triBool is a boolean that may be written as text; unknown where it is missing.
func triBool(r *jsonscan.Result, slot int) event.Bool {
	if v, ok := r.LooseBool(slot); ok {
		return event.BoolOf(v)
	}
	return event.Unknown
}
