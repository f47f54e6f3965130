package triage

import (
	"fmt"
	"net/http"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// Bounds of what an endpoint may be configured to.
const (
	maxRate       = 6000
	maxRecipients = 50
)

// check reports everything that is wrong with an endpoint.
func (e EndpointConfig) check(bad func(string, ...any)) {
	a, known := adapter.Named(e.Adapter)
	if !known {
		bad("adapter: %q is none of %s", e.Adapter, adapter.Names())
		return
	}
	e.checkPlace(a, bad)
	if a.Signed && e.Secret == (Secret{}) {
		bad("secret: missing: give {env: NAME} or {file: PATH}")
	}
	if a.Token && e.Token == (Secret{}) {
		bad("token: missing: the adapter %s needs one: give {env: NAME} or {file: PATH}", a.Name)
	}
	if e.MinSeverity != "" && incident.SeverityOf(e.MinSeverity) == 0 {
		bad("min_severity: %q is none of informational, low, medium, high, critical, fatal", e.MinSeverity)
	}
	for _, k := range e.Events {
		switch kind := incident.ChangeKind(k); {
		case kind == alertCreated && a.Objects && !a.Findings:
			bad("events: the adapter %s keeps one object for each incident, which %s has none of", a.Name, alertCreated)
		case kind != alertCreated && !slices.Contains(kinds, kind):
			bad("events: %q is none of %v and %s", k, kinds, alertCreated)
		}
	}
	for _, p := range e.AllowCIDRs {
		if _, err := netip.ParsePrefix(p); err != nil {
			bad("allow_cidrs: %q is no network such as 10.1.0.0/16", p)
		}
	}
	if e.Timeout < 0 || e.Timeout > time.Minute {
		bad("timeout: %v: give at most 1m", e.Timeout)
	}
	for k, v := range e.Headers {
		if c := http.CanonicalHeaderKey(k); k == "" || strings.HasPrefix(c, "Webhook-") || c == "Content-Type" || c == "Content-Length" || c == "Host" || strings.ContainsAny(v, "\r\n") {
			bad("headers: %q cannot be set", k)
		}
	}
	e.checkStorm(a, bad)
}

func (e EndpointConfig) checkStorm(a adapter.Adapter, bad func(string, ...any)) {
	if e.Rate < 0 || e.Rate > maxRate {
		bad("rate: %d deliveries a minute: give 0 for no bound, or at most %d", e.Rate, maxRate)
	}
	if e.Digest.Openings < 0 || e.Digest.Openings > maxRate {
		bad("digest.openings: %d: give 0 for none, or at most %d", e.Digest.Openings, maxRate)
	}
	if e.Digest.Openings > 0 && a.Objects {
		bad("digest: the adapter %s keeps one object for each incident, which a digest has none of: use rate", a.Name)
	}
	if e.Digest.Always != "" && incident.SeverityOf(e.Digest.Always) == 0 {
		bad("digest.always: %q is none of informational, low, medium, high, critical, fatal", e.Digest.Always)
	}
}

// checkPlace checks where it is, by the way that leads there.
func (e EndpointConfig) checkPlace(a adapter.Adapter, bad func(string, ...any)) {
	if a.Way == adapter.Topic {
		if e.Topic == "" || len(e.Topic) > 249 || strings.Trim(e.Topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
			bad("topic: %q is no name of a Kafka topic", e.Topic)
		}
		return
	}
	if e.URL != "" && e.URLFrom != (Secret{}) {
		bad("url: give url or url_from, not both")
	}
	if a.Way == adapter.Mail {
		e.checkMail(bad)
	}
	if e.URLFrom != (Secret{}) || e.URL == "" && a.URL != "" {
		return // read and checked when the desk is made
	}
	if _, err := e.address(a, e.URL); err != nil {
		bad("url: %v", err)
	}
}

func (e EndpointConfig) checkMail(bad func(string, ...any)) {
	if _, err := netmail.ParseAddress(e.From); err != nil {
		bad("from: %q is no address of mail", e.From)
	}
	if len(e.To) == 0 || len(e.To) > maxRecipients {
		bad("to: give 1 to %d recipients", maxRecipients)
	}
	for _, to := range e.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			bad("to: %q is no address of mail", to)
		}
	}
	if e.Username != "" && e.Token == (Secret{}) {
		bad("token: missing: it is the password of %s", e.Username)
	}
}

// address reads a URL. The error says nothing of the URL itself, which may be a secret.
func (e EndpointConfig) address(a adapter.Adapter, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("not a URL with a host")
	}
	if u.User != nil {
		return nil, fmt.Errorf("a password in a URL ends up in logs: use headers, the secret or the token")
	}
	switch a.Way {
	case adapter.Syslog:
		return u, e.scheme(u, "tls", "tcp", e.AllowPlain, "allow_plain")
	case adapter.Mail:
		if u.Scheme != "smtp" && u.Scheme != "smtps" {
			return nil, fmt.Errorf("scheme %q: use smtp (with STARTTLS) or smtps", u.Scheme)
		}
		return u, nil
	}
	if strings.Trim(u.Path, "/") == "" && a.Path != "" {
		u.Path = a.Path
	}
	return u, e.scheme(u, "https", "http", e.AllowPlainHTTP, "allow_plain_http")
}

func (e EndpointConfig) scheme(u *url.URL, safe, plain string, allowed bool, key string) error {
	if u.Scheme == plain && !allowed {
		return fmt.Errorf("plain %s: use %s, or set %s", plain, safe, key)
	}
	if u.Scheme != plain && u.Scheme != safe {
		return fmt.Errorf("scheme %q: use %s", u.Scheme, safe)
	}
	return nil
}
