package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/console"
)

func mustNew(t *testing.T, set console.Settings) http.Handler {
	t.Helper()
	h, err := console.New(set)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestOnlyRequestsAddressedToThisMachineAreAnswered(t *testing.T) {
	p, in := compromised(t)
	set := p.settings()
	set.Mounts = map[string]http.Handler{"POST /ingest/okta": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })}
	set.Hosts = []string{"siem.plant.example", "10.0.0.5"}
	h := mustNew(t, set)
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8080": true, "LOCALHOST:1": true, "127.0.0.1:8080": true, "127.9.9.9": true, "[::1]:8080": true, "[::1]": true, "siem.plant.example:8080": true, "10.0.0.5:8080": true,
		"attacker.example": false, "attacker.example:8080": false, "localhost.attacker.example": false, "127.0.0.1.nip.example": false, "10.0.0.6": false, "0.0.0.0:8080": false, "": false, "[::ffff:10.0.0.6]": false,
	} {
		for _, path := range []string{"/incidents", "/incidents/" + id(in), "/api/v1/incidents", "/style.css", "/nowhere"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			w := ask(h, r)
			if answered := w.Code != http.StatusMisdirectedRequest; answered != want {
				t.Errorf("host %q, %s: %d", host, path, w.Code)
			}
			if !want && strings.Contains(w.Body.String(), "AMR") {
				t.Errorf("host %q, %s: the refusal tells something", host, path)
			}
		}
		r := httptest.NewRequest(http.MethodPost, "/ingest/okta", nil)
		r.Host = host
		if w := ask(h, r); (w.Code == http.StatusNoContent) != want {
			t.Errorf("host %q: a mounted handler answers %d", host, w.Code)
		}
	}
}

func TestAnActThatAnotherSiteSendsIsRefused(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	send := func(headers ...string) int {
		f := form(p.stitcher.Get(in.ID), "note", "text", "sent with "+strings.Join(headers, " "))
		r := httptest.NewRequest(http.MethodPost, "/incidents/"+id(in), strings.NewReader(f.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := ask(h, r)
		if w.Code == http.StatusForbidden {
			if got := readPage(t, w.Body.String()); !strings.Contains(got.text, "another web site") {
				t.Errorf("the refusal says %s", got.text)
			}
		}
		return w.Code
	}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://attacker.example"},
		{"Origin", "null"},
		{"Origin", "http://localhost:9999"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "http://localhost:8080"},
	} {
		if code := send(headers...); code != http.StatusForbidden {
			t.Errorf("%v: %d", headers, code)
		}
	}
	if len(p.acts) != 0 {
		t.Errorf("%d acts reached the analyst", len(p.acts))
	}
	for _, headers := range [][]string{{"Sec-Fetch-Site", "same-origin"}, {"Origin", "http://localhost:8080"}, {"Sec-Fetch-Site", "none"}, nil} {
		if code := send(headers...); code != http.StatusSeeOther {
			t.Errorf("%v: %d", headers, code)
		}
	}
}

func TestEveryAnswerForbidsRunningAndLoading(t *testing.T) {
	p, in := compromised(t)
	h := p.handler(t)
	refused := httptest.NewRequest(http.MethodGet, "/incidents", nil)
	refused.Host = "attacker.example"
	answers := []*httptest.ResponseRecorder{ask(h, refused), post(h, "/incidents/"+id(in), url.Values{})}
	for _, path := range []string{"/", "/incidents", "/incidents/" + id(in), "/rejects", "/health", "/nowhere", "/api/v1/incidents", "/api/v1/nothing", "/api/v1/health"} {
		answers = append(answers, get(h, path))
	}
	want := "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	for i, w := range answers {
		for name, value := range map[string]string{"Content-Security-Policy": want, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("answer %d: %s: %q", i, name, got)
			}
		}
	}
}

func TestAMountThatCannotBeServedIsAnError(t *testing.T) {
	p := newPlant()
	for _, pattern := range []string{"GET /incidents", "POST /ingest/{", ""} {
		set := p.settings()
		set.Mounts = map[string]http.Handler{pattern: http.NotFoundHandler()}
		if _, err := console.New(set); err == nil || !strings.Contains(err.Error(), "console mount") {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}
