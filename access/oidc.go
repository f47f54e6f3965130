package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDCSettings say how to speak to an identity provider.
type OIDCSettings struct {
	Issuer   string // https://idp.example/realms/plant.
	ClientID string
	Secret   string
	Redirect string       // Where the provider sends people back to: the console's address and OIDCCallback.
	Scopes   []string     // Beside openid; empty: profile, email, groups.
	Name     string       // The claim with somebody's name; empty: preferred_username, else email, else sub.
	Groups   string       // The claim with somebody's groups; empty: groups.
	Grants   []Grant      // What groups may do, in order.
	Client   *http.Client // Reaches the provider; it decides which addresses may be connected to.
}

// Grant gives the members of a group a role on some sites. The first grant that fits is the one that counts.
type Grant struct {
	Group string // "*": whoever the provider lets sign in.
	Role  Role
	Sites []string // nil: all.
}

// OIDCCallback is the path that the identity provider sends people back to.
const OIDCCallback = "/sign-in/oidc/callback"

// OIDC signs people in with an identity provider, by the authorization code flow with PKCE. Its methods may be called from any goroutine.
type OIDC struct {
	set OIDCSettings

	mu       sync.Mutex
	provider *oidc.Provider // guarded by mu: nil until the provider has answered once
}

// NewOIDC makes an OIDC. It connects to nothing.
func NewOIDC(set OIDCSettings) *OIDC {
	if len(set.Scopes) == 0 {
		set.Scopes = []string{"profile", "email", "groups"}
	}
	set.Groups = cmp.Or(set.Groups, "groups")
	return &OIDC{set: set}
}

// Issuer is the provider's name.
func (o *OIDC) Issuer() string { return o.set.Issuer }

// ErrProvider means that the identity provider does not answer, or not as it should.
var ErrProvider = errors.New("the identity provider does not answer as it should")

// ErrAnswer means that what the provider sent with a person is not good: it was not asked for from this browser, or is not from the provider.
var ErrAnswer = errors.New("the sign-in cannot be completed")

func (o *OIDC) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, o.set.Client)
}

// discover asks the provider where its endpoints and keys are, once it has answered not again. The keys are fetched again when one is unknown.
func (o *OIDC) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps the context for fetching keys later.
	p, err := oidc.NewProvider(o.context(context.WithoutCancel(ctx)), o.set.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	o.provider = p
	return p, nil
}

func (o *OIDC) oauth(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.set.ClientID, ClientSecret: o.set.Secret, Endpoint: p.Endpoint(), RedirectURL: o.set.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, o.set.Scopes...),
	}
}

// flow is what a browser keeps between leaving for the provider and coming back: what its answer must fit.
type flow struct{ state, nonce, verifier, next string }

func (f flow) String() string {
	return f.state + "." + f.nonce + "." + f.verifier + "." + url.QueryEscape(f.next)
}

func readFlow(text string) (f flow, ok bool) {
	parts := strings.SplitN(text, ".", 4)
	if len(text) > 2000 || len(parts) != 4 || slices.Contains(parts[:3], "") {
		return f, false
	}
	next, err := url.QueryUnescape(parts[3])
	return flow{parts[0], parts[1], parts[2], next}, err == nil
}

// flowLife is how long signing in at the provider may take.
const flowLife = 10 * time.Minute

func (s *Service) flowCookie(value string) *http.Cookie {
	c := s.Cookie(value)
	c.Name += "-flow"
	if value != "" {
		c.MaxAge = int(flowLife.Seconds())
	}
	return c
}

// Leave begins a sign-in at the identity provider: to is where the browser goes, and the cookie is what it must bring back. next is the page that
// the person wanted.
func (s *Service) Leave(ctx context.Context, next string) (to string, cookie *http.Cookie, err error) {
	o := s.set.OIDC
	p, err := o.discover(ctx)
	if err != nil {
		return "", nil, err
	}
	f := flow{rand.Text(), rand.Text(), oauth2.GenerateVerifier(), next}
	to = o.oauth(p).AuthCodeURL(f.state, oidc.Nonce(f.nonce), oauth2.S256ChallengeOption(f.verifier))
	return to, s.flowCookie(f.String()), nil
}

// Return ends a sign-in at the identity provider and opens a session. The cookies take the place of those the browser has, whatever came of it;
// next is the page that the person wanted.
func (s *Service) Return(r *http.Request, from string) (secret string, p Person, next string, err error) {
	o, ctx := s.set.OIDC, r.Context()
	if wait := s.byAddress.Take(AddressKey(from)); wait > 0 {
		return "", Person{}, "", TooMany{wait}
	}
	f, err := s.checkReturn(r)
	if err != nil {
		return "", Person{}, "", err
	}
	who, err := o.exchange(ctx, r.URL.Query().Get("code"), f)
	if err != nil {
		return "", Person{}, "", err
	}
	u, err := s.known(ctx, who)
	if err != nil {
		return "", Person{}, "", err
	}
	secret, err = s.open(ctx, u, from, r.UserAgent())
	return secret, u.person(), f.next, err
}

// FlowGone is a cookie that takes away what Leave gave.
func (s *Service) FlowGone() *http.Cookie { return s.flowCookie("") }

func (s *Service) checkReturn(r *http.Request) (flow, error) {
	c, err := r.Cookie(s.CookieName() + "-flow")
	if err != nil {
		return flow{}, fmt.Errorf("%w: it was not begun in this browser, or more than ten minutes ago: sign in again", ErrAnswer)
	}
	f, ok := readFlow(c.Value)
	q := r.URL.Query()
	if !ok || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(f.state)) != 1 {
		return flow{}, fmt.Errorf("%w: the answer's state is not the one this browser began with: sign in again", ErrAnswer)
	}
	if code := q.Get("error"); code != "" {
		return flow{}, fmt.Errorf("%w: the identity provider says %.100q: %.200q", ErrAnswer, code, q.Get("error_description"))
	}
	return f, nil
}

// claimed is what the provider says of somebody.
type claimed struct {
	name, subject string
	grant         Grant
}

// exchange redeems the code and checks what comes for it: signature, issuer, audience and expiry by the library, the nonce here.
func (o *OIDC) exchange(ctx context.Context, code string, f flow) (claimed, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return claimed{}, err
	}
	ctx = o.context(ctx)
	tokens, err := o.oauth(p).Exchange(ctx, code, oauth2.VerifierOption(f.verifier))
	if err != nil {
		if _, answered := errors.AsType[*oauth2.RetrieveError](err); answered {
			return claimed{}, fmt.Errorf("%w: the identity provider does not take the code: %w", ErrAnswer, err)
		}
		return claimed{}, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := p.VerifierContext(ctx, &oidc.Config{ClientID: o.set.ClientID}).Verify(ctx, raw)
	if err != nil {
		return claimed{}, fmt.Errorf("%w: the ID token is not good: %w", ErrAnswer, err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.nonce)) != 1 {
		return claimed{}, fmt.Errorf("%w: the ID token was made for another sign-in (its nonce differs)", ErrAnswer)
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return claimed{}, fmt.Errorf("%w: the ID token's claims: %w", ErrAnswer, err)
	}
	if _, told := claims[o.set.Groups]; !told && p.UserInfoEndpoint() != "" {
		if err := o.addUserInfo(ctx, p, tokens, id.Subject, claims); err != nil {
			return claimed{}, err
		}
	}
	return o.read(id, claims)
}

// addUserInfo asks for the claims that providers leave out of the ID token. What the ID token says stays.
func (o *OIDC) addUserInfo(ctx context.Context, p *oidc.Provider, tokens *oauth2.Token, subject string, claims map[string]any) error {
	info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if info.Subject != subject {
		return fmt.Errorf("%w: the provider's user info is about somebody else", ErrAnswer)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: user info: %w", ErrAnswer, err)
	}
	for k, v := range more {
		if _, told := claims[k]; !told {
			claims[k] = v
		}
	}
	return nil
}

// ErrNoGrant means that somebody is who they say and may do nothing here.
var ErrNoGrant = errors.New("you may not use this console")

func (o *OIDC) read(id *oidc.IDToken, claims map[string]any) (claimed, error) {
	who := claimed{subject: id.Issuer + " " + id.Subject}
	names := []string{o.set.Name}
	if o.set.Name == "" {
		names = []string{"preferred_username", "email", "sub"}
	}
	for _, claim := range names {
		if text, _ := claims[claim].(string); text != "" && !(claim == "email" && claims["email_verified"] == false) {
			who.name = strings.ToLower(text)
			break
		}
	}
	if !userName.MatchString(who.name) {
		return who, fmt.Errorf("%w: the identity provider gives the name %.80q, which cannot be used: set console.sign_in.oidc.name_claim to a claim with a plain name", ErrNoGrant, who.name)
	}
	groups := texts(claims[o.set.Groups])
	for _, g := range o.set.Grants {
		if g.Group == "*" || slices.Contains(groups, g.Group) {
			who.grant = g
			return who, nil
		}
	}
	return who, fmt.Errorf("%w: none of your groups (%.200q) is in console.sign_in.oidc.roles", ErrNoGrant, groups)
}

// texts are the strings of a claim that is one or a list.
func texts(claim any) (list []string) {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			if s, is := x.(string); is {
				list = append(list, s)
			}
		}
	}
	return list
}

// known is the person the provider speaks of, with the role it gives now. A name belongs to whoever had it first.
func (s *Service) known(ctx context.Context, who claimed) (User, error) {
	now := User{Name: who.name, Role: who.grant.Role, Sites: who.grant.Sites, Via: ViaOIDC, Subject: who.subject, Stamp: rand.Text()}
	old, found, err := s.users.get(ctx, who.name)
	switch {
	case err != nil:
		return User{}, err
	case !found:
		return now, s.users.put(ctx, who.name, now, 0, who.name)
	case old.value.Via != ViaOIDC || old.value.Subject != who.subject:
		return User{}, fmt.Errorf("%w: the name %s belongs to somebody else here", ErrNoGrant, who.name)
	case old.value.Disabled:
		return User{}, fmt.Errorf("%w: an admin has disabled you", ErrNoGrant)
	case old.value.Role == now.Role && slices.Equal(old.value.Sites, now.Sites) && (old.value.Sites == nil) == (now.Sites == nil):
		return old.value, nil
	}
	changed := old.value
	changed.Role, changed.Sites = now.Role, now.Sites
	return changed, s.users.put(ctx, who.name, changed, old.revision, who.name)
}
