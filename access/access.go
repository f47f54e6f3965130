// Package access says who may do what: people, programs with tokens, their roles and the sites they see. A request carries its person in its
// context; what shows or does something asks the person.
package access

import (
	"context"
	"fmt"
	"slices"
)

// Role is what somebody may do; each includes the ones before it. The zero Role may nothing.
type Role uint8

// The roles.
const (
	Viewer  Role = iota + 1 // Reads.
	Analyst                 // Acts on incidents, suppresses, delivers again.
	Author                  // Writes and tests rules.
	Admin                   // Manages people, tokens, secrets and endpoints.
)

var roleNames = [...]string{"", "viewer", "analyst", "author", "admin"}

// String is the role as configuration and pages write it.
func (r Role) String() string { return roleNames[min(int(r), len(roleNames)-1)] }

// MarshalText writes the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role's name.
func (r *Role) UnmarshalText(text []byte) (err error) {
	*r, err = RoleOf(string(text))
	return err
}

// RoleOf is the role with that name; the error lists the names.
func RoleOf(name string) (Role, error) {
	if i := slices.Index(roleNames[1:], name); i >= 0 {
		return Role(i + 1), nil
	}
	return 0, fmt.Errorf("%q is not a role; use viewer, analyst, author or admin", name)
}

// Person is who asks: somebody at the console or a program with a token. The zero Person may nothing.
type Person struct {
	Name   string
	Role   Role
	Sites  []string // The sites this person sees; nil: all.
	Via    string   // How we know: loopback, local, oidc or token:<id>.
	Scopes []string // Of a token; nil: whatever the role may.
	Origin string   // Of a token: the endpoint that uses it, which is not told again what it told us.
}

// May reports whether the person has at least the role.
func (p Person) May(need Role) bool { return need > 0 && p.Role >= need }

// Sees reports whether the person may see something that belongs to these sites. What belongs to no site is seen by everybody who may read.
func (p Person) Sees(sites []string) bool {
	if p.Role == 0 {
		return false
	}
	if p.Sites == nil || len(sites) == 0 {
		return true
	}
	return slices.ContainsFunc(sites, func(s string) bool { return slices.Contains(p.Sites, s) })
}

// Everywhere reports whether the person sees all sites, and so may see what cannot be told by site.
func (p Person) Everywhere() bool { return p.Role > 0 && p.Sites == nil }

// Has reports whether a token may be used for this; a person without a token may.
func (p Person) Has(scope string) bool { return p.Scopes == nil || slices.Contains(p.Scopes, scope) }

type key struct{}

// With gives a context that carries the person.
func With(ctx context.Context, p Person) context.Context { return context.WithValue(ctx, key{}, p) }

// From is the person of a context; the zero Person if there is none.
func From(ctx context.Context) Person {
	p, _ := ctx.Value(key{}).(Person)
	return p
}
