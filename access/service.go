package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Settings is what a Service is made of. Keeper and Now must be set.
type Settings struct {
	Keeper Keeper
	Local  bool          // People have a name and a password here.
	OIDC   *OIDC         // An identity provider; nil: none.
	Idle   time.Duration // How long a session lasts without a request; 0: 1 h.
	Length time.Duration // How long a session lasts at most; 0: 12 h.
	Secure bool          // The console is reached over TLS.
	Memory uint32        // What hashing one password takes, in KiB; 0: 64 MiB.
	Now    func() time.Time
}

// Service knows who may sign in and who has. Its methods may be called from any goroutine. What other processes change is seen within seconds.
type Service struct {
	set      Settings
	users    *shelf[User]
	tokens   *shelf[Token]
	sessions *shelf[Session]
	used     *shelf[Used]
	hash     hashing
	dummy    string // What the password of nobody is compared with.

	byAddress *Limit // Attempts to sign in.
	byName    *Limit // Failed attempts to sign in.

	mu    sync.Mutex
	seen  map[string]int64                            // guarded by mu: last request by session or token, microseconds
	told  map[string]time.Time                        // guarded by mu: when a token's last use was kept
	calls map[string]map[*context.CancelFunc]struct{} // guarded by mu: requests under way, by session or token
}

// New makes a Service.
func New(set Settings) *Service {
	if set.Idle == 0 {
		set.Idle = time.Hour
	}
	if set.Length == 0 {
		set.Length = 12 * time.Hour
	}
	if set.Memory == 0 {
		set.Memory = hashKiB
	}
	return &Service{
		set:   set,
		users: newShelf[User](kindUser, set.Keeper, set.Now), tokens: newShelf[Token](kindToken, set.Keeper, set.Now),
		sessions: newShelf[Session](kindSession, set.Keeper, set.Now), used: newShelf[Used](kindUsed, set.Keeper, set.Now),
		hash: newHashing(set.Memory), dummy: hashPassword("nobody's", set.Memory),
		byAddress: NewLimit(10, 6*time.Second, set.Now), byName: NewLimit(20, 45*time.Second, set.Now),
		seen: map[string]int64{}, told: map[string]time.Time{}, calls: map[string]map[*context.CancelFunc]struct{}{},
	}
}

// Local reports whether people sign in with a password here.
func (s *Service) Local() bool { return s.set.Local }

// OIDC is the identity provider, or nil.
func (s *Service) OIDC() *OIDC { return s.set.OIDC }

func (s *Service) micros() int64 { return s.set.Now().UnixMicro() }

// ErrCredentials means that name and password do not belong together, or that the person may not sign in: which of them is not told.
var ErrCredentials = errors.New("name and password do not belong together")

// TooMany means that there were too many attempts.
type TooMany struct{ Wait time.Duration }

// Error implements error.
func (e TooMany) Error() string {
	return fmt.Sprintf("too many attempts: try again in %d s", int(e.Wait.Seconds())+1)
}

// SignIn opens a session for a name and a password. from is the client's address, agent what its browser calls itself. The secret is what the
// browser keeps; it is not stored here. It takes as long for names that do not exist.
func (s *Service) SignIn(ctx context.Context, name, password, from, agent string) (secret string, p Person, err error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if wait := max(s.byAddress.Take(AddressKey(from)), s.byName.Left(name)); wait > 0 {
		return "", Person{}, TooMany{wait}
	}
	u, found, err := s.users.get(ctx, name)
	if err != nil {
		return "", Person{}, err
	}
	may := s.set.Local && found && !u.value.Disabled && u.value.Via == ViaLocal
	hash := s.dummy
	if may && u.value.Hash != "" {
		hash = u.value.Hash
	}
	good := false
	if err := s.hash.do(ctx, func() { good = len(password) <= maxPassword && matches(hash, password) }); err != nil {
		return "", Person{}, err
	}
	if !good || !may || hash == s.dummy {
		s.byName.Take(name)
		return "", Person{}, ErrCredentials
	}
	s.byName.Forgive(name)
	secret, err = s.open(ctx, u.value, from, agent)
	return secret, u.value.person(), err
}

// Authenticate says who a request is from: by its API token, or by its session. A request that has neither is from the zero Person. The context
// ends when the session or the token does; release must be called when the request has been answered. An error means that what the request
// has is not good, or that the store is away.
func (s *Service) Authenticate(r *http.Request) (ctx context.Context, p Person, release func(), err error) {
	id, ends := "", int64(0)
	if secret := bearer(r); secret != "" {
		p, id, ends, err = s.byToken(r.Context(), secret)
	} else if c, none := r.Cookie(s.CookieName()); none == nil {
		p, id, ends, err = s.bySession(r.Context(), c.Value)
	}
	if err != nil || p.Role == 0 {
		return r.Context(), Person{}, func() {}, err
	}
	ctx, release = s.bind(r.Context(), id, ends)
	return With(ctx, p), p, release, nil
}

// AuthenticateFeed is Authenticate for a token that stands in the address of a feed: it must be good for feeds and for nothing else.
func (s *Service) AuthenticateFeed(r *http.Request, secret string) (ctx context.Context, p Person, release func(), err error) {
	p, id, ends, err := s.byToken(r.Context(), secret)
	if err == nil && !slices.Equal(p.Scopes, []string{ScopeFeeds}) {
		err = fmt.Errorf("%w: a token in an address must be good for feeds and nothing else", ErrToken)
	}
	if err != nil {
		return r.Context(), Person{}, func() {}, err
	}
	ctx, release = s.bind(r.Context(), id, ends)
	return With(ctx, p), p, release, nil
}

// bind gives a context that ends with the session or token of that id.
func (s *Service) bind(parent context.Context, id string, ends int64) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(parent, time.Duration(ends-s.micros())*time.Microsecond)
	key := &cancel
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[id] == nil {
		s.calls[id] = map[*context.CancelFunc]struct{}{}
	}
	s.calls[id][key] = struct{}{}
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls[id], key)
		if len(s.calls[id]) == 0 {
			delete(s.calls, id)
		}
	}
}

// hangUp ends the requests under way of a session or token.
func (s *Service) hangUp(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cancel := range s.calls[id] {
		(*cancel)()
	}
	delete(s.seen, id)
}

// touch notes that a session or token is being used.
func (s *Service) touch(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.micros()
	if len(s.seen) > 10_000 { // Most are long over.
		maps.DeleteFunc(s.seen, func(_ string, at int64) bool { return now-at > s.set.Idle.Microseconds() })
	}
	s.seen[id] = now
}
