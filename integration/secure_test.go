package integration_test

import (
	"context"
	"fmt"
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

// Everything that talks to brokers goes through the same doors: topics are made and looked at, records sent, a group joined, fetched and committed.
func TestAMemberWorksOverTLSWithEachLogin(t *testing.T) {
	b := broker.StartWith(t, broker.Settings{Secure: true})
	way := b.Secure()
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cfg := kafka.DefaultConfig()
			cfg.Brokers = []string{way.Addr}
			cfg.TLS = kafka.TLS{Enabled: true, CA: way.CA, Cert: way.Cert, Key: way.Key}
			cfg.SASL = kafka.SASL{Mechanism: mechanism, Username: way.User, Password: way.Password}
			c, err := kafka.Connect(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			topic := "floor-" + mechanism
			if err := c.Create(ctx, []kafka.Topic{{Name: topic, Partitions: 2, Settings: map[string]string{"cleanup.policy": "delete"}}}); err != nil {
				t.Fatal(err)
			}
			p := c.Producer()
			defer p.Close()
			var sent []kafka.Record
			for i := range 20 {
				sent = append(sent, kafka.Record{Partition: int32(i % 2), Value: fmt.Appendf(nil, "record %d", i)})
			}
			if err := p.Produce(ctx, topic, sent); err != nil {
				t.Fatal(err)
			}
			j := newJournal()
			m := join(t, c, j, kafka.ConsumerSettings{Group: mechanism, Sources: []kafka.SourceSettings{{Name: "floor", Topic: topic}}})
			until(t, "all records", func() bool { return j.count() >= len(sent) })
			if err := m.leave(t); err != nil {
				t.Errorf("Run says %v", err)
			}
			next := join(t, c, j, kafka.ConsumerSettings{Group: mechanism, Sources: []kafka.SourceSettings{{Name: "floor", Topic: topic}}})
			if err := p.Produce(ctx, topic, sent[:1]); err != nil {
				t.Fatal(err)
			}
			until(t, "one more record", func() bool { return j.count() > len(sent) })
			if err := next.leave(t); err != nil || j.repeated != 0 || j.count() != len(sent)+1 {
				t.Errorf("Run says %v; %d records, %d of them again: offsets were not committed", err, j.count(), j.repeated)
			}
		})
	}
}
