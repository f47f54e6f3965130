package console

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
)

// policy lets a page load its style and its icon from here and nothing else: no script, no frame, no form that leads elsewhere.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// scripted is added where a script was built in: it comes from here, speaks to nobody else, and can make no markup or code out of text.
const scripted = "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard answers only requests addressed to this machine, so that a web page elsewhere cannot reach the console by a name that it lets
// resolve to loopback; refuses what another site makes a browser send; and sets the headers that keep a page from running or loading
// anything. The referrer policy must not be no-referrer: browsers then send a form's origin as null, which older ones cannot prove ours.
func (s *server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.page(w, "problem", http.StatusForbidden, s.problemOf(r, http.StatusForbidden, "The request came from another web site. Open the console itself and send the form there.", ""))
	}))
	inner := s.receive(origin.Handler(next))
	allowed := policy
	if s.files.script != "" {
		allowed += scripted
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", allowed)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.local(r.Host) {
			http.Error(w, "The console does not answer to this name. Open it as http://localhost or http://127.0.0.1 with its port.", http.StatusMisdirectedRequest)
			return
		}
		if s.set.TLS {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		inner.ServeHTTP(w, r)
	})
}

// person is who asks. Where nobody signs in, whoever reaches this address is trusted with everything.
func (s *server) person(r *http.Request) access.Person {
	if s.set.Person != nil {
		return s.set.Person(r)
	}
	return access.Person{Name: "local", Role: access.Admin, Via: "loopback"}
}

// local reports whether a Host header names this machine.
func (s *server) local(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	if slices.ContainsFunc(s.set.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
