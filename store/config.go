package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Config is where ClickHouse is and how long rows are kept. Without an address the embedded engine is used; whoever starts it fills in
// Addr, Username and Password before Open.
type Config struct {
	Addr     []string `yaml:"addr"`     // host:port, the first that answers is used; empty means the embedded engine.
	Protocol string   `yaml:"protocol"` // http or native.
	Database string   `yaml:"database"`
	Username string   `yaml:"username"`
	Password Secret   `yaml:"password"`
	TLS      TLS      `yaml:"tls"`
	Cluster  string   `yaml:"cluster"` // Create the tables ON CLUSTER, replicated; "" for a single server.
	Dir      string   `yaml:"dir"`     // Data directory of the embedded engine; used only without an address.

	Retention Retention `yaml:"retention"`
}

// Retention is how long rows are kept, counted from when they were written, in whole days.
type Retention struct {
	Events   time.Duration            `yaml:"events"`   // Events of classes that Classes does not name, and rejects.
	Classes  map[string]time.Duration `yaml:"classes"`  // By class name, such as robot_state.
	Log      time.Duration            `yaml:"log"`      // Hits, notes, actions and markers; never newer than the oldest checkpoint kept.
	Attempts time.Duration            `yaml:"attempts"` // Deliveries.
	Audit    time.Duration            `yaml:"audit"`    // Who did what in the console.
}

// TLS says how to reach a server with TLS.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CA         string `yaml:"ca"`          // PEM file of certification authorities; "" means the system's.
	Cert       string `yaml:"cert"`        // PEM file of a client certificate, with Key.
	Key        string `yaml:"key"`         // PEM file of its key.
	ServerName string `yaml:"server_name"` // Name in the server's certificate, where it is not the address.
}

// Secret is a string that never shows itself: in logs, JSON, YAML and with every verb it reads as redacted.
type Secret string

const redacted = "redacted"

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// MarshalText keeps the secret out of JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Settings are what code injects. The zero value is usable.
type Settings struct {
	Logger *slog.Logger     // nil discards.
	Meter  metric.Meter     // nil measures nothing.
	Now    func() time.Time // Our clock; nil means time.Now.
	Alone  bool             // No other process writes: Open moves what a dead one left in the table accrued, and does not wait for a living one to do so.

	Asked <-chan struct{}             // Somebody beside this process waits for the drafts to be moved; nil: never.
	Ask   func(context.Context) error // Where another process writes: asks it to move its drafts. nil: it does so by itself, a little later.
}

const day = 24 * time.Hour

// DefaultConfig is the embedded engine with a database of its own.
func DefaultConfig() Config {
	return Config{
		Protocol: "http",
		Database: "tocsin",
		Retention: Retention{
			Events:   90 * day,
			Classes:  map[string]time.Duration{},
			Log:      30 * day,
			Attempts: 90 * day,
			Audit:    400 * day,
		},
	}
}

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// Validate says what is wrong with the configuration, with the key and the fix.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("clickhouse."+format, args...)) }
	for _, a := range c.Addr {
		if _, _, err := net.SplitHostPort(a); err != nil {
			bad("addr %q: want host:port, such as localhost:8123: %w", a, err)
		}
	}
	switch {
	case c.Protocol != "http" && c.Protocol != "native":
		bad("protocol is %q: write http (port 8123) or native (port 9000)", c.Protocol)
	case c.Protocol == "native" && len(c.Addr) == 0:
		bad("protocol is native, but the embedded engine speaks http only: set protocol to http, or addr to a server")
	}
	if !databaseName.MatchString(c.Database) {
		bad("database is %q: want letters, digits and underscores, not beginning with a digit", c.Database)
	}
	if c.Cluster != "" && !databaseName.MatchString(c.Cluster) {
		bad("cluster is %q: want letters, digits and underscores, not beginning with a digit", c.Cluster)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		bad("tls.cert and tls.key belong together: set both or neither")
	}
	return errors.Join(append(errs, c.Retention.check()...)...)
}
