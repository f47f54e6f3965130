package access_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

// memory keeps documents as the store does.
type memory struct {
	mu     sync.Mutex
	docs   map[string][]access.Doc
	away   error
	writes int
}

func (m *memory) Keep(_ context.Context, d access.Doc, expected int64) (access.Doc, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return d, m.away
	}
	key := d.Kind + "/" + d.ID
	all := m.docs[key]
	at := int64(len(all))
	if at > 0 && all[at-1].Deleted {
		at = 0
	}
	if at != expected {
		return d, access.ErrStale
	}
	m.writes++
	d.Revision = int64(len(all)) + 1
	m.docs[key] = append(all, d)
	return d, nil
}

func (m *memory) Kept(_ context.Context, kind string) (list []access.Doc, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.docs)) {
		if d := m.docs[key][len(m.docs[key])-1]; d.Kind == kind && !d.Deleted {
			list = append(list, d)
		}
	}
	return list, m.away
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// site is a service with a store and a clock of its own.
type site struct {
	*access.Service
	docs  *memory
	clock *clock
}

const password = "four random words"

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{docs: &memory{docs: map[string][]access.Doc{}}, clock: &clock{at: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)}}
	s.Service = s.another(func(*access.Settings) {})
	return s
}

// another is the service of another process on the same store.
func (s *site) another(edit func(*access.Settings)) *access.Service {
	set := access.Settings{Keeper: s.docs, Local: true, Now: s.clock.now, Idle: 30 * time.Minute, Length: 10 * time.Hour, Memory: 64}
	edit(&set)
	return access.New(set)
}

func (s *site) user(t *testing.T, name string, role access.Role, sites ...string) {
	t.Helper()
	must(t, s.AddUser(t.Context(), name, password, role, sites, "test"))
}

func (s *site) signIn(t *testing.T, name string) string {
	t.Helper()
	secret, _, err := s.SignIn(t.Context(), name, password, "192.0.2.1", "test")
	must(t, err)
	return secret
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func withSession(s *access.Service, secret string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(s.Cookie(secret))
	return r
}

func withToken(secret string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	return r
}

// who is the person of a request.
func who(t *testing.T, s *access.Service, r *http.Request) (access.Person, error) {
	t.Helper()
	ctx, p, release, err := s.Authenticate(r)
	defer release()
	if err == nil && p.Role > 0 && access.From(ctx).Name != p.Name {
		t.Errorf("the context has %+v, want %+v", access.From(ctx), p)
	}
	return p, err
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
