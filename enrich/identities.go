package enrich

import (
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// IdentityInfo is one person or service account. Its slices are shared: do not change them.
type IdentityInfo struct {
	ID          string     // Canonical id: user:ana.silva. The file holds the part after the colon.
	FullName    string     // Display name; not used for matching.
	Roles       []string   // Roles as rules name them, such as robot-admin.
	Kind        string     // employee, contractor, vendor or service.
	HomeCountry string     // ISO 3166 alpha-2.
	Privileged  event.Bool // May change robots, controllers or directories.
	Departed    event.Bool // Has left; any sign-in is wrong.

	Aliases  []string // Any other key sources use.
	UIDs     []string // Object ids and SIDs.
	Emails   []string // E-mail addresses and UPNs.
	Accounts []string // domain\user.
	Names    []string // Bare login names that belong to this person alone.

	shift []*hours
}

// OnShift reports whether the instant, in microseconds, falls into the working hours; Unknown where none are written down.
func (i *IdentityInfo) OnShift(at int64) event.Bool {
	if len(i.shift) == 0 {
		return event.Unknown
	}
	return event.BoolOf(anyContains(i.shift, at))
}

// Shift is the working hours as written.
func (i *IdentityInfo) Shift() string {
	out := make([]string, len(i.shift))
	for n, h := range i.shift {
		out[n] = h.text
	}
	return strings.Join(out, "; ")
}

var identityKinds = []string{"employee", "contractor", "vendor", "service"}

func identityColumns() []column[IdentityInfo] {
	return []column[IdentityInfo]{
		name("id", func(i *IdentityInfo) *string { return &i.ID }),
		text("full_name", func(i *IdentityInfo) *string { return &i.FullName }),
		texts("aliases", func(i *IdentityInfo) *[]string { return &i.Aliases }),
		texts("uids", func(i *IdentityInfo) *[]string { return &i.UIDs }),
		{name: "emails", list: true, set: setEmails},
		{name: "accounts", list: true, set: setAccounts},
		texts("names", func(i *IdentityInfo) *[]string { return &i.Names }),
		names("roles", func(i *IdentityInfo) *[]string { return &i.Roles }),
		word("kind", identityKinds, func(i *IdentityInfo) *string { return &i.Kind }),
		{name: "home_country", set: setCountry},
		{name: "shift", list: true, set: setShift},
		truth("privileged", func(i *IdentityInfo) *event.Bool { return &i.Privileged }),
		truth("departed", func(i *IdentityInfo) *event.Bool { return &i.Departed }),
	}
}

func setEmails(i *IdentityInfo, vs []string) fault {
	for _, v := range vs {
		user, domain, ok := strings.Cut(v, "@")
		if !ok || user == "" || domain == "" {
			return fault{quote(v) + " is not an e-mail address", "write it as ana.silva@plant.example; other keys belong into uids, accounts or names"}
		}
	}
	i.Emails = vs
	return fault{}
}

func setAccounts(i *IdentityInfo, vs []string) fault {
	for _, v := range vs {
		domain, user, ok := strings.Cut(v, `\`)
		if !ok || user == "" || domain == "" {
			return fault{quote(v) + ` is not domain\user`, `write it as PLANT\asilva; bare login names belong into names`}
		}
	}
	i.Accounts = vs
	return fault{}
}

func setCountry(i *IdentityInfo, v []string) fault {
	c := v[0]
	if len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z' {
		return fault{quote(c) + " is not a country code", "use two capital letters of ISO 3166, such as DE"}
	}
	i.HomeCountry = c
	return fault{}
}

func setShift(i *IdentityInfo, vs []string) fault {
	for _, v := range vs {
		h, f := parseHours(v)
		if f != (fault{}) {
			return f
		}
		i.shift = append(i.shift, h)
	}
	return fault{}
}

// addIdentities builds the identity table and its index.
func (b *builder) addIdentities(rows []placed[IdentityInfo], rep *report) {
	keys := newIndex[string]("key")
	for n := range rows {
		i, line := rows[n].row, rows[n].line
		rep.muted = rows[n].bad
		if i.ID == "" {
			rep.add(line, "id", "is missing", "give every identity an id, such as ana.silva")
			continue
		}
		owner := claim{int32(len(b.t.identities)), line, i.ID}
		keys.add(rep, owner, "id", i.ID)
		for _, list := range []struct {
			field  string
			values []string
		}{{"aliases", i.Aliases}, {"uids", i.UIDs}, {"emails", i.Emails}, {"accounts", i.Accounts}, {"names", i.Names}} {
			for _, v := range list.values {
				keys.add(rep, owner, list.field, key(v))
			}
		}
		i.ID = "user:" + i.ID
		b.t.identities = append(b.t.identities, i)
	}
	b.t.identityKeys = keys.byKey()
}
