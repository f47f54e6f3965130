package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

// signOutAt is a console whose provider announces more.
func signOutAt(t *testing.T, more string) *people {
	t.Helper()
	p := newPlant()
	var idp *httptest.Server
	idp = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%[1]s/auth","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/keys"%s}`, idp.URL, strings.ReplaceAll(more, "IDP", idp.URL))
	}))
	t.Cleanup(idp.Close)
	who := &people{docs: map[string][]access.Doc{}}
	who.Service = access.New(access.Settings{
		Keeper: who, Local: true, Memory: 64, Now: func() time.Time { return time.UnixMicro(p.now) },
		OIDC: access.NewOIDC(access.OIDCSettings{Issuer: idp.URL, ClientID: "tocsin", Redirect: "https://siem.example" + access.OIDCCallback, Client: idp.Client()}),
	})
	set := p.settings()
	set.Access, set.Audit = who.Service, who
	who.h = mustNew(t, set)
	return who
}

func TestWhoSignsOutMaySignOutAtTheProviderToo(t *testing.T) {
	who := signOutAt(t, `,"end_session_endpoint":"IDP/logout?x=1"`)
	page := who.nobody().get("/sign-in?out=oidc").Body.String()
	if !strings.Contains(page, `href="/sign-out/oidc"`) || !strings.Contains(page, "You have signed out of Tocsin.") {
		t.Errorf("the page does not offer it:\n%s", page)
	}
	w := who.nobody().get("/sign-out/oidc")
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusSeeOther || to.Path != "/logout" {
		t.Fatalf("got %d to %q", w.Code, w.Header().Get("Location"))
	}
	if q := to.Query(); q.Get("client_id") != "tocsin" || q.Get("post_logout_redirect_uri") != "https://siem.example/sign-in" || q.Get("x") != "1" || q.Has("id_token_hint") {
		t.Errorf("got %v", q)
	}
}

func TestSigningOutAtAProviderIsNotOfferedWhereItCannotBe(t *testing.T) {
	for name, more := range map[string]string{"none announced": "", "no address": `,"end_session_endpoint":"javascript:alert(1)"`, "another scheme": `,"end_session_endpoint":"ftp://elsewhere/x"`} {
		who := signOutAt(t, more)
		if page := who.nobody().get("/sign-in?out=oidc").Body.String(); strings.Contains(page, "/sign-out/oidc") || !strings.Contains(page, "You have signed out") {
			t.Errorf("%s: got\n%s", name, page)
		}
		if w := who.nobody().get("/sign-out/oidc"); w.Header().Get("Location") != "/sign-in?out=here" {
			t.Errorf("%s: leads to %q", name, w.Header().Get("Location"))
		}
	}
}

func TestWhoHasAPasswordHereIsNotSentToTheProvider(t *testing.T) {
	who := signOutAt(t, `,"end_session_endpoint":"IDP/logout"`)
	who.add(t, "ana", access.Analyst)
	w := who.signIn(t, "ana").post("/sign-out", nil)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/sign-in?out=here" {
		t.Errorf("got %d to %q", w.Code, w.Header().Get("Location"))
	}
	if page := who.nobody().get("/sign-in?out=here").Body.String(); strings.Contains(page, "/sign-out/oidc") {
		t.Error("the page offers to sign out at the provider")
	}
}
