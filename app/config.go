// Package app puts the program together: configuration, construction, life cycle, telemetry. It is the only package that knows all others.
package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/enrich"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/triage"
)

// Config is everything an operator can set. Each part is its package's own Config; unknown keys are refused with their place.
type Config struct {
	Tenant     string           `yaml:"tenant"`     // Name of this installation in what it sends out.
	Sources    []SourceConfig   `yaml:"sources"`    // Where records come from.
	Ingest     IngestConfig     `yaml:"ingest"`     // Batch sizes and waiting times.
	Enrich     enrich.Config    `yaml:"enrich"`     // Inventory, identities, zones, lists, schedules.
	Rules      RulesConfig      `yaml:"rules"`      // Which rules run.
	Correlate  CorrelateConfig  `yaml:"correlate"`  // Bounds of the engine.
	Stitch     StitchConfig     `yaml:"stitch"`     // When findings become one incident.
	ClickHouse ClickHouseConfig `yaml:"clickhouse"` // The store, where it is a server.
	Engine     EngineSettings   `yaml:"engine"`     // The embedded ClickHouse engine, used where no server is configured.
	Triage     triage.Config    `yaml:"triage"`     // Who is told of incidents.
	Console    ConsoleConfig    `yaml:"console"`    // The web console.
	Telemetry  TelemetryConfig  `yaml:"telemetry"`  // Logs, metrics, traces.
}

// SourceConfig is one source. Exactly one of File, Stdin and HTTP is set.
type SourceConfig struct {
	Name     string        `yaml:"name"`
	Format   string        `yaml:"format"`
	File     string        `yaml:"file"`     // Path of a file.
	Follow   *bool         `yaml:"follow"`   // Keep reading as the file grows and rotates; default true.
	Stdin    bool          `yaml:"stdin"`    // Read standard input.
	HTTP     bool          `yaml:"http"`     // Take POST /ingest/<name> on the console's address.
	Token    Secret        `yaml:"token"`    // Bearer token that POSTs must bring; required where HTTP is set and the console is not on loopback.
	Site     string        `yaml:"site"`     // Plant the source belongs to.
	Timezone string        `yaml:"timezone"` // Zone of stamps without one, such as Europe/Berlin; default UTC.
	Idle     time.Duration `yaml:"idle"`     // Silence after which the source no longer holds event time back; default ingest.idle.
}

// IngestConfig bounds the batches; see ingest.Config.
type IngestConfig struct {
	Batch  int           `yaml:"batch"`
	Bytes  int           `yaml:"bytes"`
	Linger time.Duration `yaml:"linger"`
	Idle   time.Duration `yaml:"idle"`
}

// RulesConfig names rule directories; builtin is the shipped pack.
type RulesConfig struct {
	Paths []string `yaml:"paths"`
}

// CorrelateConfig bounds the engine.
type CorrelateConfig struct {
	Checkpoint time.Duration `yaml:"checkpoint"` // How often the engine's state is saved.
	MaxKeys    int           `yaml:"max_keys"`   // Most keys of one rule.
	MaxHits    int           `yaml:"max_hits"`   // Most hits of one key.
	Workers    int           `yaml:"workers"`    // Goroutines that match; 0: one a core.
}

// StitchConfig says when findings belong together; see incident.Config.
type StitchConfig struct {
	MaxGap   time.Duration `yaml:"max_gap"`
	MaxSpan  time.Duration `yaml:"max_span"`
	Lookback time.Duration `yaml:"lookback"`
	HubShare float64       `yaml:"hub_share"`
	HubMin   int           `yaml:"hub_min"`
	Reopen   bool          `yaml:"reopen"`
}

// ConsoleConfig is where the console listens.
type ConsoleConfig struct {
	Listen string `yaml:"listen"`
}

func (c ConsoleConfig) validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("console.listen: %q is not host:port, such as 127.0.0.1:8080", c.Listen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("console.listen: %q is not on loopback; the console has no sign-in yet, so use 127.0.0.1 and a tunnel", c.Listen)
	}
	return nil
}

// TelemetryConfig says where logs, metrics and traces go.
type TelemetryConfig struct {
	Log     LogConfig     `yaml:"log"`
	Metrics MetricsConfig `yaml:"metrics"`
	Traces  TracesConfig  `yaml:"traces"`
}

// LogConfig is the program's own log, on standard error.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error.
	Format string `yaml:"format"` // text or json.
}

// MetricsConfig is where metrics go.
type MetricsConfig struct {
	Prometheus bool   `yaml:"prometheus"` // Serve /metrics on the console's address.
	OTLP       string `yaml:"otlp"`       // URL of an OTLP/HTTP receiver; empty: none.
}

// TracesConfig is where spans go.
type TracesConfig struct {
	OTLP string `yaml:"otlp"` // URL of an OTLP/HTTP receiver; empty: none.
}

// DefaultConfig runs on a laptop without a file: embedded engine, shipped rules, console on loopback, no sources.
func DefaultConfig() Config {
	in := ingest.DefaultConfig()
	return Config{
		Tenant:     "default",
		Ingest:     IngestConfig{Batch: in.Batch, Bytes: in.Bytes, Linger: in.Linger, Idle: in.Idle},
		Enrich:     enrich.DefaultConfig(),
		Rules:      RulesConfig{Paths: []string{Builtin}},
		Correlate:  CorrelateConfig{Checkpoint: 2 * time.Minute, MaxKeys: 200_000, MaxHits: 100_000},
		Stitch:     StitchConfig{MaxGap: 2 * time.Hour, MaxSpan: 24 * time.Hour, Lookback: time.Hour, HubShare: 0.25, HubMin: 8, Reopen: true},
		ClickHouse: defaultClickHouse(),
		Triage:     triage.DefaultConfig(),
		Engine:     EngineSettings{Dir: defaultEngineDir()},
		Console:    ConsoleConfig{Listen: "127.0.0.1:8080"},
		Telemetry:  TelemetryConfig{Log: LogConfig{Level: "info", Format: "text"}, Metrics: MetricsConfig{Prometheus: true}},
	}
}

// Builtin names the shipped rules among the rule paths.
const Builtin = "builtin"

// LoadConfig reads a configuration file over the defaults and checks it. An empty path gives the defaults.
func LoadConfig(path string) (Config, error) {
	c := DefaultConfig()
	if path == "" {
		return c, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w; name another file with --config", err)
	}
	if err := decodeStrict(path, data, &c); err != nil {
		return c, err
	}
	c.relativeTo(filepath.Dir(path))
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// relativeTo makes relative paths of the file relative to the file and not to where the program was started.
func (c *Config) relativeTo(dir string) {
	fix := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i := range c.Sources {
		fix(&c.Sources[i].File)
	}
	for i := range c.Rules.Paths {
		if c.Rules.Paths[i] != Builtin {
			fix(&c.Rules.Paths[i])
		}
	}
	fix(&c.Engine.Dir)
	fix(&c.Engine.Library)
	e := &c.Enrich
	for _, p := range []*string{&e.Assets, &e.Identities, &e.Zones, &e.Schedules, &e.Geo.City, &e.Geo.ASN} {
		fix(p)
	}
	for name, l := range e.Lists {
		fix(&l.File)
		e.Lists[name] = l
	}
}

// Validate reports every setting that cannot be used, with its key and the fix.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	seen := map[string]bool{}
	for i := range c.Sources {
		s := &c.Sources[i]
		key := fmt.Sprintf("sources[%d]", i)
		if s.Name == "" {
			bad(key+".name", "give the source a name; it identifies its records for ever")
		}
		if seen[s.Name] {
			bad(key+".name", "two sources are called %q", s.Name)
		}
		seen[s.Name] = true
		if _, ok := format.ByName(s.Format); !ok {
			bad(key+".format", "there is no format %q; %s", s.Format, suggestion(s.Format, formatNames()))
		}
		kinds := 0
		for _, set := range []bool{s.File != "", s.Stdin, s.HTTP} {
			if set {
				kinds++
			}
		}
		if kinds != 1 {
			bad(key, "set exactly one of file, stdin and http")
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil {
			bad(key+".timezone", "%q is not a time zone; write it like Europe/Berlin", s.Timezone)
		}
	}
	if c.Ingest.Batch < 1 || c.Ingest.Batch > 200_000 {
		bad("ingest.batch", "%d is out of range; use 1 to 200000", c.Ingest.Batch)
	}
	if c.Ingest.Bytes < 1<<20 {
		bad("ingest.bytes", "%d is too small; use at least 1048576", c.Ingest.Bytes)
	}
	if c.Stitch.MaxGap <= 0 || c.Stitch.MaxSpan < c.Stitch.MaxGap {
		bad("stitch", "max_gap must be positive and max_span at least as long")
	}
	if c.Correlate.Checkpoint < time.Second {
		bad("correlate.checkpoint", "%v is too short; use at least 1s", c.Correlate.Checkpoint)
	}
	for _, err := range []error{c.Enrich.Validate(), c.Triage.Validate(), c.Console.validate()} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Telemetry.Log.Level)); err != nil {
		bad("telemetry.log.level", "%q is not one of debug, info, warn, error", c.Telemetry.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Telemetry.Log.Format) {
		bad("telemetry.log.format", "%q is not text or json", c.Telemetry.Log.Format)
	}
	return errors.Join(errs...)
}

func formatNames() []string {
	var out []string
	for _, f := range format.All() {
		out = append(out, f.Name)
	}
	return out
}

// Secret is a value that never shows itself. It is written in configuration as {env: NAME} or {file: PATH}.
type Secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// Value reads the secret; "" and no error if none is configured.
func (s Secret) Value() (string, error) {
	switch {
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", s.Env)
		}
		return v, nil
	case s.File != "":
		b, err := os.ReadFile(s.File)
		return strings.TrimSpace(string(b)), err
	}
	return "", nil
}
