package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
)

func TestEachAddressAsksForItsRole(t *testing.T) {
	p, in := compromised(t)
	set := p.settings()
	who := access.Person{}
	set.Person = func(*http.Request) access.Person { return who }
	h := mustNew(t, set)
	one := "/incidents/" + event.FormatID(event.IncidentPrefix, in.ID)
	for _, c := range []struct {
		role         access.Role
		method, path string
		status       int
		says         string
	}{
		{0, "GET", "/incidents", http.StatusForbidden, "needs the role viewer; you are not signed in"},
		{0, "GET", "/api/v1/incidents", http.StatusForbidden, "needs the role viewer"},
		{access.Viewer, "GET", "/suppressions/new", http.StatusForbidden, "Roles, sites and tokens are given by an admin"},
		{0, "GET", "/style.css", http.StatusOK, ""},
		{0, "GET", "/api/v1/health", http.StatusServiceUnavailable, "silent for 3 h"},
		{access.Viewer, "GET", one, http.StatusOK, ""},
		{access.Viewer, "POST", one, http.StatusForbidden, "needs the role analyst; yours is viewer"},
		{access.Analyst, "POST", one, http.StatusBadRequest, "the form does not say"},
	} {
		who.Role = c.role
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, "http://localhost"+c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s as %q %s: %d\n%s", c.path, c.role, c.method, w.Code, w.Body.String())
		}
	}
	who.Role = access.Viewer
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost"+one, nil))
	if strings.Contains(w.Body.String(), `method="post"`) {
		t.Error("who may only read is offered a form")
	}
}
