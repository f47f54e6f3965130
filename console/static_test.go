package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const built = "/assets/tocsin-0A1B2C3D.js"

func withScript() fstest.MapFS { return fstest.MapFS{built[1:]: {Data: []byte(`"use strict";`)}} }

func TestPagesLoadTheScriptOnlyWhereOneWasBuilt(t *testing.T) {
	p, _ := compromised(t)
	set := p.settings()
	plain := get(mustNew(t, set), "/incidents")
	if strings.Contains(plain.Body.String(), "<script") || strings.Contains(plain.Header().Get("Content-Security-Policy"), "script-src") {
		t.Errorf("without a script: %v\n%s", plain.Header(), plain.Body)
	}
	set.Bundle = withScript()
	h := mustNew(t, set)
	scripted := get(h, "/incidents")
	if !strings.Contains(scripted.Body.String(), `<script src="`+built+`" defer></script>`) {
		t.Errorf("with a script: %s", scripted.Body)
	}
	policy := scripted.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self';", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is weak: %s", policy)
	}
	w := get(h, built)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" || w.Body.String() != `"use strict";` {
		t.Errorf("the script: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := get(h, "/assets/README.md"); w.Code != http.StatusNotFound {
		t.Errorf("what is not the script: %d", w.Code)
	}
}

func TestWhatIsNamedAfterItsContentIsKeptForEver(t *testing.T) {
	p, _ := compromised(t)
	set := p.settings()
	set.Bundle = withScript()
	h := mustNew(t, set)
	_, rest, _ := strings.Cut(get(h, "/incidents").Body.String(), `rel="stylesheet" href="`)
	style, _, _ := strings.Cut(rest, `"`)
	for path, want := range map[string]string{style: "immutable", built: "immutable", "/style.css": "max-age=3600", "/style.css?v=older": "max-age=3600", "/icon.svg": "max-age=3600", "/incidents": "no-store"} {
		w := get(h, path)
		if got := w.Header().Get("Cache-Control"); w.Code != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%s: %d, %q instead of %q", path, w.Code, got, want)
		}
	}
}

func TestThePageHasTheThemeThatThePersonChose(t *testing.T) {
	p, _ := compromised(t)
	h := p.handler(t)
	for cookie, want := range map[string]string{"dark": `<html lang="en" data-theme="dark">`, "light": `<html lang="en" data-theme="light">`, "": `<html lang="en">`, `"><script>`: `<html lang="en">`} {
		r := httptest.NewRequest(http.MethodGet, "/incidents", nil)
		r.AddCookie(&http.Cookie{Name: "theme", Value: cookie})
		if w := ask(h, r); !strings.Contains(w.Body.String(), want) {
			t.Errorf("theme %q: no %s", cookie, want)
		}
	}
}
