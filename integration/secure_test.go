package integration_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/integration/broker"
)

// knock tries for a while to read the offsets of topic records with these settings.
func knock(t *testing.T, cfg kafka.Config, within time.Duration) error {
	t.Helper()
	c, err := kafka.Connect(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, high, err := c.Offsets(ctx, "records", 0)
	if err == nil && high != 1 {
		t.Errorf("the topic ends at %d", high)
	}
	return err
}

func TestABrokerWithTLSAndLoginLetsInWhoHasBoth(t *testing.T) {
	b := broker.StartWith(t, broker.Settings{Secure: true})
	b.CreateTopic("records", 1, nil)
	p := b.Producer("records", nil, nil)
	p.Send(broker.Record{Value: []byte("record")})
	p.Close()
	way := b.Secure()
	cfg := kafka.DefaultConfig()
	cfg.Brokers = []string{way.Addr}
	cfg.DialTimeout = 3 * time.Second
	cfg.TLS = kafka.TLS{Enabled: true, CA: way.CA, Cert: way.Cert, Key: way.Key}
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		right := cfg
		right.DialTimeout = time.Minute
		right.SASL = kafka.SASL{Mechanism: mechanism, Username: way.User, Password: way.Password}
		if err := knock(t, right, patience); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		cases := map[string]func(*kafka.Config){
			"a wrong password":          func(c *kafka.Config) { c.SASL.Password = "wrong" },
			"an unknown user":           func(c *kafka.Config) { c.SASL.Username = "nobody" },
			"no certificate of its own": func(c *kafka.Config) { c.TLS.Cert, c.TLS.Key = "", "" },
			"nobody to trust":           func(c *kafka.Config) { c.TLS.CA = "" },
			"another server's name":     func(c *kafka.Config) { c.TLS.ServerName = "elsewhere.example" },
			"no TLS":                    func(c *kafka.Config) { c.TLS = kafka.TLS{} },
		}
		for name, spoil := range cases {
			wrong := right
			wrong.DialTimeout = cfg.DialTimeout
			spoil(&wrong)
			err := knock(t, wrong, 20*time.Second)
			if err == nil {
				t.Errorf("%s with %s is let in", mechanism, name)
			}
			t.Logf("%s with %s: %v", mechanism, name, err)
		}
	}
}
