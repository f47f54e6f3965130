package console_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/access"
)

func TestNobodyIsLedToTheSignInAndBack(t *testing.T) {
	p, in := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Analyst)
	b := who.nobody()
	w := b.get("/incidents/" + id(in) + "?around=5")
	if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || to != "/sign-in?next="+url.QueryEscape("/incidents/"+id(in)+"?around=5") || strings.Contains(w.Body.String(), "AMR") {
		t.Errorf("a page leads to %d %s", w.Code, to)
	}
	if w := b.get("/api/v1/incidents"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "not signed in") || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("the API says %d %s", w.Code, w.Body)
	}
	if w := b.post("/incidents/"+id(in), form(in, "note", "text", "x")); w.Code != http.StatusUnauthorized || len(p.acts) != 0 {
		t.Errorf("an act of nobody: %d", w.Code)
	}
	w = b.post("/sign-in", url.Values{"name": {"ana"}, "password": {testPassword}, "next": {"/incidents/" + id(in)}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/incidents/"+id(in) {
		t.Fatalf("after signing in: %d %s", w.Code, w.Header())
	}
	b.cookies = w.Result().Cookies()
	if w := b.get("/incidents/" + id(in)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `action="/sign-out"`) {
		t.Errorf("the page: %d", w.Code)
	}
}

func TestAFormWhoseSessionHasEndedIsGivenBackWithWhatWasWritten(t *testing.T) {
	p, in := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Analyst)
	b := who.signIn(t, "ana")
	page := "/incidents/" + id(in) + "?around=5"
	b.headers["Referer"] = "http://localhost:8080" + page
	p.now += 13 * 60 * minute
	note := "the gripper was open <b>\u202e"
	w := b.post("/incidents/"+id(in), form(in, "note", "text", note))
	body := w.Body.String()
	mustBeVisible(t, "the page", body)
	if w.Code != http.StatusUnauthorized || len(p.acts) != 0 {
		t.Errorf("an act of an ended session: %d", w.Code)
	}
	if want := `href="` + html.EscapeString("/sign-in?next="+url.QueryEscape(page)) + `"`; !strings.Contains(body, want) || !strings.Contains(body, "the gripper was open &lt;b&gt;") {
		t.Errorf("want %s and the note in %s", want, body)
	}
	for referer, next := range map[string]string{"https://attacker.example" + page: "/incidents", "http://localhost:8080//attacker.example": "/incidents", "": "/incidents"} {
		b.headers["Referer"] = referer
		if w := b.post("/incidents/"+id(in), form(in, "note", "text", "x")); !strings.Contains(w.Body.String(), `href="/sign-in?next=`+url.QueryEscape(next)+`"`) {
			t.Errorf("from %q: %s", referer, w.Body)
		}
	}
	if w := b.post("/account/password", url.Values{"old": {testPassword}, "new": {testPassword + "2"}}); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), testPassword) {
		t.Errorf("a password is shown: %d", w.Code)
	}
}

func TestTheSignInLeadsNowhereElse(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Viewer)
	for _, next := range []string{"https://attacker.example/", "//attacker.example", `/\attacker.example`, "javascript:alert(1)", "/\n/attacker.example", "http:attacker.example", "", strings.Repeat("/a", 2000)} {
		w := who.nobody().post("/sign-in", url.Values{"name": {"ana"}, "password": {testPassword}, "next": {next}})
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || to != "/incidents" {
			t.Errorf("%.40q leads to %d %q", next, w.Code, to)
		}
		p.now += minute
	}
}

func TestASessionThatSomebodyPlantedIsNotTakenOver(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Viewer)
	planted := &http.Cookie{Name: who.CookieName(), Value: "PLANTEDBYSOMEBODYELSE"}
	b := who.nobody()
	b.cookies = []*http.Cookie{planted}
	w := b.post("/sign-in", url.Values{"name": {"ana"}, "password": {testPassword}})
	given := w.Result().Cookies()[0]
	if given.Value == planted.Value || !given.HttpOnly || given.SameSite != http.SameSiteLaxMode {
		t.Errorf("the browser is given %s", given)
	}
	if w := b.get("/incidents"); w.Code != http.StatusSeeOther {
		t.Errorf("the planted session is one: %d", w.Code)
	}
	first := who.signIn(t, "ana")
	second := &client{h: who.h, cookies: first.cookies, headers: first.headers}
	w = first.post("/sign-in", url.Values{"name": {"ana"}, "password": {testPassword}})
	if second.get("/incidents").Code != http.StatusSeeOther || w.Code != http.StatusSeeOther {
		t.Error("the earlier session of the same browser lives on")
	}
}

func TestAFormOfAnotherSiteDoesNothingWithSomebodysSession(t *testing.T) {
	p, in := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Admin)
	b := who.signIn(t, "ana")
	for name, headers := range map[string]map[string]string{
		"another site":        {"Sec-Fetch-Site": "cross-site", "Origin": "https://attacker.example"},
		"a sister site":       {"Sec-Fetch-Site": "same-site"},
		"an origin alone":     {"Origin": "https://attacker.example"},
		"a hidden origin":     {"Origin": "null"},
		"nothing about where": {},
	} {
		c := &client{h: who.h, cookies: b.cookies, headers: headers}
		for path, f := range map[string]url.Values{
			"/incidents/" + id(in): form(in, "close", "verdict", "intrusion", "text", "x"), "/people": {"name": {"mallory"}, "password": {testPassword}, "role": {"admin"}},
			"/account/tokens": {"name": {"x"}, "role": {"admin"}, "scope": {"manage"}}, "/sign-out": {},
		} {
			if w := c.post(path, f); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "web site") {
				t.Errorf("%s, %s: %d", name, path, w.Code)
			}
			if e := who.last(t); e.OK || e.Who != "ana" {
				t.Errorf("%s, %s: the audit has %+v", name, path, e)
			}
		}
	}
	if len(p.acts) != 0 || b.get("/incidents").Code != http.StatusOK {
		t.Error("something was done")
	}
}

func TestTokensMayWhatTheirScopesSay(t *testing.T) {
	p, in := compromised(t)
	who := newPeople(t, p)
	note := form(in, "note", "text", "from a program")
	for _, c := range []struct {
		role   access.Role
		scopes []string
		method string
		path   string
		status int
	}{
		{access.Viewer, []string{"read"}, "GET", "/api/v1/incidents", 200},
		{access.Viewer, []string{"read"}, "GET", "/incidents", 200},
		{access.Admin, []string{"act", "disposition", "feeds", "ingest", "manage"}, "GET", "/api/v1/incidents", 403},
		{access.Admin, []string{"read", "feeds", "ingest", "disposition", "manage"}, "POST", "/incidents/" + id(in), 403},
		{access.Viewer, []string{"act"}, "POST", "/incidents/" + id(in), 403},
		{access.Analyst, []string{"act"}, "POST", "/incidents/" + id(in), 303},
		{access.Admin, []string{"read", "act"}, "GET", "/audit", 403},
		{access.Admin, []string{"manage"}, "GET", "/audit", 200},
		{access.Author, []string{"manage"}, "GET", "/audit", 403},
		{access.Admin, []string{"read", "act", "manage"}, "GET", "/account", 403},
		{access.Viewer, []string{"ingest"}, "GET", "/incidents", 403},
	} {
		b := who.with(who.token(t, c.role, c.scopes...))
		var w *httptest.ResponseRecorder
		if c.method == "POST" {
			w = b.post(c.path, note)
		} else {
			w = b.get(c.path)
		}
		if w.Code != c.status {
			t.Errorf("%s with %v: %s %s: %d, want %d: %s", c.role, c.scopes, c.method, c.path, w.Code, c.status, w.Body)
		}
	}
	for _, bad := range []string{"tct_nothing", "tct_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbb", "tct_" + strings.Repeat("x", 5000)} {
		if w := who.with(bad).get("/api/v1/incidents"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "token is not good") {
			t.Errorf("%.20q: %d %s", bad, w.Code, w.Body)
		}
	}
	act := p.acts[len(p.acts)-1]
	if act.By != "test" {
		t.Errorf("the act is by %q, whoever the form says, want the token's name", act.By)
	}
}

func TestATokenInAnAddressOpensFeedsAlone(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	feeds, read := who.token(t, access.Viewer, "feeds"), who.token(t, access.Viewer, "read", "feeds")
	for path, open := range map[string]bool{
		"/feeds/x.atom?token=" + feeds: true, "/feeds/x.atom?token=" + read: false, "/feeds/x.atom": false,
		"/api/v1/incidents?token=" + feeds: false, "/incidents?token=" + read: false,
	} {
		if w := who.nobody().get(path); (w.Code == http.StatusUnauthorized || w.Code == http.StatusSeeOther) == open {
			t.Errorf("%.25s…: %d", path, w.Code)
		}
	}
	if w := who.with(feeds).get("/api/v1/incidents"); w.Code != http.StatusForbidden {
		t.Errorf("a token for feeds reads incidents: %d", w.Code)
	}
}

func TestGuessingPasswordsIsRefusedSoon(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Viewer)
	answers := map[string]bool{}
	for i := range 30 {
		name := []string{"ana", "nobody-of-this-name"}[i%2]
		w := who.nobody().post("/sign-in", url.Values{"name": {name}, "password": {"wrong password"}})
		if w.Code == http.StatusTooManyRequests {
			if w.Header().Get("Retry-After") == "" || i < 10 || !strings.Contains(w.Body.String(), "try again in") {
				t.Errorf("attempt %d is refused: %s", i, w.Body)
			}
			if len(answers) != 1 {
				t.Error("the answer tells whether a name exists")
			}
			return
		}
		if w.Code != http.StatusUnauthorized {
			t.Fatalf("attempt %d: %d", i, w.Code)
		}
		answers[strings.ReplaceAll(w.Body.String(), name, "NAME")] = true
		if e := who.last(t); e.OK || e.Action != "sign-in" || e.Who != name || e.From != "192.0.2.1" || e.Via != "" {
			t.Errorf("the audit has %+v", e)
		}
	}
	t.Error("thirty wrong passwords are not refused")
}

func TestRequestsAreLimitedByPersonAndByAddress(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	secret := who.token(t, access.Viewer, "read")
	count := func(c *client, path string) (n int) {
		for n < 1000 && c.get(path).Code != http.StatusTooManyRequests {
			n++
		}
		return n
	}
	if n := count(who.with(secret), "/api/v1/health"); n != 200 {
		t.Errorf("a person sends %d requests at once, want 200", n)
	}
	if n := count(who.nobody(), "/sign-in"); n != 100 {
		t.Errorf("an address sends %d requests at once, want 100", n)
	}
	p.now += minute
	if w := who.with(secret).get("/incidents"); w.Code != http.StatusOK {
		t.Errorf("a minute later: %d", w.Code)
	}
	if n := len(who.audit); n > 100 {
		t.Errorf("%d entries in the audit", n)
	}
}

func TestWhatIsTooLongIsRefused(t *testing.T) {
	p, in := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Admin)
	b := who.signIn(t, "ana")
	for _, path := range []string{"/incidents/" + id(in), "/people", "/tokens", "/account/tokens", "/account/password", "/sign-in"} {
		w := b.post(path, url.Values{"text": {strings.Repeat("x", 9<<20)}})
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestPathsLeadNowhereElse(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Admin)
	b := who.signIn(t, "ana")
	for _, path := range []string{"/assets/../../go.mod", "/assets/..%2f..%2fgo.mod", "/assets/%2e%2e/console.go", "/style.css/../console.go", "/assets/..%5c..%5cgo.mod", "/feeds/..%2f..%2fetc%2fpasswd", "//etc/passwd", "/incidents/..%2f..%2faudit"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path, r.URL.RawPath = mustUnescape(t, path), path
		r.RequestURI = path
		w := b.send(r)
		if body := w.Body.String(); w.Code == http.StatusOK || strings.Contains(body, "package console") || strings.Contains(body, "module github.com") || strings.Contains(body, "root:") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func mustUnescape(t *testing.T, path string) string {
	t.Helper()
	s, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEverythingThatIsDoneIsInTheAudit(t *testing.T) {
	p, in := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Admin)
	b := who.signIn(t, "ana")
	if e := who.last(t); e.Action != "sign-in" || e.Who != "ana" || !e.OK {
		t.Errorf("signing in: %+v", e)
	}
	for _, c := range []struct {
		do     func() *httptest.ResponseRecorder
		action string
		target string
		ok     bool
	}{
		{func() *httptest.ResponseRecorder { return b.post("/incidents/"+id(in), form(in, "note", "text", "x")) }, "POST /incidents/{id}", "/incidents/" + id(in), true},
		{func() *httptest.ResponseRecorder { return b.get("/incidents.csv") }, "GET /incidents.csv", "/incidents.csv", true},
		{func() *httptest.ResponseRecorder {
			return b.post("/people", url.Values{"name": {"ben"}, "password": {testPassword}, "role": {"viewer"}})
		}, "person.add", "ben", true},
		{func() *httptest.ResponseRecorder {
			return b.post("/people/ben", url.Values{"do": {"role"}, "role": {"analyst"}, "sites": {"plant-1, plant-2"}})
		}, "person.role", "ben", true},
		{func() *httptest.ResponseRecorder { return b.post("/people/ben", url.Values{"do": {"disable"}}) }, "person.disable", "ben", true},
		{func() *httptest.ResponseRecorder {
			return b.post("/people/ana", url.Values{"do": {"disable"}})
		}, "person.disable", "ana", true}, // The provider makes admins here, so she may.
	} {
		w := c.do()
		e := who.last(t)
		if e.Action != c.action || e.Target != c.target || e.OK != c.ok || e.Who != "ana" || e.Via != "local" || e.From != "192.0.2.1" || e.At != p.now || !json.Valid(e.Detail) {
			t.Errorf("after %d: %+v %s", w.Code, e, e.Detail)
		}
		if strings.Contains(string(e.Detail), testPassword) {
			t.Errorf("the audit holds a password: %s", e.Detail)
		}
	}
	who.add(t, "cleo", access.Admin)
	c := who.signIn(t, "cleo")
	if w := c.get("/audit?who=ana"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "person.disable") || strings.Contains(w.Body.String(), "cleo</td>") {
		t.Errorf("the page: %d %s", w.Code, w.Body)
	}
	w := c.get("/audit.ndjson?refused=1")
	if w.Code != http.StatusOK || who.last(t).Action != "audit.export" {
		t.Errorf("the export: %d, then %+v", w.Code, who.last(t))
	}
	for line := range strings.Lines(c.get("/audit.ndjson").Body.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	for _, bad := range []string{"/audit?since=yesterday", "/audit?after=1", "/audit.ndjson?until=x"} {
		if w := c.get(bad); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

func TestTheAddressOfAClientIsNotWhatItSays(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	set := p.settings()
	set.Access, set.Audit, set.Proxies = who.Service, who, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	h := mustNew(t, set)
	for _, c := range []struct{ peer, said, want string }{
		{"192.0.2.9:5", "203.0.113.5", "192.0.2.9"},
		{"10.1.2.3:5", "203.0.113.5", "203.0.113.5"},
		{"10.1.2.3:5", "1.1.1.1, 203.0.113.5, 10.9.9.9", "203.0.113.5"},
		{"10.1.2.3:5", "", "10.1.2.3"},
		{"10.1.2.3:5", "<script>", "10.1.2.3"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/sign-in", strings.NewReader("name=x&password=y"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = c.peer
		if c.said != "" {
			r.Header.Set("X-Forwarded-For", c.said)
		}
		ask(h, r)
		if e := who.last(t); e.From != c.want {
			t.Errorf("%s that says %q is %s, want %s", c.peer, c.said, e.From, c.want)
		}
		p.now += minute
	}
}

func TestNamesAndTextsOfPeopleAreShownAsText(t *testing.T) {
	p, _ := compromised(t)
	who := newPeople(t, p)
	who.add(t, "ana", access.Admin)
	b := who.signIn(t, "ana")
	for name, attack := range attacks {
		if len(attack.text) > 90 {
			continue
		}
		b.headers["User-Agent"] = strings.ToValidUTF8(strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(attack.text), "")
		b.post("/account/tokens", url.Values{"name": {attack.text}, "role": {"viewer"}, "scope": {"read"}})
		b.post("/people/"+url.PathEscape(attack.text), url.Values{"do": {attack.text}})
		for _, path := range []string{"/account", "/tokens", "/people", "/audit", "/audit.ndjson"} {
			w := b.get(path)
			if w.Code != http.StatusOK {
				t.Fatalf("%s, %s: %d", name, path, w.Code)
			}
			mustBeVisible(t, name+", "+path, w.Body.String())
			if path != "/audit.ndjson" && (strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), "<img src=x") || strings.Contains(w.Body.String(), "<svg onload")) {
				t.Errorf("%s, %s: an element came through", name, path)
			}
		}
		p.now += minute
	}
}

func TestASlowClientIsHungUpOn(t *testing.T) {
	p, _ := compromised(t)
	set := p.settings()
	set.Patience = 20 * time.Millisecond
	set.Access = newPeople(t, p).Service
	server := httptest.NewServer(mustNew(t, set))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nname=")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil) // Nothing more is sent: without a bound this never ends.
	if err != nil {
		return // Hung up on without a word.
	}
	defer answer.Body.Close()
	if answer.StatusCode < 400 {
		t.Errorf("half a form is taken: %d", answer.StatusCode)
	}
}
