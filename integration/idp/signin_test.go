package idp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// site is a console whose people sign in with a provider.
type site struct {
	*httptest.Server
	dex   *provider
	swap  func(idToken string) string // What the console gets in place of the ID token that Dex sends.
	mu    sync.Mutex
	docs  map[string][]access.Doc
	audit []access.Entry
}

func (s *site) Keep(_ context.Context, d access.Doc, expected int64) (access.Doc, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.docs[d.Kind+"/"+d.ID]
	if int64(len(all)) != expected {
		return d, access.ErrStale
	}
	d.Revision = expected + 1
	s.docs[d.Kind+"/"+d.ID] = append(all, d)
	return d, nil
}

func (s *site) Kept(_ context.Context, kind string) (list []access.Doc, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, docs := range s.docs {
		if d := docs[len(docs)-1]; d.Kind == kind && !d.Deleted {
			list = append(list, d)
		}
	}
	return list, nil
}

func (s *site) Audit(_ context.Context, e access.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audit = append(s.audit, e)
	return nil
}

func (s *site) Audited(context.Context, access.EntryFilter) iter.Seq2[access.Entry, error] {
	return func(func(access.Entry, error) bool) {}
}

// RoundTrip is the console's way to the provider.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || s.swap == nil || !strings.HasSuffix(r.URL.Path, "/token") || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	defer answer.Body.Close()
	var tokens map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil {
		return nil, err
	}
	tokens["id_token"] = s.swap(tokens["id_token"].(string))
	body, err := json.Marshal(tokens)
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return answer, err
}

// nothing is a store without incidents.
type nothing struct{}

func (nothing) Incidents(context.Context, []event.ID) ([]*incident.Incident, error) {
	return nil, nil
}

func (nothing) Incident(context.Context, event.ID) (*incident.Incident, error) {
	return nil, console.ErrNotFound
}

func (nothing) Event(context.Context, event.ID) (*event.Event, error) {
	return nil, console.ErrNotFound
}
func (nothing) Rejects(context.Context, int) ([]event.Reject, error) { return nil, nil }

// startSite starts a console and a Dex whose clock is off by so much.
func startSite(t *testing.T, off time.Duration) *site {
	t.Helper()
	s := &site{docs: map[string][]access.Doc{}}
	s.Server = httptest.NewUnstartedServer(nil)
	address := "http://" + s.Listener.Addr().String()
	s.dex = startDex(t, off, address+access.OIDCCallback)
	people := access.New(access.Settings{Keeper: s, Now: time.Now, OIDC: access.NewOIDC(access.OIDCSettings{
		Issuer: s.dex.issuer, ClientID: clientID, Secret: clientSecret, Redirect: address + access.OIDCCallback,
		Grants: []access.Grant{{Group: "authors", Role: access.Analyst, Sites: []string{"hall-3"}}, {Group: "*", Role: access.Viewer}},
		Client: &http.Client{Transport: s},
	})})
	h, err := console.New(console.Settings{
		Reader: nothing{}, Access: people, Audit: s, Log: slog.New(slog.DiscardHandler), Now: func() int64 { return time.Now().UnixMicro() },
	})
	must(t, err)
	s.Config.Handler = h
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// browser is a client that keeps cookies and follows redirects only when told.
type browser struct {
	t *testing.T
	*http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer that has been read.
type page struct {
	status int
	at     *url.URL // Where a redirect leads.
	body   string
	header http.Header
}

func (b *browser) do(r *http.Request, err error) page {
	b.t.Helper()
	must(b.t, err)
	answer, err := b.Client.Do(r)
	must(b.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(b.t, err)
	to, _ := answer.Location()
	return page{answer.StatusCode, to, string(body), answer.Header}
}

func (b *browser) open(address string) page {
	b.t.Helper()
	return b.do(http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil))
}

func (b *browser) send(address string, form url.Values) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	must(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r, nil)
}

// until follows redirects until one leads to that path, and says where.
func (b *browser) until(p page, path string) *url.URL {
	b.t.Helper()
	for range 10 {
		if p.at == nil {
			b.t.Fatalf("a redirect to %s is missing: %d %s", path, p.status, p.body)
		}
		if p.at.Path == path {
			return p.at
		}
		p = b.open(p.at.String())
	}
	b.t.Fatalf("too many redirects on the way to %s", path)
	return nil
}

var link = regexp.MustCompile(`href="([^"]*/auth/(local|mock)\?[^"]*)"`)

// atProvider goes to the provider as the console says, signs in there with a connector, and says where the provider sends the browser.
func (b *browser) atProvider(s *site, to *url.URL, connector string) *url.URL {
	b.t.Helper()
	p := b.open(to.String())
	for _, m := range link.FindAllStringSubmatch(p.body, -1) {
		if m[2] != connector {
			continue
		}
		next, err := to.Parse(html.UnescapeString(m[1]))
		must(b.t, err)
		p = b.open(next.String())
		if connector == "mock" {
			return b.until(p, access.OIDCCallback)
		}
		form := p.at
		if p = b.open(form.String()); p.status != http.StatusOK {
			b.t.Fatalf("the provider's form: %d %s", p.status, p.body)
		}
		return b.until(b.send(form.String(), url.Values{"login": {"ana@plant.example"}, "password": {dexPassword}}), access.OIDCCallback)
	}
	b.t.Fatalf("the provider offers no %s: %d %s", connector, p.status, p.body)
	return nil
}

// leave begins a sign-in at the console.
func (b *browser) leave(s *site, next string) *url.URL {
	b.t.Helper()
	p := b.open(s.URL + "/sign-in/oidc?next=" + url.QueryEscape(next))
	if p.status != http.StatusSeeOther || !strings.HasPrefix(p.at.String(), s.dex.issuer) {
		b.t.Fatalf("the console leads to %d %v, want the provider: %s", p.status, p.at, p.body)
	}
	return p.at
}

func TestPeopleSignInWithAProvider(t *testing.T) {
	for connector, want := range map[string]struct{ name, role string }{
		"local": {"ana@plant.example", "viewer"},
		"mock":  {"kilgore@kilgore.trout", "analyst"},
	} {
		t.Run(connector, func(t *testing.T) {
			s, b := startSite(t, 0), newBrowser(t)
			p := b.open(s.URL + "/health?q=press")
			if p.status != http.StatusSeeOther || p.at.Path != "/sign-in" {
				t.Fatalf("nobody gets %d %v", p.status, p.at)
			}
			to := b.leave(s, "/health?q=press")
			if q := to.Query(); q.Get("code_challenge_method") != "S256" || len(q.Get("nonce")) < 20 || len(q.Get("state")) < 20 || q.Get("response_type") != "code" {
				t.Errorf("the provider is asked with %v", q)
			}
			back := b.atProvider(s, to, connector)
			p = b.open(back.String())
			if p.status != http.StatusSeeOther || p.at.RequestURI() != "/health?q=press" {
				t.Fatalf("after signing in: %d %v %s", p.status, p.at, p.body)
			}
			if p = b.open(p.at.String()); p.status != http.StatusOK || !strings.Contains(p.body, want.name) {
				t.Errorf("the page: %d %s", p.status, p.body)
			}
			if p = b.open(s.URL + "/account"); !strings.Contains(p.body, "You are "+want.name+", "+want.role) {
				t.Errorf("the account is not of %v: %s", want, p.body)
			}
			if i := slices.IndexFunc(s.audit, func(e access.Entry) bool { return e.Action == "sign-in" && e.OK }); i < 0 || s.audit[i].Who != want.name {
				t.Errorf("the audit has %+v", s.audit)
			}
			if p = b.open(back.String()); p.status != http.StatusForbidden { // The same answer again: the cookie is gone.
				t.Errorf("an answer of the provider is taken twice: %d", p.status)
			}
			out, err := http.NewRequest(http.MethodPost, s.URL+"/sign-out", nil)
			if err == nil {
				out.Header.Set("Origin", s.URL)
			}
			if p = b.do(out, err); p.status != http.StatusSeeOther || p.at.RequestURI() != "/sign-in?out=oidc" {
				t.Fatalf("signing out: %d %v", p.status, p.at)
			}
			if p = b.open(p.at.String()); !strings.Contains(p.body, "You have signed out") || strings.Contains(p.body, "/sign-out/oidc") { // this Dex announces no place for it
				t.Errorf("after signing out: %d %s", p.status, p.body)
			}
		})
	}
}

func TestAnAnswerThatWasNotAskedForIsRefused(t *testing.T) {
	s := startSite(t, 0)
	in := func(b *browser) (*url.URL, *url.URL) {
		to := b.leave(s, "/")
		return to, b.atProvider(s, to, "mock")
	}
	home, err := url.Parse(s.URL)
	must(t, err)
	edit := func(b *browser, part int, value string) {
		for _, c := range b.Jar.Cookies(home) {
			if strings.HasSuffix(c.Name, "-flow") {
				parts := strings.SplitN(c.Value, ".", 4)
				parts[part] = value
				b.Jar.SetCookies(home, []*http.Cookie{{Name: c.Name, Value: strings.Join(parts, "."), Path: "/"}})
			}
		}
	}
	for says, try := range map[string]func(*browser) *url.URL{
		"state is not the one": func(b *browser) *url.URL {
			_, back := in(b)
			q := back.Query()
			q.Set("state", "of-somebody-else")
			back.RawQuery = q.Encode()
			return back
		},
		"not begun in this browser": func(*browser) *url.URL {
			_, back := in(newBrowser(t)) // An answer that an attacker got, in another browser.
			return back
		},
		"nonce differs": func(b *browser) *url.URL {
			_, back := in(b)
			edit(b, 1, "another-nonce")
			return back
		},
		"does not take the code": func(b *browser) *url.URL { // PKCE: the verifier is not the one that was announced.
			_, back := in(b)
			edit(b, 2, strings.Repeat("v", 43))
			return back
		},
		"provider says": func(b *browser) *url.URL {
			to, back := in(b)
			back.RawQuery = url.Values{"state": {to.Query().Get("state")}, "error": {"access_denied"}}.Encode()
			return back
		},
	} {
		b := newBrowser(t)
		p := b.open(try(b).String())
		if p.status != http.StatusForbidden || !strings.Contains(p.body, says) {
			t.Errorf("%q: %d %s", says, p.status, p.body)
		}
		if p := b.open(s.URL + "/account"); p.status != http.StatusSeeOther {
			t.Errorf("%q: somebody is signed in after all", says)
		}
	}
	if n := len(s.docs); n != 0 {
		t.Errorf("%d documents were kept, of people or sessions", n)
	}
}

func TestAnIDTokenThatIsNotForUsIsRefused(t *testing.T) {
	s := startSite(t, 0)
	// Dex signs a token for another client, with which somebody could try to sign in here.
	var other string
	{
		b := newBrowser(t)
		to := b.leave(s, "/")
		q := to.Query()
		q.Set("client_id", otherClient)
		q.Del("code_challenge")
		q.Del("code_challenge_method")
		to.RawQuery = q.Encode()
		back := b.atProvider(s, to, "mock")
		p := b.send(s.dex.issuer+"/token", url.Values{
			"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {q.Get("redirect_uri")}, "client_id": {otherClient}, "client_secret": {clientSecret},
		})
		var tokens struct {
			ID string `json:"id_token"`
		}
		if err := json.Unmarshal([]byte(p.body), &tokens); err != nil || tokens.ID == "" {
			t.Fatalf("no token for the other client: %s", p.body)
		}
		other = tokens.ID
	}
	for says, swap := range map[string]func(string) string{
		"audience":  func(string) string { return other },
		"signature": func(good string) string { return good[:len(good)-20] + strings.Repeat("A", 20) },
		"malformed": func(string) string { return "nothing" },
	} {
		s.swap = swap
		b := newBrowser(t)
		p := b.open(b.atProvider(s, b.leave(s, "/"), "mock").String())
		if p.status != http.StatusForbidden || !strings.Contains(p.body, "The sign-in cannot be completed") || !strings.Contains(p.body, says) {
			t.Errorf("%q: %d %s", says, p.status, p.body)
		}
	}
	if len(s.docs) != 0 {
		t.Error("somebody has signed in")
	}
}

func TestAnIDTokenThatHasExpiredIsRefused(t *testing.T) {
	s, b := startSite(t, -3*time.Hour), newBrowser(t)
	p := b.open(b.atProvider(s, b.leave(s, "/"), "mock").String())
	if p.status != http.StatusForbidden || !strings.Contains(p.body, "expired") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

func TestAProviderThatIsAwayIsSaidSo(t *testing.T) {
	s, b := startSite(t, 0), newBrowser(t)
	s.dex.server.Close()
	p := b.open(s.URL + "/sign-in/oidc")
	if p.status != http.StatusBadGateway || !strings.Contains(p.body, "identity provider does not answer") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := b.open(s.URL + "/sign-in"); p.status != http.StatusOK || !strings.Contains(p.body, fmt.Sprint("Sign in with ", s.dex.issuer)) {
		t.Errorf("the sign-in page: %d %s", p.status, p.body)
	}
}
