package triage

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// Config says who is told of incidents.
type Config struct {
	Endpoints  []EndpointConfig `yaml:"endpoints"`
	Routes     []RouteConfig    `yaml:"routes"`      // Who owns which incidents, and which endpoints hear of them; the first that matches counts.
	ConsoleURL string           `yaml:"console_url"` // Where people reach the console, for links in what is sent; none if empty.
	Retry      []time.Duration  `yaml:"retry"`       // Waiting time before each attempt, the first included.
	LLM        ModelConfig      `yaml:"llm"`
	Failing    FailingConfig    `yaml:"failing"` // An endpoint that has failed for long is told of through others.
	Poll       time.Duration    `yaml:"poll"`    // How often the outbox is looked at while something is due; else fifteen times less often.
}

// EndpointConfig is one receiver.
type EndpointConfig struct {
	Name           string            `yaml:"name"`
	Adapter        string            `yaml:"adapter"`          // Form of what is sent; native by default.
	URL            string            `yaml:"url"`              // https://, tls:// or tcp:// for syslog, smtp:// or smtps:// for mail.
	URLFrom        Secret            `yaml:"url_from"`         // The URL, where it is a secret itself, in place of url.
	Secret         Secret            `yaml:"secret"`           // Signing key, whsec_ and base64.
	NextSecret     Secret            `yaml:"next_secret"`      // Second key during a rotation: both signatures are sent.
	Token          Secret            `yaml:"token"`            // Routing key, API key, token or password at the receiver.
	MinSeverity    string            `yaml:"min_severity"`     // Least severity; all by default.
	Events         []string          `yaml:"events"`           // Kinds of change, such as opened and closed; all by default. alert.created tells of each finding, only where it is asked for.
	Rate           int               `yaml:"rate"`             // Most deliveries a minute; 0: no bound.
	Digest         DigestConfig      `yaml:"digest"`           // What becomes of openings in a storm.
	AllowCIDRs     []string          `yaml:"allow_cidrs"`      // Private and loopback networks it may be in.
	AllowPlainHTTP bool              `yaml:"allow_plain_http"` // Without TLS anyone on the way can read what is sent.
	AllowPlain     bool              `yaml:"allow_plain"`      // The same for syslog over tcp:// and mail servers without STARTTLS.
	CA             string            `yaml:"ca"`               // File with certificates, PEM, that the receiver's may be signed by; else the system's.
	Timeout        time.Duration     `yaml:"timeout"`          // Of one attempt; 15s by default.
	Headers        map[string]string `yaml:"headers"`          // Sent as they are.
	Topic          string            `yaml:"topic"`            // Kafka: the topic.
	From           string            `yaml:"from"`             // Mail: the sender.
	To             []string          `yaml:"to"`               // Mail: the recipients.
	Username       string            `yaml:"username"`         // Mail: who signs in with the token; empty: nobody does.
	ModelSummary   bool              `yaml:"model_summary"`    // Send a model's summary, if there is one, in place of the deterministic one.
	IncludeRaw     bool              `yaml:"include_raw"`      // Send original log text too: it may hold personal data and hostile text.
}

// DigestConfig turns a storm of openings into one event a minute.
type DigestConfig struct {
	Openings int    `yaml:"openings"` // Most openings told one by one in a minute; 0: all of them are.
	Always   string `yaml:"always"`   // Openings from this severity on are always told; critical by default.
}

// DefaultConfig has no endpoints. Its ten attempts take about 42 hours, dense in the first minutes.
func DefaultConfig() Config {
	return Config{
		LLM:     DefaultModelConfig(),
		Poll:    2 * time.Second,
		Failing: FailingConfig{After: 24 * time.Hour},
		Retry: []time.Duration{
			0, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 24 * time.Hour,
		},
	}
}

// alertCreated is what an endpoint asks for that wants to hear of each finding, too.
const alertCreated = incident.ChangeKind(adapter.TypeAlert)

// kinds are the changes an endpoint can ask for.
var kinds = []incident.ChangeKind{
	incident.ChangeOpened, incident.ChangeUpdated, incident.ChangeAcknowledged, incident.ChangeEscalated, incident.ChangeMerged, incident.ChangeSplit,
	incident.ChangeClosed, incident.ChangeReopened, incident.ChangeSummaryReady,
}

// Validate reports everything that is wrong, each with the endpoint's name. It reads no secrets.
func (c Config) Validate() error {
	var errs []error
	if len(c.Retry) == 0 || len(c.Retry) > 50 || slices.Min(c.Retry) < 0 {
		errs = append(errs, errors.New("triage.retry: give 1 to 50 waiting times, none negative"))
	}
	if err := c.LLM.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.Poll < 10*time.Millisecond {
		errs = append(errs, fmt.Errorf("triage.poll: %v is too short: give 10ms or more", c.Poll))
	}
	if c.ConsoleURL != "" {
		if u, err := url.Parse(c.ConsoleURL); err != nil || u.Host == "" {
			errs = append(errs, fmt.Errorf("triage.console_url: %q is no URL with a host", c.ConsoleURL))
		}
	}
	errs = append(errs, c.checkRoutes()...)
	errs = append(errs, c.checkFailing()...)
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

// Secret names where a secret is kept. The value itself is never in the configuration.
type Secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// text reads the secret; empty if none is configured.
func (s Secret) text() (string, error) {
	switch {
	case s == (Secret{}):
		return "", nil
	case s.Env != "" && s.File != "":
		return "", errors.New("give env or file, not both")
	case s.Env != "":
		text := strings.TrimSpace(os.Getenv(s.Env))
		if text == "" {
			return "", fmt.Errorf("the environment variable %s is empty", s.Env)
		}
		return text, nil
	}
	b, err := os.ReadFile(s.File)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" || strings.ContainsAny(text, "\r\n\x00") {
		return "", fmt.Errorf("%s: want one line with the secret", s.File)
	}
	return text, nil
}

// key reads the signing key; nil if no secret is configured.
func (s Secret) key() ([]byte, error) {
	text, err := s.text()
	if text == "" || err != nil {
		return nil, err
	}
	return parseKey(text)
}

func parseKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("a signing key is whsec_ and the base64 of 24 to 64 bytes")
	}
	return key, nil
}
