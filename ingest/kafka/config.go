package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Config says how a Kafka cluster is reached and how much of it may be in memory at once. Times are durations, sizes bytes.
type Config struct {
	Brokers        []string      `yaml:"brokers"`   // host:port of brokers to ask first; any one that answers is enough.
	ClientID       string        `yaml:"client_id"` // Name the brokers see in their logs and quotas.
	TLS            TLS           `yaml:"tls"`
	SASL           SASL          `yaml:"sasl"`
	FetchBytes     int           `yaml:"fetch_bytes"`     // Most bytes of one fetch; a single larger batch still comes whole.
	FetchWait      time.Duration `yaml:"fetch_wait"`      // Longest time a broker gathers records for one answer while they keep coming; 0: it answers at the first.
	MaxBatch       int           `yaml:"max_batch"`       // Most bytes of one batch, as it comes and unpacked; beyond it the batch is a reject.
	DialTimeout    time.Duration `yaml:"dial_timeout"`    // Longest wait for a connection, TLS and SASL included.
	RequestTimeout time.Duration `yaml:"request_timeout"` // Longest wait for an answer before the connection counts as dead.
	Stall          time.Duration `yaml:"stall"`           // Time without progress below the high watermark after which a gap is stepped over.
}

// TLS says whether and how connections are encrypted. Files are PEM.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CA         string `yaml:"ca"`          // File of the authorities to trust; empty: those of the system.
	Cert       string `yaml:"cert"`        // File of our certificate, where brokers ask for one; read anew at every handshake.
	Key        string `yaml:"key"`         // File of its key.
	ServerName string `yaml:"server_name"` // Name the brokers' certificates must carry; empty: the host dialed.
}

// SASL says how we log in.
type SASL struct {
	Mechanism string `yaml:"mechanism"` // plain, scram-sha-256, scram-sha-512; empty: none.
	Username  string `yaml:"username"`
	Password  string `yaml:"password"`
}

// String keeps the password out of logs.
func (s SASL) String() string { return s.Mechanism + " as " + s.Username }

// DefaultConfig is what applies where nothing is said; the brokers have no default.
func DefaultConfig() Config {
	return Config{
		ClientID:       "tocsin",
		FetchBytes:     1 << 20,
		FetchWait:      50 * time.Millisecond,
		MaxBatch:       64 << 20,
		DialTimeout:    10 * time.Second,
		RequestTimeout: 30 * time.Second,
		Stall:          time.Minute,
	}
}

// Bounds of the sizes. Below the least batch size an honest zstd window (8 MiB) would be refused.
const (
	minFetch = 64 << 10
	maxFetch = 256 << 20
	minBatch = 16 << 20
	maxBatch = 1 << 30
)

// Validate reports every setting that cannot work, with its key and the fix.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("kafka."+format, args...)) }
	if len(c.Brokers) == 0 {
		bad("brokers is empty: list at least one host:port")
	}
	for i, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			bad("brokers[%d] %q is not host:port: write for instance kafka1.example.net:9092", i, b)
		}
	}
	if c.FetchBytes < minFetch || c.FetchBytes > maxFetch {
		bad("fetch_bytes is %d: give between %d and %d", c.FetchBytes, minFetch, maxFetch)
	}
	if c.FetchWait < 0 || c.FetchWait > longPoll {
		bad("fetch_wait is %v: give between 0s and %v", c.FetchWait, longPoll)
	}
	if c.MaxBatch < minBatch || c.MaxBatch > maxBatch {
		bad("max_batch is %d: give between %d and %d", c.MaxBatch, minBatch, maxBatch)
	}
	for _, d := range []struct {
		key string
		is  time.Duration
	}{{"dial_timeout", c.DialTimeout}, {"request_timeout", c.RequestTimeout}, {"stall", c.Stall}} {
		if d.is <= 0 {
			bad("%s is %v: give a time above zero, such as 30s", d.key, d.is)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		bad("tls has only one of cert and key: give both or neither")
	}
	if !c.TLS.Enabled && c.TLS != (TLS{}) {
		bad("tls has settings but enabled is false: set kafka.tls.enabled to true or remove them")
	}
	if _, err := c.SASL.mechanism(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism != "" && (s.Username == "" || s.Password == "") {
		return nil, errors.New("kafka.sasl needs username and password: give both, or remove kafka.sasl.mechanism")
	}
	var algorithm scram.Algorithm
	switch s.Mechanism {
	case "":
		if s.Username != "" || s.Password != "" {
			return nil, errors.New("kafka.sasl.mechanism is empty though username or password is set: give plain, scram-sha-256 or scram-sha-512")
		}
		return nil, nil
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "scram-sha-256":
		algorithm = scram.SHA256
	case "scram-sha-512":
		algorithm = scram.SHA512
	default:
		return nil, fmt.Errorf("kafka.sasl.mechanism is %q: give plain, scram-sha-256 or scram-sha-512", s.Mechanism)
	}
	m, err := scram.Mechanism(algorithm, s.Username, s.Password)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: %w: username and password must be valid for SCRAM (SASLprep)", err)
	}
	return m, nil
}

// config reads the files named and gives what crypto/tls wants; nil where TLS is off.
func (t TLS) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca: %s holds no certificate: give a PEM file", t.CA)
		}
	}
	if t.Cert == "" {
		return out, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert, kafka.tls.key: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	// Read at every handshake, so that renewed certificates need no restart.
	out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return out, nil
}
