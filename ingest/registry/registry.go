// Package registry turns records that carry a schema registry's frame into bytes that formats read: Avro and Protobuf become JSON, JSON
// loses its frame. Sources: Confluent "Wire format" (Schema Registry documentation, serdes), Apache Avro 1.12 specification, Protocol Buffers
// encoding guide.
//
// I/O and decoding are apart. A source's goroutine calls Prepare on every chunk it fetched; that asks the registry for schemas not seen
// before and waits, for as long as ctx lives, where the registry does not answer. Transcode does no I/O, so it runs in the decode workers.
//
// # What becomes what
//
// Both: integers of any width are JSON numbers with all their digits (the JSON reader is exact for 64 bits); NaN and the infinities are
// null; bytes are base64; enums are their names, or the number where the schema has no name for it; field names are the schema's own, in its
// order; text that is not UTF-8 gets U+FFFD where the bytes are wrong. The bytes as they came stay in Record.Wire.
//
// Avro: records are decoded with the schema they were written with, which leaves no place for defaults. A union is the value of its branch,
// without wrapper. timestamp-* are RFC 3339 in UTC with microseconds (nanoseconds for timestamp-nanos), local-timestamp-* the same without
// zone, date 2006-01-02, time-* 15:04:05.000000; values beyond these notations, and integers without a logical type, stay the number they
// are. decimal and big-decimal are exact text in a string, fixed(16) with uuid the usual text, duration {"months","days","millis"}. A record
// whose schema is a plain string or bytes is what it holds, so lines of text can travel framed. A map with one key twice is passed on as it
// is, and refused by the JSON reader like any other such object.
//
// Protobuf: field names as in the .proto file. A field with presence (message, oneof, optional, proto2) is written if it was sent. A boolean,
// number or enum without presence is always written, since not sending it is how false and 0 are sent; empty strings, bytes, lists and maps
// are left out. Timestamp is RFC 3339 in UTC, Duration "1.5s", wrappers, Struct, Value and ListValue are plain JSON, FieldMask its paths with
// commas between, confluent.type.Decimal exact text in a string; Any stays {"type_url","value"}. Fields the schema does not have (unknown fields, extensions) are left out and counted; they
// are in Wire. Of a map key sent twice the last counts, of a singular field sent twice too, messages sent twice are merged.
package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config is how to reach a schema registry.
type Config struct {
	URL      string        `yaml:"url"`      // Such as https://registry.plant.example:8081; several, tried in order, with commas between.
	Username string        `yaml:"username"` // For HTTP basic authentication; empty: none.
	Password string        `yaml:"-"`        // Set by the caller, who knows where secrets are kept.
	CA       string        `yaml:"ca"`       // PEM file of the authorities that sign the registry; empty: the system's.
	Timeout  time.Duration `yaml:"timeout"`  // Longest wait for one answer, before the request counts as failed and is tried again.
}

// DefaultConfig is a Config with everything but the address.
func DefaultConfig() Config { return Config{Timeout: 10 * time.Second} }

// Validate says which key is wrong and what to write instead.
func (c Config) Validate() error {
	if _, err := c.bases(); err != nil {
		return err
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > 5*time.Minute {
		return fmt.Errorf("timeout: %v is out of range; use 100ms to 5m", c.Timeout)
	}
	if c.Username == "" && c.Password != "" {
		return errors.New("username: there is a password but no user name")
	}
	return nil
}

// bases are the addresses in URL, without a slash at the end.
func (c Config) bases() ([]string, error) {
	var out []string
	for text := range strings.SplitSeq(c.URL, ",") {
		text = strings.TrimRight(strings.TrimSpace(text), "/")
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return nil, errors.New("url: it is not an http or https address; write one such as https://registry.plant.example:8081")
		case u.User != nil:
			return nil, errors.New("url: it holds a user; move name and password to username and password")
		case u.RawQuery != "" || u.Fragment != "":
			return nil, errors.New("url: it holds a query or fragment; end it after the path")
		}
		out = append(out, text)
	}
	return out, nil
}

// Bounds on what the registry says. Schemas are written by whoever may produce, so they are not trusted more than records.
const (
	maxSchemas    = 10_000  // Compiled ones kept.
	maxRefused    = 10_000  // Ids remembered as unknown or unusable.
	maxAnswer     = 4 << 20 // Bytes of one answer of the registry.
	maxText       = 8 << 20 // Bytes of one schema with all it refers to.
	maxReferences = 256     // Of one schema, all levels together.
	forgetAfter   = time.Minute
)

// Client knows a registry and the schemas it gave. Its methods may be called by several goroutines.
type Client struct {
	bases              []string
	username, password string
	http               *http.Client
	log                *slog.Logger

	turn  chan struct{} // Whoever may ask the registry: one at a time, so nothing is asked twice.
	known atomic.Pointer[map[uint32]*schema]
	mu    sync.Mutex // Of replacing known.
	fault atomic.Pointer[error]
}

// New makes a client; it does no I/O but reading the CA file.
func New(cfg Config, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	bases, _ := cfg.bases()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("schema registry: ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("schema registry: ca: %s holds no certificate in PEM form", cfg.CA)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	c := &Client{
		bases: bases, username: cfg.Username, password: cfg.Password, log: log, turn: make(chan struct{}, 1),
		http: &http.Client{Timeout: cfg.Timeout, Transport: transport},
	}
	c.known.Store(&map[uint32]*schema{})
	return c, nil
}

// Err is why the registry gives no answers at the moment; nil where it does, or was not asked.
func (c *Client) Err() error {
	if p := c.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// Transcoder makes a transcoder for records with a registry's frame. Encoding is avro, protobuf or json.
func (c *Client) Transcoder(encoding string) (*Transcoder, error) {
	switch encoding {
	case avroEncoding, protobufEncoding, jsonEncoding:
		return &Transcoder{client: c, encoding: encoding}, nil
	}
	return nil, fmt.Errorf("encoding: %q is not avro, protobuf or json", encoding)
}

// schema is what is known of an id. It never changes.
type schema struct {
	encoding string     // As Transcoder names it.
	avro     *avroType  // Of Avro.
	proto    *protoFile // Of Protobuf.
	refused  *refusal   // Why records with it are rejected; nil if they are not.
}

// refusal is the reject that records with a schema get.
type refusal struct{ code, reason string }

// schema is what is known of an id; nil for nothing.
func (c *Client) schema(id uint32) *schema { return (*c.known.Load())[id] }

// remember keeps s: for ever if it can be used, for a minute if not. Where too many are kept already, s is refused or not remembered.
func (c *Client) remember(id uint32, s *schema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := maps.Clone(*c.known.Load())
	usable, refused := 0, 0
	for _, old := range next {
		if old.refused == nil {
			usable++
		} else {
			refused++
		}
	}
	if s.refused == nil && usable >= maxSchemas {
		s = &schema{encoding: s.encoding, refused: &refusal{"registry_schema_refused", fmt.Sprintf("more than %d schemas are in use", maxSchemas)}}
	}
	if s.refused != nil {
		if refused >= maxRefused {
			for old, entry := range next { // Whichever: it is looked up again if it comes again.
				if entry.refused != nil {
					delete(next, old)
					break
				}
			}
		}
		time.AfterFunc(forgetAfter, func() { c.forget(id, s) })
	}
	next[id] = s
	c.known.Store(&next)
}

// forget drops s, so that the next record with its id asks the registry again.
func (c *Client) forget(id uint32, s *schema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schema(id) != s {
		return
	}
	next := maps.Clone(*c.known.Load())
	delete(next, id)
	c.known.Store(&next)
}
