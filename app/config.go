// Package app puts the program together: configuration, construction, life cycle, telemetry. It is the only package that knows all others.
package app

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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
	Kafka      KafkaConfig      `yaml:"kafka"`      // The brokers, for sources with a topic and for roles.
	Relay      RelayConfig      `yaml:"relay"`      // The topics between the roles of a scaled-out installation.
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

// IngestConfig bounds the batches; see ingest.Config.
type IngestConfig struct {
	Batch  int           `yaml:"batch"`
	Bytes  int           `yaml:"bytes"`
	Linger time.Duration `yaml:"linger"`
	Idle   time.Duration `yaml:"idle"`
}

// RulesConfig names rule directories; builtin is the shipped pack.
type RulesConfig struct {
	Paths      []string      `yaml:"paths"`
	Refresh    time.Duration `yaml:"refresh"`    // How often the files are looked at again.
	Exceptions []string      `yaml:"exceptions"` // Files and folders of exceptions that stand outside of their rules.
}

// CorrelateConfig bounds the engine.
type CorrelateConfig struct {
	Checkpoint time.Duration `yaml:"checkpoint"` // How often the engine's state is saved.
	MaxKeys    int           `yaml:"max_keys"`   // Most keys of one rule.
	MaxHits    int           `yaml:"max_hits"`   // Most hits of one key.
	Tries      float64       `yaml:"tries"`      // Most tries of one rule per event before health names it; 0: no budget.
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
	Flood    FloodConfig   `yaml:"flood"`
}

// FloodConfig is the breaker of rules that have none of their own; see incident.Flood.
type FloodConfig struct {
	Findings int           `yaml:"findings"` // 0: none.
	Per      time.Duration `yaml:"per"`
}

// TelemetryConfig says where logs, metrics and traces go.
type TelemetryConfig struct {
	Listen  string        `yaml:"listen"` // host:port that serves /healthz, /readyz and /metrics and nothing else, such as 0.0.0.0:9464; empty: only the console's address does.
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
		Rules:      RulesConfig{Paths: []string{Builtin}, Refresh: 10 * time.Second},
		Correlate:  CorrelateConfig{Tries: 1, Checkpoint: 2 * time.Minute, MaxKeys: 200_000, MaxHits: 100_000},
		Stitch:     StitchConfig{MaxGap: 2 * time.Hour, MaxSpan: 24 * time.Hour, Lookback: time.Hour, HubShare: 0.25, HubMin: 8, Reopen: true, Flood: FloodConfig{Findings: 200, Per: time.Hour}},
		ClickHouse: defaultClickHouse(),
		Triage:     triage.DefaultConfig(),
		Engine:     EngineSettings{Dir: defaultEngineDir()},
		Kafka:      defaultKafka(),
		Relay:      RelayConfig{Prefix: "tocsin", Partitions: 12, Replication: 3},
		Console:    defaultConsole(),
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
		p := &c.Rules.Paths[i]
		prefix, rest := sigmaPrefix(*p)
		if *p != Builtin {
			fix(&rest)
		}
		*p = prefix + rest
	}
	for i := range c.Rules.Exceptions {
		fix(&c.Rules.Exceptions[i])
	}
	for _, p := range []*string{&c.Kafka.TLS.CA, &c.Kafka.TLS.Cert, &c.Kafka.TLS.Key, &c.Kafka.Registry.CA, &c.Console.TLS.Cert, &c.Console.TLS.Key, &c.Console.SignIn.OIDC.CA} {
		fix(p)
	}
	for i := range c.Triage.Endpoints {
		fix(&c.Triage.Endpoints[i].CA)
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
	c.validateSources(bad)
	if c.Ingest.Batch < 1 || c.Ingest.Batch > 200_000 {
		bad("ingest.batch", "%d is out of range; use 1 to 200000", c.Ingest.Batch)
	}
	if c.Ingest.Bytes < 1<<20 {
		bad("ingest.bytes", "%d is too small; use at least 1048576", c.Ingest.Bytes)
	}
	if c.Rules.Refresh < time.Second {
		bad("rules.refresh", "%v is too short; use at least 1s", c.Rules.Refresh)
	}
	if c.Stitch.MaxGap <= 0 || c.Stitch.MaxSpan < c.Stitch.MaxGap {
		bad("stitch", "max_gap must be positive and max_span at least as long")
	}
	if c.Stitch.Flood.Findings < 0 || c.Stitch.Flood.Per < time.Minute {
		bad("stitch.flood", "findings must not be negative, and per be 1m or longer")
	}
	if c.Correlate.Checkpoint < time.Second {
		bad("correlate.checkpoint", "%v is too short; use at least 1s", c.Correlate.Checkpoint)
	}
	for _, err := range []error{c.Enrich.Validate(), c.Triage.Validate(), c.ClickHouse.validate(), c.Console.validate(), c.Telemetry.validate(), c.Kafka.validate(c), c.Relay.validate()} {
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
