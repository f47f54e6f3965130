package format

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// setAccount fills a user from a login name as RADIUS, SSH and Windows write it: name, DOMAIN\name, name@realm, or host/name for the
// account of a machine. It reports whether the name belongs to a machine. Placeholders leave the user empty.
func setAccount(u *event.User, login string) (machine bool) {
	login = strings.TrimSpace(login)
	if event.Placeholder(login) || strings.Trim(login, "*") == "" {
		return false
	}
	if host, found := strings.CutPrefix(login, "host/"); found && host != "" {
		u.Name, u.TypeID = login, userSystem
		return true
	}
	if domain, name, found := strings.Cut(login, `\`); found && domain != "" && name != "" {
		name = strings.TrimLeft(name, `\`)
		u.Domain, u.Name = domain, name
		return strings.HasSuffix(name, "$")
	}
	if at := strings.LastIndexByte(login, '@'); at > 0 && at < len(login)-1 && strings.IndexByte(login, ' ') < 0 {
		u.Name, u.Domain = login[:at], login[at+1:]
		if isEmail(login) {
			u.Email = strings.ToLower(login)
		}
		return false
	}
	u.Name = login
	return strings.HasSuffix(login, "$")
}

// OCSF user.type_id.
const (
	userAdmin  = 2
	userSystem = 3
)
