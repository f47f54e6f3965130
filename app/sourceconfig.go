package app

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/ingest/format"
)

// SourceConfig is one source. Exactly one of File, Stdin, HTTP, Topic and Topics is set.
type SourceConfig struct {
	Name     string        `yaml:"name"`
	Format   string        `yaml:"format"`
	File     string        `yaml:"file"`            // Path of a file.
	Follow   *bool         `yaml:"follow"`          // Keep reading as the file grows and rotates; default true.
	Stdin    bool          `yaml:"stdin"`           // Read standard input.
	HTTP     bool          `yaml:"http"`            // Take POST /ingest/<name> on the console's address.
	Token    Secret        `yaml:"token"`           // Bearer token that POSTs must bring; required where HTTP is set and the console is not on loopback.
	Topic    string        `yaml:"topic"`           // Kafka topic.
	Topics   string        `yaml:"topics"`          // Pattern of Kafka topics, a regular expression such as ^robot-.*; new ones are found while running.
	Start    string        `yaml:"start"`           // Where a group that has never read the topic begins: earliest, latest or a time such as 2026-11-20T00:00:00Z; default earliest.
	Encoding string        `yaml:"encoding"`        // What a topic's records are wrapped in: raw, or avro, protobuf or json with the schema registry's frame; default raw.
	Compact  bool          `yaml:"allow_compacted"` // Read a topic with cleanup.policy=compact; records that the broker removed before they were read are gone.
	Site     string        `yaml:"site"`            // Plant the source belongs to.
	Timezone string        `yaml:"timezone"`        // Zone of stamps without one, such as Europe/Berlin; default UTC.
	Idle     time.Duration `yaml:"idle"`            // Silence after which the source no longer holds event time back; default ingest.idle.
}

// isKafka reports whether the source reads Kafka.
func (s *SourceConfig) isKafka() bool { return s.Topic != "" || s.Topics != "" }

// validateSources reports what is wrong with the sources.
func (c *Config) validateSources(bad func(key, format string, args ...any)) {
	seen, topics := map[string]bool{}, map[string]string{}
	for i := range c.Sources {
		s := &c.Sources[i]
		key := fmt.Sprintf("sources[%d]", i)
		if s.Name == "" {
			bad(key+".name", "give the source a name; it identifies its records for ever")
		}
		if strings.ContainsAny(s.Name, "/#") {
			bad(key+".name", "%q has a slash or #, which stand behind a name for a topic of a pattern and for a topic that was made anew", s.Name)
		}
		if seen[s.Name] {
			bad(key+".name", "two sources are called %q", s.Name)
		}
		seen[s.Name] = true
		if _, ok := format.ByName(s.Format); !ok {
			bad(key+".format", "there is no format %q; %s", s.Format, suggestion(s.Format, formatNames()))
		}
		kinds := 0
		for _, set := range []bool{s.File != "", s.Stdin, s.HTTP, s.Topic != "", s.Topics != ""} {
			if set {
				kinds++
			}
		}
		if kinds != 1 {
			bad(key, "set exactly one of file, stdin, http, topic and topics")
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil {
			bad(key+".timezone", "%q is not a time zone; write it like Europe/Berlin", s.Timezone)
		}
		s.validateKafka(c, key, topics, bad)
	}
}

func (s *SourceConfig) validateKafka(c *Config, key string, topics map[string]string, bad func(key, format string, args ...any)) {
	if !s.isKafka() {
		if s.Start != "" || s.Encoding != "" || s.Compact {
			bad(key, "start, encoding and allow_compacted are for sources with a topic")
		}
		return
	}
	if len(c.Kafka.Brokers) == 0 {
		bad(key, "a source with a topic needs kafka.brokers, such as [localhost:9092]")
	}
	if other := topics[s.Topic]; s.Topic != "" && other != "" {
		bad(key+".topic", "%s is read by source %q already; a topic has one format", s.Topic, other)
	}
	topics[s.Topic] = s.Name
	if _, err := regexp.Compile(s.Topics); err != nil {
		bad(key+".topics", "%v; write a regular expression such as ^robot-.*", err)
	}
	if _, err := startOf(s.Start); err != nil {
		bad(key+".start", "%v", err)
	}
	switch s.Encoding {
	case "", "raw":
	case "avro", "protobuf", "json":
		if c.Kafka.Registry.URL == "" {
			bad(key+".encoding", "%s needs kafka.registry.url", s.Encoding)
		}
	default:
		bad(key+".encoding", "%q is not raw, avro, protobuf or json", s.Encoding)
	}
}

func (c TelemetryConfig) validate() error {
	if c.Listen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("telemetry.listen: %q is not host:port, such as 0.0.0.0:9464", c.Listen)
	}
	return nil
}
