package access_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/access"
)

var admin = access.Person{Name: "ben", Role: access.Admin, Via: "local"}

func token(role access.Role, scopes ...string) access.Token {
	return access.Token{Name: "for a test", Role: role, Scopes: scopes}
}

func TestATokenIsItsOwnersAndLess(t *testing.T) {
	s := newSite(t)
	s.user(t, "ana", access.Analyst, "hall-1", "hall-2")
	mine := token(access.Analyst, access.ScopeRead, access.ScopeAct)
	mine.Owner, mine.Sites, mine.Origin = "ana", []string{"hall-2", "hall-3"}, "soar"
	secret, made, err := s.AddToken(t.Context(), mine, 0, admin)
	must(t, err)
	p, err := who(t, s.Service, withToken(secret))
	must(t, err)
	want := access.Person{Name: "ana", Role: access.Analyst, Sites: []string{"hall-2"}, Via: "token:" + made.ID, Scopes: []string{"read", "act"}, Origin: "soar"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !p.Has(access.ScopeRead) || p.Has(access.ScopeManage) || !strings.HasPrefix(secret, "tct_"+made.ID+"_") {
		t.Errorf("token %s has %v", secret, p.Scopes)
	}
	for key, docs := range s.docs.docs {
		if _, random, _ := strings.Cut(secret[4:], "_"); strings.Contains(string(docs[0].Body), random) {
			t.Errorf("%s holds the secret", key)
		}
	}
	must(t, s.SetRole(t.Context(), "ana", access.Viewer, []string{"hall-1"}, "ben"))
	p, err = who(t, s.Service, withToken(secret))
	if must(t, err); p.Role != access.Viewer || p.Sees([]string{"hall-2"}) || p.Everywhere() {
		t.Errorf("after its owner became less: %+v", p)
	}
	list, err := s.Tokens(t.Context(), "ana")
	if must(t, err); len(list) != 1 || list[0].Used != s.clock.now().UnixMicro() {
		t.Errorf("tokens: %+v", list)
	}
	must(t, s.SetPassword(t.Context(), "ana", "a new password", "ben"))
	_, err = who(t, s.Service, withToken(secret))
	wantErr(t, "after its owner's password changed", err, access.ErrToken)
}

func TestATokenThatIsNotGoodIsRefused(t *testing.T) {
	s := newSite(t)
	secret, made, err := s.AddToken(t.Context(), token(access.Viewer, access.ScopeRead), time.Hour, admin)
	must(t, err)
	other, _, err := s.AddToken(t.Context(), token(access.Viewer, access.ScopeRead), time.Hour, admin)
	must(t, err)
	for _, bad := range []string{"tct_", "tct__", "tct_" + made.ID, "tct_" + made.ID + "_", secret + "a", secret[:len(secret)-1], "tct_" + made.ID + other[16:], "tct_x_" + strings.Repeat("a", 300)} {
		_, err := who(t, s.Service, withToken(bad))
		wantErr(t, bad, err, access.ErrToken)
	}
	ctx, _, release, err := s.Authenticate(withToken(secret))
	must(t, err)
	defer release()
	wantErr(t, "another's token", s.RevokeToken(t.Context(), "ana", made.ID, "ana"), access.ErrNobody)
	must(t, s.RevokeToken(t.Context(), "", made.ID, "ben"))
	if ctx.Err() == nil {
		t.Error("a request under way outlives its token")
	}
	_, err = who(t, s.Service, withToken(secret))
	wantErr(t, "revoked", err, access.ErrToken)
	s.clock.move(time.Hour)
	_, err = who(t, s.Service, withToken(other))
	wantErr(t, "expired", err, access.ErrToken)
}

func TestNobodyMakesATokenThatMayMoreThanTheyDo(t *testing.T) {
	s := newSite(t)
	ana := access.Person{Name: "ana", Role: access.Analyst, Sites: []string{"hall-1"}, Via: "local"}
	in1 := token(access.Viewer, access.ScopeRead)
	in1.Sites = []string{"hall-1"}
	if _, _, err := s.AddToken(t.Context(), in1, 0, ana); err != nil {
		t.Errorf("a token within what its maker may: %v", err)
	}
	for what, edit := range map[string]func(*access.Token, *access.Person, *time.Duration){
		"a higher role": func(x *access.Token, _ *access.Person, _ *time.Duration) { x.Role = access.Author },
		"no role":       func(x *access.Token, _ *access.Person, _ *time.Duration) { x.Role = 0 },
		"all sites":     func(x *access.Token, _ *access.Person, _ *time.Duration) { x.Sites = nil },
		"another site":  func(x *access.Token, _ *access.Person, _ *time.Duration) { x.Sites = []string{"hall-1", "hall-2"} },
		"no scope":      func(x *access.Token, _ *access.Person, _ *time.Duration) { x.Scopes = nil },
		"odd scope":     func(x *access.Token, _ *access.Person, _ *time.Duration) { x.Scopes = []string{"root"} },
		"no name":       func(x *access.Token, _ *access.Person, _ *time.Duration) { x.Name = " " },
		"for ever":      func(_ *access.Token, _ *access.Person, life *time.Duration) { *life = 10 * access.MaxTokenLife },
		"by a token":    func(_ *access.Token, p *access.Person, _ *time.Duration) { p.Scopes = []string{"manage"} },
		"by nobody":     func(_ *access.Token, p *access.Person, _ *time.Duration) { *p = access.Person{} },
	} {
		x, maker, life := in1, ana, time.Duration(0)
		edit(&x, &maker, &life)
		_, _, err := s.AddToken(t.Context(), x, life, maker)
		wantErr(t, what, err, access.ErrInput)
	}
	gone := in1
	gone.Owner = "nobody"
	_, _, err := s.AddToken(t.Context(), gone, 0, ana)
	wantErr(t, "for nobody", err, access.ErrNobody)
}

func TestOnlyATokenForFeedsAloneMayStandInAnAddress(t *testing.T) {
	s := newSite(t)
	for _, scopes := range [][]string{{access.ScopeFeeds}, {access.ScopeRead}, {access.ScopeFeeds, access.ScopeRead}} {
		secret, _, err := s.AddToken(t.Context(), token(access.Viewer, scopes...), 0, admin)
		must(t, err)
		_, p, release, err := s.AuthenticateFeed(httptest.NewRequest("GET", "/", nil), secret)
		release()
		if good := slices.Equal(scopes, []string{access.ScopeFeeds}); good != (err == nil) || !good && (p.Role != 0 || !errors.Is(err, access.ErrToken)) {
			t.Errorf("%v: %+v, %v", scopes, p, err)
		}
	}
}

func TestTheLastUseOfATokenIsKeptOnceAnHour(t *testing.T) {
	s := newSite(t)
	secret, _, err := s.AddToken(t.Context(), token(access.Viewer, access.ScopeRead), 0, admin)
	must(t, err)
	before := s.docs.writes
	for range 180 {
		_, err := who(t, s.Service, withToken(secret))
		must(t, err)
		s.clock.move(time.Minute)
	}
	if n := s.docs.writes - before; n != 3 {
		t.Errorf("%d writes in three hours of use, want 3", n)
	}
	list, err := s.another(func(*access.Settings) {}).Tokens(t.Context(), "")
	if must(t, err); s.clock.now().UnixMicro()-list[0].Used > time.Hour.Microseconds() {
		t.Errorf("another process says it was last used at %s", time.UnixMicro(list[0].Used))
	}
}
