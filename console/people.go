package console

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/tocsin-siem/tocsin/access"
)

type peoplePage struct {
	layout
	People []access.User
	Local  bool
	OIDC   string
	Roles  []access.Role
}

type tokensPage struct {
	layout
	Tokens []access.TokenUse
	Scopes []string
	Roles  []access.Role
	Made   string
}

var roles = []access.Role{access.Viewer, access.Analyst, access.Author, access.Admin}

func (s *server) peopleRoutes() []route {
	if s.set.Access == nil {
		return nil
	}
	return []route{
		{"GET /people", access.Admin, s.people},
		{"POST /people", access.Admin, s.addPerson},
		{"POST /people/{person}", access.Admin, s.changePerson},
		{"GET /tokens", access.Admin, s.tokens},
		{"POST /tokens", access.Admin, s.addToken},
		{"POST /tokens/{token}/revoke", access.Admin, s.revokeToken},
	}
}

func (s *server) people(w http.ResponseWriter, r *http.Request) {
	list, err := s.set.Access.Users(r.Context())
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	p := peoplePage{layout: s.layout(r, "People", "people"), People: list, Local: s.set.Access.Local(), Roles: roles}
	if o := s.set.Access.OIDC(); o != nil {
		p.OIDC = o.Issuer()
	}
	s.page(w, "people", http.StatusOK, p)
}

func (s *server) addPerson(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v, f := visitOf(r), r.PostForm
	v.action, v.target = "person.add", clip(80, f.Get("name"))
	v.detail = map[string]any{"role": clip(20, f.Get("role")), "sites": sitesIn(f.Get("sites"))}
	role, err := access.RoleOf(f.Get("role"))
	if err != nil {
		s.problem(w, r, badForm(err), "")
		return
	}
	err = s.set.Access.AddUser(r.Context(), f.Get("name"), f.Get("password"), role, sitesIn(f.Get("sites")), access.From(r.Context()).Name)
	s.done(w, r, err, "/people")
}

func (s *server) changePerson(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	v, f, ctx := visitOf(r), r.PostForm, r.Context()
	name, by := r.PathValue("person"), access.From(ctx).Name
	v.action, v.target = "person."+clip(20, f.Get("do")), name
	var err error
	switch f.Get("do") {
	case "role":
		var role access.Role
		if role, err = access.RoleOf(f.Get("role")); err != nil {
			err = badForm(err)
			break
		}
		v.detail = map[string]any{"role": role.String(), "sites": sitesIn(f.Get("sites"))}
		err = s.set.Access.SetRole(ctx, name, role, sitesIn(f.Get("sites")), by)
	case "password":
		err = s.set.Access.SetPassword(ctx, name, f.Get("password"), by)
	case "disable", "enable":
		err = s.set.Access.Disable(ctx, name, f.Get("do") == "disable", by)
	case "end":
		err = s.set.Access.EndSessions(ctx, name, by)
	default:
		v.action = "person"
		err = fmt.Errorf("%w: do is role, password, disable, enable or end", errBadRequest)
	}
	s.done(w, r, err, "/people")
}

func (s *server) tokens(w http.ResponseWriter, r *http.Request) { s.showTokens(w, r, "") }

func (s *server) showTokens(w http.ResponseWriter, r *http.Request, made string) {
	list, err := s.set.Access.Tokens(r.Context(), "")
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.page(w, "tokens", http.StatusOK, tokensPage{s.layout(r, "Tokens", "tokens"), list, access.Scopes(), roles, made})
}

func (s *server) addToken(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	t, life, err := tokenOf(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	v := visitOf(r)
	v.action, v.target = "token.make", t.Name
	secret, made, err := s.set.Access.AddToken(r.Context(), t, life, access.From(r.Context()))
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	v.detail = map[string]any{"id": made.ID, "scopes": made.Scopes, "role": made.Role.String(), "sites": made.Sites, "origin": made.Origin}
	s.showTokens(w, r, secret)
}

func (s *server) revokeToken(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.action, v.target = "token.revoke", r.PathValue("token")
	s.done(w, r, s.set.Access.RevokeToken(r.Context(), "", r.PathValue("token"), access.From(r.Context()).Name), "/tokens")
}

// number is a whole number of a form, not negative.
func number(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 100_000 {
		return 0, fmt.Errorf("%q is not a number that fits here", clip(20, text))
	}
	return n, nil
}
