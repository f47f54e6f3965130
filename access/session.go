package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Session is somebody who has signed in with one browser.
type Session struct {
	ID    string `json:"id"` // SHA-256 of what the browser keeps, hexadecimal.
	User  string `json:"user"`
	Stamp string `json:"stamp"`
	From  string `json:"from"`
	Agent string `json:"agent"`
	Began int64  `json:"began"` // Microseconds.
	Seen  int64  `json:"seen"`  // The last request, within minutes.
	Ends  int64  `json:"ends"`  // The latest it lasts.
}

// ErrSession means that a session has ended: sign in again.
var ErrSession = errors.New("the session has ended: sign in again")

// tell is how often the last request of a session is told to the store.
const tell = 5 * time.Minute

// maxSecret bounds what is hashed of a cookie or token.
const maxSecret = 200

func secretID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// open begins a session with a secret that nobody had before.
func (s *Service) open(ctx context.Context, u User, from, agent string) (secret string, err error) {
	secret = rand.Text() + rand.Text()
	now := s.micros()
	x := Session{
		ID: secretID(secret), User: u.Name, Stamp: u.Stamp, From: from, Agent: agent[:min(len(agent), 200)],
		Began: now, Seen: now, Ends: now + s.set.Length.Microseconds(),
	}
	return secret, s.sessions.put(ctx, x.ID, x, 0, u.Name)
}

// bySession finds the person of a session.
func (s *Service) bySession(ctx context.Context, secret string) (p Person, id string, ends int64, err error) {
	if len(secret) > maxSecret {
		return Person{}, "", 0, ErrSession
	}
	id = secretID(secret)
	x, found, err := s.sessions.get(ctx, id)
	if err != nil {
		return Person{}, "", 0, err
	}
	if !found {
		return Person{}, "", 0, ErrSession
	}
	u, exists, err := s.users.get(ctx, x.value.User)
	if err != nil {
		return Person{}, "", 0, err
	}
	if !exists || u.value.Disabled || u.value.Stamp != x.value.Stamp || !s.allowed(u.value.Via) {
		return Person{}, "", 0, ErrSession
	}
	now := s.micros()
	if now >= x.value.Ends || now-max(x.value.Seen, s.lastSeen(id)) >= s.set.Idle.Microseconds() {
		return Person{}, "", 0, ErrSession
	}
	s.touch(id)
	if now-x.value.Seen >= tell.Microseconds() {
		later := x.value
		later.Seen = now
		if err := s.sessions.put(ctx, id, later, x.revision, x.value.User); err != nil && !errors.Is(err, ErrStale) {
			return Person{}, "", 0, err
		}
	}
	return u.value.person(), id, x.value.Ends, nil
}

// allowed reports whether people may still sign in that way.
func (s *Service) allowed(via string) bool {
	return via == ViaLocal && s.set.Local || via == ViaOIDC && s.set.OIDC != nil
}

func (s *Service) lastSeen(id string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[id]
}

// Sessions lists the sessions of somebody that have not ended, the latest first.
func (s *Service) Sessions(ctx context.Context, user string) ([]Session, error) {
	all, err := s.sessions.all(ctx)
	if err != nil {
		return nil, err
	}
	now := s.micros()
	var list []Session
	for _, x := range all {
		x.Seen = max(x.Seen, s.lastSeen(x.ID))
		if x.User == user && now < x.Ends && now-x.Seen < s.set.Idle.Microseconds() {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Compare(b.Began, a.Began) })
	return list, nil
}

// SignOut ends the session of a request, if it has one.
func (s *Service) SignOut(r *http.Request) error {
	c, err := r.Cookie(s.CookieName())
	if err != nil || len(c.Value) > maxSecret {
		return nil
	}
	x, found, err := s.sessions.get(r.Context(), secretID(c.Value))
	if err != nil || !found {
		return err
	}
	return s.end(r.Context(), x.value.ID, x.value.User)
}

// EndSession ends one session of somebody.
func (s *Service) EndSession(ctx context.Context, user, id, by string) error {
	x, found, err := s.sessions.get(ctx, id)
	if err != nil {
		return err
	}
	if !found || x.value.User != user {
		return fmt.Errorf("%w: session", ErrNobody)
	}
	return s.end(ctx, id, by)
}

// EndSessions ends all sessions of somebody.
func (s *Service) EndSessions(ctx context.Context, user, by string) error {
	all, err := s.sessions.all(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.User == user {
			if err := s.end(ctx, x.ID, by); err != nil {
				return err
			}
		}
	}
	return nil
}

// endAll ends the sessions of somebody and hangs up on personal tokens, whose stamp is void.
func (s *Service) endAll(ctx context.Context, user, by string) error {
	if err := s.EndSessions(ctx, user, by); err != nil {
		return err
	}
	list, err := s.tokens.all(ctx)
	if err != nil {
		return err
	}
	for _, t := range list {
		if t.Owner == user {
			s.hangUp(tokenKey(t.ID))
		}
	}
	return nil
}

// end deletes a session; that it was touched meanwhile does not save it.
func (s *Service) end(ctx context.Context, id, by string) error {
	defer s.hangUp(id)
	for range 5 {
		x, found, err := s.sessions.get(ctx, id)
		if err != nil || !found {
			return err
		}
		if err := s.sessions.drop(ctx, id, x.revision, by); !errors.Is(err, ErrStale) {
			return err
		}
	}
	return fmt.Errorf("end a session: %w", ErrStale)
}

// CookieName is what the session's cookie is called. The prefix makes browsers take it only over TLS, from this host, for all paths.
func (s *Service) CookieName() string {
	if s.set.Secure {
		return "__Host-tocsin"
	}
	return "tocsin"
}

// Cookie is what a browser is given at sign-in; an empty secret takes it away. Scripts cannot read it and other sites' forms do not carry it;
// it is Lax and not Strict so that a link in a ticket or chat opens the page it names.
func (s *Service) Cookie(secret string) *http.Cookie {
	c := &http.Cookie{Name: s.CookieName(), Value: secret, Path: "/", HttpOnly: true, Secure: s.set.Secure, SameSite: http.SameSiteLaxMode}
	if secret == "" {
		c.MaxAge = -1
		return c
	}
	c.MaxAge = int(s.set.Length.Seconds())
	return c
}

// SessionID is which session a request has, as Sessions names it; "" for none.
func (s *Service) SessionID(r *http.Request) string {
	c, err := r.Cookie(s.CookieName())
	if err != nil || len(c.Value) > maxSecret {
		return ""
	}
	return secretID(c.Value)
}
