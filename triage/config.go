package triage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
)

// Config says who is told of incidents.
type Config struct {
	Endpoints  []EndpointConfig `yaml:"endpoints"`
	ConsoleURL string           `yaml:"console_url"` // Where people reach the console, for links in what is sent; none if empty.
	Retry      []time.Duration  `yaml:"retry"`       // Waiting time before each attempt, the first included.
	Poll       time.Duration    `yaml:"poll"`        // How often the outbox is looked at while something is due; else fifteen times less often.
}

// EndpointConfig is one receiver of webhooks.
type EndpointConfig struct {
	Name           string            `yaml:"name"`
	URL            string            `yaml:"url"`
	Secret         Secret            `yaml:"secret"`           // Signing key, whsec_ and base64.
	NextSecret     Secret            `yaml:"next_secret"`      // Second key during a rotation: both signatures are sent.
	MinSeverity    string            `yaml:"min_severity"`     // Least severity; all by default.
	Events         []string          `yaml:"events"`           // Kinds of change, such as opened and closed; all by default.
	AllowCIDRs     []string          `yaml:"allow_cidrs"`      // Private and loopback networks it may be in.
	AllowPlainHTTP bool              `yaml:"allow_plain_http"` // Without TLS anyone on the way can read what is sent.
	Timeout        time.Duration     `yaml:"timeout"`          // Of one attempt; 15s by default.
	Headers        map[string]string `yaml:"headers"`          // Sent as they are.
	IncludeRaw     bool              `yaml:"include_raw"`      // Send original log text too: it may hold personal data and hostile text.
}

// DefaultConfig has no endpoints. Its ten attempts take about 42 hours, dense in the first minutes.
func DefaultConfig() Config {
	return Config{
		Poll: 2 * time.Second,
		Retry: []time.Duration{
			0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 24 * time.Hour,
		},
	}
}

// kinds are the changes an endpoint can ask for.
var kinds = []incident.ChangeKind{
	incident.ChangeOpened, incident.ChangeUpdated, incident.ChangeAcknowledged, incident.ChangeEscalated, incident.ChangeMerged, incident.ChangeSplit,
	incident.ChangeClosed, incident.ChangeReopened,
}

// Validate reports everything that is wrong, each with the endpoint's name. It reads no secrets.
func (c Config) Validate() error {
	var errs []error
	if len(c.Retry) == 0 || len(c.Retry) > 50 || slices.Min(c.Retry) < 0 {
		errs = append(errs, errors.New("triage.retry: give 1 to 50 waiting times, none negative"))
	}
	if c.Poll < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("triage.poll: %v is too short: give 10ms or more", c.Poll))
	}
	if c.ConsoleURL != "" {
		if u, err := url.Parse(c.ConsoleURL); err != nil || u.Host == "" {
			errs = append(errs, fmt.Errorf("triage.console_url: %q is no URL with a host", c.ConsoleURL))
		}
	}
	seen := map[string]bool{}
	for i, e := range c.Endpoints {
		name := e.Name
		if name == "" {
			name = fmt.Sprintf("number %d", i+1)
		}
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("triage.endpoints: %s: "+format, append([]any{name}, args...)...))
		}
		if e.Name == "" || len(e.Name) > 64 {
			bad("name: give a name of at most 64 characters")
		}
		if seen[e.Name] {
			bad("name: used twice")
		}
		seen[e.Name] = true
		e.check(bad)
	}
	return errors.Join(errs...)
}

func (e EndpointConfig) check(bad func(string, ...any)) {
	switch u, err := url.Parse(e.URL); {
	case err != nil || u.Host == "":
		bad("url: not a URL with a host")
	case u.User != nil:
		bad("url: a password in a URL ends up in logs: use headers or the secret")
	case u.Scheme == "http" && !e.AllowPlainHTTP:
		bad("url: plain http: use https, or set allow_plain_http")
	case u.Scheme != "http" && u.Scheme != "https":
		bad("url: scheme %q: use https", u.Scheme)
	}
	if e.Secret == (Secret{}) {
		bad("secret: missing: give {env: NAME} or {file: PATH}")
	}
	if e.MinSeverity != "" && incident.SeverityOf(e.MinSeverity) == 0 {
		bad("min_severity: %q is none of informational, low, medium, high, critical, fatal", e.MinSeverity)
	}
	for _, k := range e.Events {
		if !slices.Contains(kinds, incident.ChangeKind(k)) {
			bad("events: %q is none of %v", k, kinds)
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
	for k := range e.Headers {
		if c := http.CanonicalHeaderKey(k); k == "" || strings.HasPrefix(c, "Webhook-") || c == "Content-Type" || c == "Content-Length" || c == "Host" {
			bad("headers: %q cannot be set", k)
		}
	}
}

// Secret names where a secret is kept. The value itself is never in the configuration.
type Secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// key reads the signing key; nil if no secret is configured.
func (s Secret) key() ([]byte, error) {
	var text string
	switch {
	case s == (Secret{}):
		return nil, nil
	case s.Env != "" && s.File != "":
		return nil, errors.New("give env or file, not both")
	case s.Env != "":
		if text = os.Getenv(s.Env); text == "" {
			return nil, fmt.Errorf("the environment variable %s is empty", s.Env)
		}
	default:
		b, err := os.ReadFile(s.File)
		if err != nil {
			return nil, err
		}
		text = string(b)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a signing key is whsec_ and the base64 of 24 to 64 bytes")
	}
	return key, nil
}
