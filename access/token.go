package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The scopes of tokens: what a token may be used for, within its role.
const (
	ScopeRead        = "read"        // Everything that only reads.
	ScopeAct         = "act"         // What changes incidents, suppressions, deliveries, rules.
	ScopeDisposition = "disposition" // Telling what came of an incident, for a SOAR.
	ScopeFeeds       = "feeds"       // Reading feeds; such a token may stand in an address.
	ScopeIngest      = "ingest"      // Sending records to HTTP sources.
	ScopeManage      = "manage"      // What an admin does: people, tokens, the audit.
)

// Scopes lists the scopes there are.
func Scopes() []string {
	return []string{ScopeRead, ScopeAct, ScopeDisposition, ScopeFeeds, ScopeIngest, ScopeManage}
}

// Token lets a program in. What it is given to programs as is not stored, only its hash.
type Token struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`            // What it is for, for people.
	Owner   string   `json:"owner,omitempty"` // Whose it is: it may no more than they. Empty: nobody's, an admin made it.
	Stamp   string   `json:"stamp,omitempty"` // The owner's when it was made.
	Role    Role     `json:"role"`
	Sites   []string `json:"sites"` // nil: all.
	Scopes  []string `json:"scopes"`
	Origin  string   `json:"origin,omitempty"` // The endpoint that uses it: it is not told again what it told us.
	Hash    string   `json:"hash"`             // SHA-256 of the secret, hexadecimal: it has 260 random bits, so a slow hash gains nothing.
	Created int64    `json:"created"`          // Microseconds.
	Expires int64    `json:"expires"`
	By      string   `json:"by"`
}

// Used says when a token was last used, by day.
type Used struct {
	Token string `json:"token"`
	At    int64  `json:"at"`
}

// TokenPrefix is what every token begins with, so that it is found where it should not be.
const TokenPrefix = "tct_"

// How long tokens last.
const (
	DefaultTokenLife = 90 * 24 * time.Hour
	MaxTokenLife     = 400 * 24 * time.Hour
)

// ErrToken means that a token is not good.
var ErrToken = errors.New("the token is not good: it is wrong, revoked or expired")

func tokenKey(id string) string { return "token:" + id }

// bearer is the API token of a request. Other bearer tokens are not ours: sources have such.
func bearer(r *http.Request) string {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, TokenPrefix) {
		return ""
	}
	return secret
}

// AddToken makes a token as t says: Name, Owner, Role, Sites, Scopes, Origin and life. maker is who makes it: nobody gives more than they have.
// The secret is told this once.
func (s *Service) AddToken(ctx context.Context, t Token, life time.Duration, maker Person) (secret string, made Token, err error) {
	if t.Name = strings.TrimSpace(t.Name); t.Name == "" || len(t.Name) > 100 {
		return "", t, inputf("say what the token is for, in at most 100 bytes")
	}
	if t.Role < Viewer || !maker.May(t.Role) {
		return "", t, inputf("the role of a token is one of its maker's or less: viewer to %s", maker.Role)
	}
	if maker.Sites != nil && (t.Sites == nil || slices.ContainsFunc(t.Sites, func(x string) bool { return !slices.Contains(maker.Sites, x) })) {
		return "", t, inputf("the sites of a token are among its maker's: %s", strings.Join(maker.Sites, ", "))
	}
	if maker.Scopes != nil {
		return "", t, inputf("a token cannot make tokens")
	}
	if err := cmp.Or(CheckSites(t.Sites), checkScopes(t.Scopes)); err != nil {
		return "", t, err
	}
	if life == 0 {
		life = DefaultTokenLife
	}
	if life < time.Minute || life > MaxTokenLife {
		return "", t, inputf("a token lasts from a minute to 400 days")
	}
	if t.Owner != "" {
		u, found, err := s.users.get(ctx, t.Owner)
		if err != nil || !found {
			return "", t, cmp.Or(err, fmt.Errorf("%w: %s", ErrNobody, t.Owner))
		}
		t.Stamp = u.value.Stamp
	}
	t.ID = strings.ToLower(rand.Text()[:12])
	secret = TokenPrefix + t.ID + "_" + strings.ToLower(rand.Text()+rand.Text())
	t.Hash, t.Created, t.By = secretID(secret), s.micros(), maker.Name
	t.Expires = t.Created + life.Microseconds()
	return secret, t, s.tokens.put(ctx, t.ID, t, 0, maker.Name)
}

func checkScopes(scopes []string) error {
	if len(scopes) == 0 {
		return inputf("give at least one scope of %s", strings.Join(Scopes(), ", "))
	}
	for _, x := range scopes {
		if !slices.Contains(Scopes(), x) {
			return inputf("%q is not a scope; use %s", x, strings.Join(Scopes(), ", "))
		}
	}
	return nil
}

// byToken finds the person of a token. A personal token may what its owner may now, and no more than it was made for.
func (s *Service) byToken(ctx context.Context, secret string) (p Person, key string, ends int64, err error) {
	id, _, cut := strings.Cut(strings.TrimPrefix(secret, TokenPrefix), "_")
	if !cut || len(secret) > maxSecret || !strings.HasPrefix(secret, TokenPrefix) {
		return Person{}, "", 0, ErrToken
	}
	x, found, err := s.tokens.get(ctx, id)
	if err != nil {
		return Person{}, "", 0, err
	}
	t := x.value
	if !found || subtle.ConstantTimeCompare([]byte(secretID(secret)), []byte(t.Hash)) != 1 || s.micros() >= t.Expires {
		return Person{}, "", 0, ErrToken
	}
	p = Person{Name: cmp.Or(t.Owner, t.Name), Role: t.Role, Sites: t.Sites, Via: tokenKey(id), Scopes: t.Scopes, Origin: t.Origin}
	if t.Owner != "" {
		u, exists, err := s.users.get(ctx, t.Owner)
		if err != nil {
			return Person{}, "", 0, err
		}
		if !exists || u.value.Disabled || u.value.Stamp != t.Stamp {
			return Person{}, "", 0, ErrToken
		}
		p.Role, p.Sites = min(p.Role, u.value.Role), common(p.Sites, u.value.Sites)
	}
	s.noteUse(ctx, id)
	return p, tokenKey(id), t.Expires, nil
}

// common are the sites that are in both; nil is all.
func common(a, b []string) []string {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	both := []string{}
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, x)
		}
	}
	return both
}

// noteUse keeps that a token was used, once an hour at most. What cannot be kept is not worth refusing a request for.
func (s *Service) noteUse(ctx context.Context, id string) {
	now := s.set.Now().UTC()
	s.touch(tokenKey(id))
	s.mu.Lock()
	told := s.told[id]
	due := now.Sub(told) >= time.Hour
	if due {
		s.told[id] = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	doc := id + "/" + now.Format(time.DateOnly)
	if x, _, err := s.used.get(ctx, doc); err == nil {
		_ = s.used.put(ctx, doc, Used{id, now.UnixMicro()}, x.revision, tokenKey(id))
	}
}

// TokenUse is a token with its last use, 0 for never, within an hour.
type TokenUse struct {
	Token
	Used int64
}

// Tokens lists the tokens of somebody, or all for "", the latest first, with when each was last used.
func (s *Service) Tokens(ctx context.Context, owner string) ([]TokenUse, error) {
	all, err := s.tokens.all(ctx)
	if err != nil {
		return nil, err
	}
	uses, err := s.used.all(ctx)
	if err != nil {
		return nil, err
	}
	last := map[string]int64{}
	for _, u := range uses {
		last[u.Token] = max(last[u.Token], u.At)
	}
	var list []TokenUse
	for _, t := range all {
		if owner == "" || t.Owner == owner {
			list = append(list, TokenUse{t, max(last[t.ID], s.lastSeen(tokenKey(t.ID)))})
		}
	}
	slices.SortFunc(list, func(a, b TokenUse) int { return cmp.Compare(b.Created, a.Created) })
	return list, nil
}

// RevokeToken ends a token; owner, unless it is "", must be whose it is.
func (s *Service) RevokeToken(ctx context.Context, owner, id, by string) error {
	x, found, err := s.tokens.get(ctx, id)
	if err != nil {
		return err
	}
	if !found || owner != "" && x.value.Owner != owner {
		return fmt.Errorf("%w: token %s", ErrNobody, id)
	}
	defer s.hangUp(tokenKey(id))
	return s.tokens.drop(ctx, id, x.revision, by)
}
