package app

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// KafkaConfig is how to reach the brokers and the schema registry.
type KafkaConfig struct {
	Brokers    []string       `yaml:"brokers"`     // host:port of some brokers; the others are found through them.
	Group      string         `yaml:"group"`       // Consumer group of the sources; the roles add their own names to it.
	TLS        KafkaTLS       `yaml:"tls"`         // Encryption and client certificates.
	SASL       KafkaSASL      `yaml:"sasl"`        // User and password.
	DeadLetter string         `yaml:"dead_letter"` // Topic that gets every reject too, byte for byte, with headers saying why; empty: none.
	Session    time.Duration  `yaml:"session"`     // Silence after which the group gives a member's partitions to others.
	Batch      int            `yaml:"max_batch"`   // Most bytes that a compressed batch of records may unpack to; a larger one becomes one reject.
	Registry   RegistryConfig `yaml:"registry"`    // The schema registry, for sources with encoding avro, protobuf or json.
}

// KafkaTLS is how connections to brokers are encrypted.
type KafkaTLS struct {
	Enabled    bool   `yaml:"enabled"`     // Encrypt connections to brokers.
	CA         string `yaml:"ca"`          // PEM file of the authorities that sign brokers; empty: the system's.
	Cert       string `yaml:"cert"`        // PEM file of our certificate, where brokers ask for one.
	Key        string `yaml:"key"`         // PEM file of its key.
	ServerName string `yaml:"server_name"` // Name expected in the broker's certificate; empty: the broker's host.
}

// KafkaSASL is how we sign in at brokers.
type KafkaSASL struct {
	Mechanism string `yaml:"mechanism"` // plain, scram-sha-256 or scram-sha-512; empty: none.
	Username  string `yaml:"username"`  // User at the brokers.
	Password  Secret `yaml:"password"`  // Its password.
}

// RegistryConfig is the schema registry.
type RegistryConfig struct {
	URL      string `yaml:"url"`      // Such as https://registry.plant.example:8081.
	Username string `yaml:"username"` // User at the registry, where it asks for one.
	Password Secret `yaml:"password"` // Its password.
	CA       string `yaml:"ca"`       // PEM file of the authority that signs the registry; empty: the system's.
}

// RelayConfig is the topics between the roles.
type RelayConfig struct {
	Prefix      string `yaml:"prefix"`      // The topics are PREFIX.hits, PREFIX.findings and PREFIX.bindings.
	Partitions  int    `yaml:"partitions"`  // Of PREFIX.hits: the most correlate members that can share the work. It cannot change without starting PREFIX.hits anew.
	Replication int    `yaml:"replication"` // Copies of each topic that tocsin topics apply asks for.
}

// Hits is the topic of hits.
func (c RelayConfig) Hits() string { return c.Prefix + ".hits" }

// Findings is the topic of findings and actions.
func (c RelayConfig) Findings() string { return c.Prefix + ".findings" }

// Bindings is the topic of learned address bindings.
func (c RelayConfig) Bindings() string { return c.Prefix + ".bindings" }

func defaultKafka() KafkaConfig {
	return KafkaConfig{Group: "tocsin", Session: 30 * time.Second, Batch: 64 << 20}
}

func (c KafkaConfig) validate(all *Config) error {
	if len(c.Brokers) == 0 && c.DeadLetter == "" {
		return nil
	}
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("kafka.dead_letter: it needs kafka.brokers, such as [localhost:9092]"))
	}
	if c.Group == "" {
		errs = append(errs, errors.New("kafka.group: give the consumer group a name"))
	}
	if c.Session < 6*time.Second || c.Session > 5*time.Minute {
		errs = append(errs, fmt.Errorf("kafka.session: %v is out of range; use 6s to 5m", c.Session))
	}
	if len(c.Brokers) > 0 {
		stand := "" // For the password, which only those who connect read.
		if c.SASL.Mechanism != "" {
			stand = "set"
		}
		errs = append(errs, c.with(stand).Validate())
	}
	for i := range all.Sources {
		if s := &all.Sources[i]; c.DeadLetter != "" && (s.Topic == c.DeadLetter || s.Topics != "" && matches(s.Topics, c.DeadLetter)) {
			errs = append(errs, fmt.Errorf("kafka.dead_letter: source %q reads %s: rejects would come back for ever", s.Name, c.DeadLetter))
		}
	}
	return errors.Join(errs...)
}

func matches(pattern, topic string) bool {
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(topic)
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,200}$`)

func (c RelayConfig) validate() error {
	switch {
	case !topicName.MatchString(c.Prefix):
		return fmt.Errorf("relay.prefix: %q cannot begin a topic's name; use letters, digits, dots, dashes and underscores", c.Prefix)
	case c.Partitions < 1 || c.Partitions > 1024:
		return fmt.Errorf("relay.partitions: %d is out of range; use 1 to 1024", c.Partitions)
	case c.Replication < 1 || c.Replication > 15:
		return fmt.Errorf("relay.replication: %d is out of range; use 1 to 15", c.Replication)
	}
	return nil
}

// startOf reads the start of a source: the zero time is the earliest record, and latest is its own value.
func startOf(text string) (time.Time, error) {
	switch text {
	case "", "earliest":
		return time.Time{}, nil
	case "latest":
		return latest, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is not earliest, latest or a time such as 2026-11-20T00:00:00Z", text)
	}
	return t, nil
}

// latest stands for the end of a topic.
var latest = time.Unix(1<<40, 0)
