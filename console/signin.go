package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

type signInPage struct {
	layout
	Local  bool
	OIDC   string // The provider's name; empty: none.
	Next   string
	Name   string
	Reason string // Why the last try failed.
	Out    bool   // Somebody has just signed out.
	There  bool   // They may sign out at the provider as well.
}

func (s *server) signInRoutes() []route {
	if s.set.Access == nil {
		return nil
	}
	routes := []route{
		{"GET /sign-in", 0, s.signIn},
		{"POST /sign-out", 0, s.signOut},
	}
	if s.set.Access.Local() {
		routes = append(routes, route{"POST /sign-in", 0, s.signInLocal})
	}
	if s.set.Access.OIDC() != nil {
		routes = append(routes, route{"GET /sign-in/oidc", 0, s.leave}, route{"GET " + access.OIDCCallback, 0, s.comeBack}, route{"GET /sign-out/oidc", 0, s.signOutThere})
	}
	return routes
}

// askToSignIn answers somebody who is nobody yet: a page leads to the sign-in and back, everything else is refused. A form whose session has ended
// while it was filled in is refused with what was written in it.
func (s *server) askToSignIn(w http.ResponseWriter, r *http.Request) {
	programs := strings.HasPrefix(r.URL.Path, "/api/") || isFeed(r.URL.Path)
	if !programs && !unsafe(r) {
		http.Redirect(w, r, signInFor(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="tocsin"`)
	const text = "You are not signed in."
	if programs {
		s.turnAway(w, r, http.StatusUnauthorized, text)
		return
	}
	p := s.problemOf(r, http.StatusUnauthorized, text, "")
	p.SignIn, p.Wrote = signInFor(cameFrom(r)), wrote(w, r)
	s.page(w, "problem", http.StatusUnauthorized, p)
}

func signInFor(next string) string { return "/sign-in?next=" + url.QueryEscape(next) }

// cameFrom is the page of this console that a form was on, as far as the browser says so: the queue otherwise.
func cameFrom(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		return "/incidents"
	}
	return within(from.RequestURI())
}

// prose are the fields of forms into which people write at length.
var prose = []string{"text", "title", "reason", "trigger", "expression", "records"}

// wrote are the texts in a form; none where it cannot be read.
func wrote(w http.ResponseWriter, r *http.Request) (texts []string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		return nil
	}
	for _, name := range prose {
		if text := strings.TrimSpace(r.PostForm.Get(name)); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// within is next if it is an address of this console, and the queue otherwise: a link to the sign-in must not lead elsewhere.
func within(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 1500 {
		return "/incidents"
	}
	return next
}

func (s *server) signInForm(r *http.Request, name, reason string) signInPage {
	p := signInPage{layout: s.layout(r, "Sign in", "sign-in"), Local: s.set.Access.Local(), Next: within(r.FormValue("next")), Name: clip(64, name), Reason: reason}
	if o := s.set.Access.OIDC(); o != nil {
		p.OIDC = o.Issuer()
	}
	return p
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) {
	p := s.signInForm(r, "", "")
	switch r.FormValue("out") {
	case "here":
		p.Out = true
	case access.ViaOIDC:
		p.Out = true
		p.There = s.endThere(r) != ""
	}
	s.page(w, "sign-in", http.StatusOK, p)
}

// endThere is where the identity provider ends sessions of its own; "" where it does not say, or does not answer.
func (s *server) endThere(r *http.Request) string {
	o := s.set.Access.OIDC()
	if o == nil {
		return ""
	}
	to, err := o.EndSession(r.Context())
	if err != nil {
		s.set.Log.Error("signing out at the identity provider", "err", err)
	}
	return to
}

// signOutThere sends the browser to the identity provider to sign out there as well. It is a link's and not the form's doing, since the policy of our
// pages keeps forms from leading elsewhere.
func (s *server) signOutThere(w http.ResponseWriter, r *http.Request) {
	to := s.endThere(r)
	if to == "" {
		to = "/sign-in?out=here"
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *server) signInLocal(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, badForm(err), "")
		return
	}
	v, name := visitOf(r), r.PostForm.Get("name")
	v.action, v.target, v.who = "sign-in", "local", name
	secret, who, err := s.set.Access.SignIn(r.Context(), name, r.PostForm.Get("password"), v.from, r.UserAgent())
	if err != nil {
		status, text := s.signInStatus(w, err)
		s.page(w, "sign-in", status, s.signInForm(r, name, text))
		return
	}
	s.enter(w, r, secret, who, within(r.PostForm.Get("next")))
}

// enter gives the browser its session, in place of one that it had, and opens the page that was wanted.
func (s *server) enter(w http.ResponseWriter, r *http.Request, secret string, who access.Person, next string) {
	visitOf(r).who = who.Name
	if err := s.set.Access.SignOut(r); err != nil {
		s.set.Log.Error("the browser's earlier session is not ended", "err", err)
	}
	http.SetCookie(w, s.set.Access.Cookie(secret))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// signInStatus is the status and the words for a sign-in that failed.
func (s *server) signInStatus(w http.ResponseWriter, err error) (int, string) {
	tooMany, is := errors.AsType[access.TooMany](err)
	switch {
	case is:
		w.Header().Set("Retry-After", retryAfter(tooMany.Wait))
		return http.StatusTooManyRequests, capital(tooMany.Error()) + "."
	case errors.Is(err, access.ErrBusy):
		return http.StatusTooManyRequests, capital(err.Error()) + "."
	case errors.Is(err, access.ErrCredentials):
		return http.StatusUnauthorized, "Name and password do not belong together, or this person may not sign in."
	case errors.Is(err, access.ErrAnswer), errors.Is(err, access.ErrNoGrant):
		return http.StatusForbidden, capital(err.Error()) + "."
	case errors.Is(err, access.ErrProvider):
		s.set.Log.Error("sign-in with the identity provider", "err", err)
		return http.StatusBadGateway, "The identity provider does not answer as it should. Tocsin's log says more."
	}
	s.set.Log.Error("sign-in failed", "err", err)
	return http.StatusServiceUnavailable, "The store does not answer: nobody can sign in just now."
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request) {
	visitOf(r).action = "sign-out"
	if err := s.set.Access.SignOut(r); err != nil {
		s.problem(w, r, err, "")
		return
	}
	http.SetCookie(w, s.set.Access.Cookie(""))
	w.Header().Set("Clear-Site-Data", `"cache"`)
	out := "here"
	if access.From(r.Context()).Via == access.ViaOIDC {
		out = access.ViaOIDC
	}
	http.Redirect(w, r, "/sign-in?out="+out, http.StatusSeeOther)
}

// leave sends the browser to the identity provider.
func (s *server) leave(w http.ResponseWriter, r *http.Request) {
	to, cookie, err := s.set.Access.Leave(r.Context(), within(r.FormValue("next")))
	if err != nil {
		status, text := s.signInStatus(w, err)
		s.page(w, "sign-in", status, s.signInForm(r, "", text))
		return
	}
	http.SetCookie(w, cookie)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// comeBack is where the identity provider sends the browser. The session's cookie is Lax, so the browser sends it along
// to the page it is led to.
func (s *server) comeBack(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	v.action, v.target = "sign-in", "oidc"
	secret, who, next, err := s.set.Access.Return(r, v.from)
	http.SetCookie(w, s.set.Access.FlowGone())
	if err != nil {
		v.detail = map[string]any{"reason": clip(300, err.Error())}
		status, text := s.signInStatus(w, err)
		s.page(w, "sign-in", status, s.signInForm(r, "", text))
		return
	}
	s.enter(w, r, secret, who, within(next))
}

func badForm(err error) error {
	return fmt.Errorf("%w: the form cannot be read: %w", errBadRequest, err)
}

func retryAfter(d time.Duration) string { return strconv.Itoa(int(d.Seconds()) + 1) }

// capital is a sentence's beginning.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
