package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// How a person signs in.
const (
	ViaLocal = "local"
	ViaOIDC  = "oidc"
)

// User is somebody who may sign in.
type User struct {
	Name     string   `json:"name"`
	Role     Role     `json:"role"`
	Sites    []string `json:"sites"`             // nil: all.
	Via      string   `json:"via"`               // ViaLocal or ViaOIDC.
	Subject  string   `json:"subject,omitempty"` // Who it is at the identity provider: issuer and subject.
	Hash     string   `json:"hash,omitempty"`    // Of the password.
	Disabled bool     `json:"disabled,omitempty"`
	Stamp    string   `json:"stamp"` // Sessions and personal tokens of another stamp are void.
}

func (u *User) person() Person {
	return Person{Name: u.Name, Role: u.Role, Sites: u.Sites, Via: u.Via}
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

// ErrInput means that what was asked for cannot be, for a reason that the text tells.
var ErrInput = errors.New("not possible")

func inputf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInput, fmt.Errorf(format, args...))
}

// ErrNobody means that there is no such person, token or session.
var ErrNobody = errors.New("there is no such one")

// CheckSites says what is wrong with a list of sites.
func CheckSites(sites []string) error {
	for _, s := range sites {
		if s == "" || len(s) > 100 || strings.TrimSpace(s) != s {
			return inputf("%q is not the name of a site", s)
		}
	}
	return nil
}

// Users lists everybody who may sign in or has, by name.
func (s *Service) Users(ctx context.Context) ([]User, error) { return s.users.all(ctx) }

// AddUser adds somebody with a password.
func (s *Service) AddUser(ctx context.Context, name, password string, role Role, sites []string, by string) error {
	name = strings.TrimSpace(name)
	if !userName.MatchString(name) {
		return inputf("%q is not a name here: use small letters, digits and . _ @ + -, beginning with a letter or digit, at most 64", name)
	}
	if role < Viewer || role > Admin {
		return inputf("give a role: viewer, analyst, author or admin")
	}
	if err := cmp.Or(CheckSites(sites), wrapInput(CheckPassword(name, password))); err != nil {
		return err
	}
	if _, found, err := s.users.get(ctx, name); err != nil || found {
		return cmp.Or(err, inputf("%s exists already", name))
	}
	hash := ""
	if err := s.hash.do(ctx, func() { hash = hashPassword(password, s.set.Memory) }); err != nil {
		return err
	}
	return s.users.put(ctx, name, User{Name: name, Role: role, Sites: sites, Via: ViaLocal, Hash: hash, Stamp: rand.Text()}, 0, by)
}

func wrapInput(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInput, err)
}

// change keeps another revision of somebody.
func (s *Service) change(ctx context.Context, name, by string, edit func(*User) error) error {
	u, found, err := s.users.get(ctx, name)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: %s", ErrNobody, name)
	}
	v := u.value
	v.Sites = slices.Clone(v.Sites)
	if err := edit(&v); err != nil {
		return err
	}
	return s.users.put(ctx, name, v, u.revision, by)
}

// SetPassword gives somebody another password and ends all sessions and personal tokens.
func (s *Service) SetPassword(ctx context.Context, name, password, by string) error {
	if err := wrapInput(CheckPassword(name, password)); err != nil {
		return err
	}
	hash := ""
	if err := s.hash.do(ctx, func() { hash = hashPassword(password, s.set.Memory) }); err != nil {
		return err
	}
	err := s.change(ctx, name, by, func(u *User) error {
		if u.Via != ViaLocal {
			return inputf("%s signs in with the identity provider and has no password here", name)
		}
		u.Hash, u.Stamp = hash, rand.Text()
		return nil
	})
	if err != nil {
		return err
	}
	return s.endAll(ctx, name, by)
}

// ChangePassword is SetPassword by somebody who knows the old one.
func (s *Service) ChangePassword(ctx context.Context, name, old, password string) error {
	if wait := s.byName.Left(name); wait > 0 {
		return TooMany{wait}
	}
	u, found, err := s.users.get(ctx, name)
	if err != nil {
		return err
	}
	good := false
	if err := s.hash.do(ctx, func() { good = found && len(old) <= maxPassword && matches(u.value.Hash, old) }); err != nil {
		return err
	}
	if !good {
		s.byName.Take(name)
		return inputf("the old password is another one")
	}
	return s.SetPassword(ctx, name, password, name)
}

// SetRole gives somebody another role and other sites; nil: all. The last admin who can sign in stays one.
func (s *Service) SetRole(ctx context.Context, name string, role Role, sites []string, by string) error {
	if role < Viewer || role > Admin {
		return inputf("give a role: viewer, analyst, author or admin")
	}
	if err := CheckSites(sites); err != nil {
		return err
	}
	if err := s.keepAnAdmin(ctx, name, role == Admin && sites == nil); err != nil {
		return err
	}
	return s.change(ctx, name, by, func(u *User) error {
		if u.Via == ViaOIDC {
			return inputf("the role of %s comes from the identity provider: change the groups there, or console.sign_in.oidc.roles", name)
		}
		u.Role, u.Sites = role, sites
		return nil
	})
}

// Disable keeps somebody from signing in, and ends all sessions and personal tokens; or lets them in again.
func (s *Service) Disable(ctx context.Context, name string, disabled bool, by string) error {
	if err := s.keepAnAdmin(ctx, name, !disabled); err != nil {
		return err
	}
	err := s.change(ctx, name, by, func(u *User) error {
		u.Disabled, u.Stamp = disabled, rand.Text()
		return nil
	})
	if err != nil {
		return err
	}
	return s.endAll(ctx, name, by)
}

// keepAnAdmin refuses what would leave nobody to manage people, unless the identity provider makes admins.
func (s *Service) keepAnAdmin(ctx context.Context, name string, stays bool) error {
	if stays || s.set.OIDC != nil {
		return nil
	}
	list, err := s.users.all(ctx)
	if err != nil {
		return err
	}
	last := false
	for _, u := range list {
		if u.Role == Admin && !u.Disabled && u.Sites == nil {
			if u.Name != name {
				return nil
			}
			last = true
		}
	}
	if last {
		return inputf("%s is the last admin: make somebody else one first", name)
	}
	return nil
}
