package kafka_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func TestSettingsThatCannotWorkAreRefusedWithKeyAndFix(t *testing.T) {
	good := kafka.DefaultConfig()
	good.Brokers = []string{"localhost:9092"}
	if err := good.Validate(); err != nil {
		t.Fatalf("the defaults with a broker: %v", err)
	}
	for want, change := range map[string]func(*kafka.Config){
		"kafka.brokers is empty":         func(c *kafka.Config) { c.Brokers = nil },
		`kafka.brokers[1] "localhost"`:   func(c *kafka.Config) { c.Brokers = append(c.Brokers[:1:1], "localhost") },
		"kafka.fetch_bytes is 7":         func(c *kafka.Config) { c.FetchBytes = 7 },
		"kafka.max_batch is 4096":        func(c *kafka.Config) { c.MaxBatch = 4096 },
		"kafka.fetch_wait is 1m0s":       func(c *kafka.Config) { c.FetchWait = time.Minute },
		"kafka.stall is 0s":              func(c *kafka.Config) { c.Stall = 0 },
		"only one of cert and key":       func(c *kafka.Config) { c.TLS = kafka.TLS{Enabled: true, Cert: "a.pem"} },
		"kafka.tls.enabled to true":      func(c *kafka.Config) { c.TLS.CA = "a.pem" },
		`kafka.sasl.mechanism is "oidc"`: func(c *kafka.Config) { c.SASL = kafka.SASL{Mechanism: "oidc", Username: "u", Password: "p"} },
		"kafka.sasl.mechanism is empty":  func(c *kafka.Config) { c.SASL.Username = "u" },
		"needs username and password":    func(c *kafka.Config) { c.SASL = kafka.SASL{Mechanism: "plain", Username: "u"} },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestCertificateFilesAreReadBeforeAnyConnection(t *testing.T) {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{"localhost:1"}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	for want, set := range map[string]kafka.TLS{
		"kafka.tls.ca":           {Enabled: true, CA: missing},
		"holds no certificate":   {Enabled: true, CA: writePEM(t, "empty", "NOTHING", nil)},
		"kafka.tls.cert, kafka.": {Enabled: true, Cert: missing, Key: missing},
	} {
		cfg.TLS = set
		if _, err := kafka.Connect(cfg, quiet()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestSettingsPrintedDoNotShowThePassword(t *testing.T) {
	cfg := kafka.DefaultConfig()
	cfg.SASL = kafka.SASL{Mechanism: "plain", Username: "tocsin", Password: "hunter2"}
	for _, verb := range []string{"%v", "%+v", "%s"} {
		if text := fmt.Sprintf(verb, cfg); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
