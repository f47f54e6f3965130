package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

type accountPage struct {
	layout
	Sessions []access.Session
	Current  string // Which of them this is.
	Tokens   []access.TokenUse
	Scopes   []string
	Roles    []access.Role
	Made     string // The secret of a token just made; it is shown this once.
	Said     string
}

func (s *server) accountRoutes() []route {
	if s.set.Access == nil {
		return nil
	}
	return []route{
		{"GET /account", access.Viewer, s.account},
		{"POST /account/password", access.Viewer, s.changePassword},
		{"POST /account/sessions", access.Viewer, s.endSessions},
		{"POST /account/tokens", access.Viewer, s.addMyToken},
		{"POST /account/tokens/{token}/revoke", access.Viewer, s.revokeMyToken},
	}
}

// self is the person of a request where it is one: a token has no account.
func (s *server) self(w http.ResponseWriter, r *http.Request) (access.Person, bool) {
	who := access.From(r.Context())
	if strings.HasPrefix(who.Via, "token:") {
		s.refuse(w, r, "A token has no account: sign in.")
		return who, false
	}
	return who, true
}

func (s *server) account(w http.ResponseWriter, r *http.Request) { s.showAccount(w, r, "", "") }

func (s *server) showAccount(w http.ResponseWriter, r *http.Request, made, said string) {
	who, ok := s.self(w, r)
	if !ok {
		return
	}
	p := accountPage{layout: s.layout(r, "Your account", "account"), Scopes: access.Scopes(), Made: made, Said: said, Current: s.set.Access.SessionID(r)}
	for role := access.Viewer; role <= who.Role; role++ {
		p.Roles = append(p.Roles, role)
	}
	if who.Role < access.Admin {
		p.Scopes = slices.DeleteFunc(p.Scopes, func(x string) bool { return x == access.ScopeManage })
	}
	var err error
	if p.Sessions, err = s.set.Access.Sessions(r.Context(), who.Name); err == nil {
		p.Tokens, err = s.set.Access.Tokens(r.Context(), who.Name)
	}
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.page(w, "account", http.StatusOK, p)
}

// form reads a form of bounded size.
func (s *server) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, badForm(err), "")
		return false
	}
	return true
}

// done goes on to a page, or says why not.
func (s *server) done(w http.ResponseWriter, r *http.Request, err error, to string) {
	if err != nil {
		if tooMany, is := errors.AsType[access.TooMany](err); is {
			s.refuseBusy(w, r, tooMany.Wait)
			return
		}
		s.problem(w, r, err, "")
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *server) changePassword(w http.ResponseWriter, r *http.Request) {
	who, ok := s.self(w, r)
	if !ok || !s.form(w, r) {
		return
	}
	v := visitOf(r)
	v.action, v.target = "password.change", who.Name
	err := s.set.Access.ChangePassword(r.Context(), who.Name, r.PostForm.Get("old"), r.PostForm.Get("password"))
	s.done(w, r, err, "/sign-in")
}

func (s *server) endSessions(w http.ResponseWriter, r *http.Request) {
	who, ok := s.self(w, r)
	if !ok || !s.form(w, r) {
		return
	}
	v := visitOf(r)
	v.action, v.target = "session.end", who.Name
	if id := r.PostForm.Get("session"); id != "" {
		s.done(w, r, s.set.Access.EndSession(r.Context(), who.Name, id, who.Name), "/account")
		return
	}
	s.done(w, r, s.set.Access.EndSessions(r.Context(), who.Name, who.Name), "/sign-in")
}

// tokenOf reads the form of a token.
func tokenOf(r *http.Request) (t access.Token, life time.Duration, err error) {
	role, err := access.RoleOf(r.PostForm.Get("role"))
	if err != nil {
		return t, 0, badForm(err)
	}
	days := 0
	if text := r.PostForm.Get("days"); text != "" {
		if days, err = number(text); err != nil {
			return t, 0, badForm(err)
		}
	}
	t = access.Token{Name: typed(r.PostForm.Get("name")), Role: role, Scopes: r.PostForm["scope"], Sites: sitesIn(r.PostForm.Get("sites")), Origin: typed(r.PostForm.Get("origin"))}
	return t, time.Duration(days) * 24 * time.Hour, nil
}

// sitesIn are the sites of a field, separated by commas; none: all.
func sitesIn(text string) (sites []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = typed(part); part != "" {
			sites = append(sites, part)
		}
	}
	return sites
}

func (s *server) addMyToken(w http.ResponseWriter, r *http.Request) {
	who, ok := s.self(w, r)
	if !ok || !s.form(w, r) {
		return
	}
	t, life, err := tokenOf(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	if t.Owner = who.Name; t.Sites == nil {
		t.Sites = who.Sites
	}
	v := visitOf(r)
	v.action, v.target = "token.make", t.Name
	secret, made, err := s.set.Access.AddToken(r.Context(), t, life, who)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	v.detail = map[string]any{"id": made.ID, "scopes": made.Scopes, "role": made.Role.String()}
	s.showAccount(w, r, secret, "")
}

func (s *server) revokeMyToken(w http.ResponseWriter, r *http.Request) {
	who, ok := s.self(w, r)
	if !ok {
		return
	}
	v := visitOf(r)
	v.action, v.target = "token.revoke", r.PathValue("token")
	s.done(w, r, s.set.Access.RevokeToken(r.Context(), who.Name, r.PathValue("token"), who.Name), "/account")
}
