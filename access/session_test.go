package access_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
)

func TestSomebodySignsInAndOut(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Analyst, "hall-3")
	secret := s.signIn(t, " Ana ")
	p, err := who(t, s.Service, withSession(s.Service, secret))
	must(t, err)
	if diff := cmp.Diff(access.Person{Name: "ana", Role: access.Analyst, Sites: []string{"hall-3"}, Via: "local"}, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := s.signIn(t, "ana"); again == secret {
		t.Error("two sessions have one secret")
	}
	for key, docs := range s.docs.docs {
		for _, d := range docs {
			if strings.Contains(string(d.Body)+key, secret) || strings.Contains(string(d.Body), password) {
				t.Errorf("%s holds a secret: %s", key, d.Body)
			}
		}
	}
	must(t, s.SignOut(withSession(s.Service, secret)))
	_, err = who(t, s.Service, withSession(s.Service, secret))
	wantErr(t, "after signing out", err, access.ErrSession)
	list, err := s.Sessions(t.Context(), "ana")
	if must(t, err); len(list) != 1 {
		t.Errorf("%d sessions are left, want 1", len(list))
	}
}

func TestWhoDoesNotHaveThePasswordDoesNotSignIn(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Admin)
	s.user(t, "gone", access.Viewer)
	must(t, s.Disable(t.Context(), "gone", true, "test"))
	for i, c := range [][2]string{{"ana", "another password"}, {"ana", ""}, {"nobody", password}, {"gone", password}, {"", ""}, {"ana", strings.Repeat("x", 1<<20)}} {
		_, _, err := s.SignIn(t.Context(), c[0], c[1], fmt.Sprintf("192.0.2.%d", i), "")
		wantErr(t, fmt.Sprintf("%.20q", c), err, access.ErrCredentials)
		if err != nil && err.Error() != access.ErrCredentials.Error() {
			t.Errorf("%.20q: the refusal tells why: %v", c, err)
		}
	}
	none := s.another(func(set *access.Settings) { set.Local = false })
	_, _, err := none.SignIn(t.Context(), "ana", password, "192.0.2.9", "")
	wantErr(t, "where nobody signs in with a password", err, access.ErrCredentials)
}

func TestASecretThatWeDidNotGiveIsNoSession(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Admin)
	for _, secret := range []string{"x", "fixed-by-somebody-else", strings.Repeat("a", 4000)} {
		_, err := who(t, s.Service, withSession(s.Service, secret))
		wantErr(t, secret[:1], err, access.ErrSession)
	}
	r := withSession(s.Service, "fixed-by-somebody-else") // Session fixation: signing in takes no secret from the browser.
	if secret := s.signIn(t, "ana"); secret == "fixed-by-somebody-else" || len(secret) < 50 {
		t.Errorf("the secret is %q", secret)
	}
	_, err := who(t, s.Service, r)
	wantErr(t, "the secret of before", err, access.ErrSession)
	if p, err := who(t, s.Service, withToken("another-kind-of-token")); err != nil || p.Role != 0 {
		t.Errorf("a token of a source: %+v, %v", p, err)
	}
}

func TestSessionsEndWhenIdleAndWhenOld(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Viewer)
	idle, busy := s.signIn(t, "ana"), s.signIn(t, "ana")
	other := s.another(func(*access.Settings) {})
	for range 59 {
		s.clock.move(10 * time.Minute)
		if _, err := who(t, s.Service, withSession(s.Service, busy)); err != nil {
			t.Fatalf("at %s: %v", s.clock.now(), err)
		}
	}
	if _, err := who(t, other, withSession(other, busy)); err != nil {
		t.Errorf("another process thinks the session idle: %v", err)
	}
	_, err := who(t, s.Service, withSession(s.Service, idle))
	wantErr(t, "idle for hours", err, access.ErrSession)
	s.clock.move(10 * time.Minute)
	_, err = who(t, s.Service, withSession(s.Service, busy))
	wantErr(t, "after ten hours", err, access.ErrSession)
}

func TestWhatEndsSessionsEndsThemEverywhere(t *testing.T) {
	for name, end := range map[string]func(context.Context, *access.Service) error{
		"disabled": func(ctx context.Context, s *access.Service) error { return s.Disable(ctx, "ana", true, "ben") },
		"another password": func(ctx context.Context, s *access.Service) error {
			return s.SetPassword(ctx, "ana", "another password", "ben")
		},
		"all ended": func(ctx context.Context, s *access.Service) error { return s.EndSessions(ctx, "ana", "ben") },
		"this one ended": func(ctx context.Context, s *access.Service) error {
			list, err := s.Sessions(ctx, "ana")
			if err != nil {
				return err
			}
			return s.EndSession(ctx, "ana", list[0].ID, "ana")
		},
	} {
		s := newSite(t)
		s.user(t, "ana", access.Viewer)
		s.user(t, "ben", access.Admin)
		other := s.another(func(*access.Settings) {})
		secret := s.signIn(t, "ana")
		_, err := who(t, other, withSession(other, secret))
		must(t, err)
		ctx, _, release, err := s.Authenticate(withSession(s.Service, secret))
		must(t, err)
		defer release()
		must(t, end(t.Context(), s.Service))
		if ctx.Err() == nil {
			t.Errorf("%s: a request under way goes on", name)
		}
		_, err = who(t, s.Service, withSession(s.Service, secret))
		wantErr(t, name, err, access.ErrSession)
		s.clock.move(6 * time.Second)
		_, err = who(t, other, withSession(other, secret))
		wantErr(t, name+", in another process", err, access.ErrSession)
		if err := s.EndSession(t.Context(), "ben", "nothing", "ben"); !errors.Is(err, access.ErrNobody) {
			t.Errorf("ending no session: %v", err)
		}
	}
}

func TestARoleThatChangesChangesAtOnce(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Analyst)
	s.user(t, "ben", access.Admin)
	secret := s.signIn(t, "ana")
	must(t, s.SetRole(t.Context(), "ana", access.Viewer, []string{"hall-1"}, "ben"))
	p, err := who(t, s.Service, withSession(s.Service, secret))
	if must(t, err); p.Role != access.Viewer || p.Sees([]string{"hall-2"}) {
		t.Errorf("the session still has %+v", p)
	}
	for what, err := range map[string]error{
		"the last admin's role": s.SetRole(t.Context(), "ben", access.Author, nil, "ben"),
		"the last admin's all":  s.SetRole(t.Context(), "ben", access.Admin, []string{"hall-1"}, "ben"),
		"the last admin":        s.Disable(t.Context(), "ben", true, "ben"),
		"no role":               s.SetRole(t.Context(), "ana", 0, nil, "ben"),
		"a site without a name": s.SetRole(t.Context(), "ana", access.Viewer, []string{""}, "ben"),
		"a name":                s.AddUser(t.Context(), "<b>", password, access.Viewer, nil, "ben"),
		"twice":                 s.AddUser(t.Context(), "ana", password, access.Viewer, nil, "ben"),
		"a short password":      s.AddUser(t.Context(), "eve", "short", access.Viewer, nil, "ben"),
		"one character":         s.AddUser(t.Context(), "eve", strings.Repeat("a", 20), access.Viewer, nil, "ben"),
		"the name":              s.AddUser(t.Context(), "evelyn.smith", "evelyn.smith1", access.Viewer, nil, "ben"),
		"a wrong old password":  s.ChangePassword(t.Context(), "ana", "wrong", "a new password"),
	} {
		wantErr(t, what, err, access.ErrInput)
	}
	must(t, s.ChangePassword(t.Context(), "ana", password, "a new password"))
	_, _, err = s.SignIn(t.Context(), "ana", password, "192.0.2.7", "")
	wantErr(t, "the old password", err, access.ErrCredentials)
}

func TestGuessingIsLimitedByAddressAndByName(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Viewer)
	tries := func(name string, from func(int) string) (n int) {
		for n < 100 {
			_, _, err := s.SignIn(t.Context(), name, "wrong", from(n), "")
			if tooMany, is := errors.AsType[access.TooMany](err); is {
				if tooMany.Wait <= 0 || !strings.Contains(err.Error(), "try again in") {
					t.Errorf("the refusal says %v", err)
				}
				return n
			}
			n++
		}
		return n
	}
	if n := tries("x", func(int) string { return "192.0.2.1" }); n != 10 {
		t.Errorf("%d tries from one address, want 10", n)
	}
	if n := tries("y", func(i int) string { return fmt.Sprintf("2001:db8:1:1::%x", i) }); n != 10 {
		t.Errorf("%d tries from one network of IPv6, want 10", n)
	}
	if n := tries("ana", func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }); n != 20 {
		t.Errorf("%d tries of one name from everywhere, want 20", n)
	}
	s.clock.move(time.Hour)
	s.signIn(t, "ana")
}

func TestALimitHoldsABoundedNumberOfKeys(t *testing.T) {
	c := &clock{at: time.Unix(1000, 0)}
	l := access.NewLimit(2, time.Minute, c.now)
	for i := range 200_000 {
		l.Take(fmt.Sprint(i))
	}
	if n := l.Keys(); n > 20_000 {
		t.Errorf("%d keys are held", n)
	}
	if l.Take("one more") == 0 {
		t.Error("a key that does not fit has steps, though the others have used them up")
	}
	c.move(time.Hour)
	if l.Take("one more") != 0 {
		t.Error("room is not made for new keys")
	}
}

func TestCookiesAreOutOfReachOfScriptsAndOtherSites(t *testing.T) {
	s := newSite(t)
	secure := s.another(func(set *access.Settings) { set.Secure = true })
	c := secure.Cookie("x")
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") || c.MaxAge != 36000 {
		t.Errorf("over TLS: %s", c)
	}
	if c := s.Cookie(""); c.MaxAge >= 0 || !c.HttpOnly {
		t.Errorf("taking it away: %s", c)
	}
}

func TestWithoutTheStoreWhatIsKnownGoesOnForMinutes(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Viewer)
	secret := s.signIn(t, "ana")
	_, err := who(t, s.Service, withSession(s.Service, secret))
	must(t, err)
	s.docs.away = errors.New("away")
	s.clock.move(time.Minute)
	if _, err := who(t, s.Service, withSession(s.Service, secret)); err != nil {
		t.Errorf("after a minute: %v", err)
	}
	s.clock.move(10 * time.Minute)
	_, err = who(t, s.Service, withSession(s.Service, secret))
	wantErr(t, "after eleven minutes", err, s.docs.away)
}
