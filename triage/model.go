package triage

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// ModelConfig says which language model, if any, may re-word what the rules found (package llm). Without a URL none is asked.
type ModelConfig struct {
	URL            string            `yaml:"url"`              // Base address of a server that speaks OpenAI's chat completions, such as https://models.plant.example/v1; empty: no model is asked.
	Model          string            `yaml:"model"`            // The model's name at that server.
	Key            Secret            `yaml:"key"`              // Its API key; none if the server wants none.
	AllowCIDRs     []string          `yaml:"allow_cidrs"`      // Private and loopback networks it may be in.
	AllowPlainHTTP bool              `yaml:"allow_plain_http"` // Without TLS anyone on the way can read the evidence.
	FreeText       string            `yaml:"free_text"`        // none: nothing an outsider wrote is sent; excerpt: up to 64 characters of it, of a safe alphabet.
	Names          map[string]string `yaml:"names"`            // By kind (user, device, robot, ip): pseudonym, clear, or never: not mentioned at all.
	Mode           string            `yaml:"mode"`             // auto tries json_schema, then json_object, then prompt; or one of them.
	TokenField     string            `yaml:"token_field"`      // What the server calls the bound of an answer: max_tokens, or max_completion_tokens.
	InputTokens    int               `yaml:"input_tokens"`     // Most tokens of a question.
	OutputTokens   int               `yaml:"output_tokens"`    // Most tokens of an answer.
	DailyTokens    int               `yaml:"daily_tokens"`     // Most tokens a UTC day, both ways together.
	PerHour        int               `yaml:"per_hour"`         // Most questions an hour about one incident.
	Debounce       time.Duration     `yaml:"debounce"`         // How long an incident must have been quiet before it is asked about.
	Timeout        time.Duration     `yaml:"timeout"`          // Of one question.
	MinSeverity    string            `yaml:"min_severity"`     // Incidents below are not asked about.
}

// DefaultModelConfig asks no model. Its bounds fit models with a context of 8,000 tokens.
func DefaultModelConfig() ModelConfig {
	return ModelConfig{
		FreeText: "none", Mode: "auto", TokenField: "max_tokens", InputTokens: 6000, OutputTokens: 900, DailyTokens: 500_000, PerHour: 6,
		Debounce: time.Minute, Timeout: 30 * time.Second, MinSeverity: "low",
	}
}

// What the words of a ModelConfig may be.
var (
	modelModes  = []string{"auto", "json_schema", "json_object", "prompt"}
	modelNames  = []string{"user", "device", "robot", "ip"}
	namePolices = []string{"pseudonym", "clear", "never"}
)

// On reports whether a model is to be asked at all.
func (c *ModelConfig) On() bool { return c.URL != "" }

// Validate reports everything that is wrong, with its key below triage.llm. It reads no secrets.
func (c *ModelConfig) Validate() error {
	if !c.On() {
		return nil
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("triage.llm."+format, args...)) }
	switch u, err := url.Parse(c.URL); {
	case err != nil || u.Host == "":
		bad("url: not a URL with a host")
	case u.User != nil:
		bad("url: a password in a URL ends up in logs: use key")
	case u.Scheme == "http" && !c.AllowPlainHTTP:
		bad("url: plain http: use https, or set allow_plain_http")
	case u.Scheme != "http" && u.Scheme != "https":
		bad("url: scheme %q: use https", u.Scheme)
	}
	if c.Model == "" {
		bad("model: missing: give the model's name at that server")
	}
	if c.Key.Env != "" && c.Key.File != "" {
		bad("key: give env or file, not both")
	}
	for _, p := range c.AllowCIDRs {
		if _, err := netip.ParsePrefix(p); err != nil {
			bad("allow_cidrs: %q is no network such as 10.1.0.0/16", p)
		}
	}
	oneOf := func(key, value string, all []string) {
		if !slices.Contains(all, value) {
			bad("%s: %q is none of %s", key, value, strings.Join(all, ", "))
		}
	}
	oneOf("free_text", c.FreeText, []string{"none", "excerpt"})
	oneOf("mode", c.Mode, modelModes)
	oneOf("token_field", c.TokenField, []string{"max_tokens", "max_completion_tokens"})
	for _, kind := range slices.Sorted(maps.Keys(c.Names)) {
		oneOf("names", kind, modelNames)
		oneOf("names."+kind, c.Names[kind], namePolices)
		if c.Names[kind] == "clear" && c.FreeText == "none" && (kind == "user" || kind == "device") {
			bad("names.%s: outsiders can write these names, so clear needs free_text: excerpt", kind)
		}
	}
	between := func(key string, v, least, most int) {
		if v < least || v > most {
			bad("%s: %d is out of range; use %d to %d", key, v, least, most)
		}
	}
	between("input_tokens", c.InputTokens, 2000, 200_000)
	between("output_tokens", c.OutputTokens, 300, 32_000)
	between("daily_tokens", c.DailyTokens, 1000, 1_000_000_000)
	between("per_hour", c.PerHour, 1, 60)
	if c.Debounce < time.Second || c.Debounce > time.Hour {
		bad("debounce: %v is out of range; use 1s to 1h", c.Debounce)
	}
	if c.Timeout < time.Second || c.Timeout > 10*time.Minute {
		bad("timeout: %v is out of range; use 1s to 10m", c.Timeout)
	}
	if incident.SeverityOf(c.MinSeverity) == 0 {
		bad("min_severity: %q is none of informational, low, medium, high, critical, fatal", c.MinSeverity)
	}
	return errors.Join(errs...)
}

// Text reads the secret as it is; "" if none is configured.
func (s Secret) Text() (string, error) {
	switch {
	case s.Env != "" && s.File != "":
		return "", errors.New("give env or file, not both")
	case s.Env != "":
		v := os.Getenv(s.Env)
		if v == "" {
			return "", fmt.Errorf("the environment variable %s is empty", s.Env)
		}
		return v, nil
	case s.File != "":
		b, err := os.ReadFile(s.File)
		return strings.TrimSpace(string(b)), err
	}
	return "", nil
}

// Overlay is what a model made of an incident's evidence, as far as the verifier let it through. Every claim names the events that prove it.
// It stands beside the deterministic summary and never in its place; it has no status, no severity and nothing to carry out.
type Overlay struct {
	Incident event.ID
	Revision int32  // Of the incident it speaks about.
	Model    string // As the server calls it.
	At       int64  // When it was made, our clock, microseconds.

	Headline   incident.Claim
	Assessment string // What the model takes it for; Rules is what the rules do, and is shown first where they differ.
	Confidence string // low, medium or high; never above what the rules' balance bears.
	Rules      string
	For        []incident.Claim
	Against    []incident.Claim
	Robots     []string // Canonical ids of the robots the model names as affected.
	Others     []string // Canonical ids of other entities.
	Affected   []incident.Claim
	Changed    []incident.Claim
	Timeline   []incident.Claim // In the order of their events, whatever the model's was.
	Unknowns   []string         // Of the list computed by us.
	Checks     []string         // Of the list of checks for this incident.

	LeftOut []Omission `json:",omitempty"` // What evidence did not fit the question.
	Claims  int        // How many claims the model made.
	Dropped int        // How many of them the verifier dropped.

	Told int32 `json:",omitempty"` // The revision that says that this is ready, if nothing else had happened until then; 0: none.
}

// Summary is the overlay in a few sentences, as it is recorded: the headline, what speaks for the assessment, who is affected and what changed.
func (o *Overlay) Summary() incident.ModelSummary {
	m := incident.ModelSummary{Of: o.Revision, Model: o.Model}
	n := 0
	for _, c := range slices.Concat([]incident.Claim{o.Headline}, o.For, o.Affected, o.Changed) {
		length := utf8.RuneCountInString(c.Text) + 1
		if c.Text == "" || n+length > incident.MaxSummaryText {
			continue
		}
		if n > 0 {
			m.Text += " "
		}
		m.Text += c.Text
		n += length
		for _, id := range c.Refs {
			if len(m.Refs) < incident.MaxSummaryRefs && !slices.Contains(m.Refs, id) {
				m.Refs = append(m.Refs, id)
			}
		}
	}
	return m
}

// Omission is how many events of a class the evidence pack left out.
type Omission struct {
	Class  string
	Events int
}

// SummaryState says how far a model's summary of an incident is.
type SummaryState string

// The states of a model's summary. In every one but SummaryReady the page shows the deterministic text alone, with Summary.Note.
const (
	SummaryOff      SummaryState = "off"      // No model is configured, or the incident is below its least severity.
	SummaryWaiting  SummaryState = "waiting"  // It will be asked for.
	SummaryReady    SummaryState = "ready"    // Overlay is set.
	SummaryFallback SummaryState = "fallback" // The model failed, or what it said could not be proven.
)

// Summary is what a page shows of a model's summary of an incident.
type Summary struct {
	State   SummaryState
	Note    string   // Why there is none, or that it is about an older revision; "" if there is nothing to say.
	Overlay *Overlay // Only if ready.
}
