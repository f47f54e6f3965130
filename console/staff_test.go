package console_test

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

const testPassword = "four random words"

// people are who may use a plant's console, with their documents and the audit in memory.
type people struct {
	*access.Service
	h     http.Handler
	mu    sync.Mutex
	docs  map[string][]access.Doc
	audit []access.Entry
}

func (p *people) Keep(_ context.Context, d access.Doc, expected int64) (access.Doc, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.docs[d.Kind+"/"+d.ID]
	if at := int64(len(all)); at != expected && !(expected == 0 && all[at-1].Deleted) {
		return d, access.ErrStale
	}
	d.Revision = int64(len(all)) + 1
	p.docs[d.Kind+"/"+d.ID] = append(all, d)
	return d, nil
}

func (p *people) Kept(_ context.Context, kind string) (list []access.Doc, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(p.docs)) {
		if d := p.docs[key][len(p.docs[key])-1]; d.Kind == kind && !d.Deleted {
			list = append(list, d)
		}
	}
	return list, nil
}

func (p *people) Audit(_ context.Context, e access.Entry) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.audit = append(p.audit, e)
	return nil
}

func (p *people) Audited(_ context.Context, f access.EntryFilter) iter.Seq2[access.Entry, error] {
	return func(yield func(access.Entry, error) bool) {
		for _, e := range slices.Backward(p.audit) {
			if (f.Who == "" || f.Who == e.Who) && (f.Action == "" || f.Action == e.Action) && (!f.Refused || !e.OK) && !yield(e, nil) {
				return
			}
		}
	}
}

// last is the latest entry of the audit.
func (p *people) last(t *testing.T) access.Entry {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.audit) == 0 {
		t.Fatal("the audit is empty")
	}
	return p.audit[len(p.audit)-1]
}

// newPeople is a plant's console at which people sign in with a password.
func newPeople(t *testing.T, p *plant) *people {
	t.Helper()
	who := &people{docs: map[string][]access.Doc{}}
	who.Service = access.New(access.Settings{
		Keeper: who, Local: true, Memory: 64, Now: func() time.Time { return time.UnixMicro(p.now) },
		OIDC: access.NewOIDC(access.OIDCSettings{Issuer: "https://login.plant.example"}),
	})
	set := p.settings()
	set.Access, set.Audit = who.Service, who
	who.h = mustNew(t, set)
	return who
}

func (p *people) add(t *testing.T, name string, role access.Role, sites ...string) {
	t.Helper()
	if err := p.AddUser(t.Context(), name, testPassword, role, sites, "test"); err != nil {
		t.Fatal(err)
	}
}

func (p *people) token(t *testing.T, role access.Role, scopes ...string) string {
	t.Helper()
	secret, _, err := p.AddToken(t.Context(), access.Token{Name: "test", Role: role, Scopes: scopes}, 0, access.Person{Name: "test", Role: access.Admin, Via: "local"})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// client sends what a browser sends, or a program with a token.
type client struct {
	h       http.Handler
	cookies []*http.Cookie
	headers map[string]string
}

func (p *people) nobody() *client { return &client{h: p.h, headers: map[string]string{}} }

func (p *people) with(secret string) *client {
	return &client{h: p.h, headers: map[string]string{"Authorization": "Bearer " + secret}}
}

func (p *people) signIn(t *testing.T, name string) *client {
	t.Helper()
	b := p.nobody()
	b.headers["Sec-Fetch-Site"] = "same-origin"
	w := b.post("/sign-in", url.Values{"name": {name}, "password": {testPassword}})
	if w.Code != http.StatusSeeOther {
		t.Fatalf("%s does not sign in: %d %s", name, w.Code, w.Body)
	}
	b.cookies = w.Result().Cookies()
	return b
}

func (c *client) send(r *http.Request) *httptest.ResponseRecorder {
	for _, x := range c.cookies {
		r.AddCookie(x)
	}
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	return ask(c.h, r)
}

func (c *client) get(path string) *httptest.ResponseRecorder {
	return c.send(httptest.NewRequest(http.MethodGet, path, nil))
}

func (c *client) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(r)
}
