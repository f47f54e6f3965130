package app

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/triage"
)

// wireDesk makes the feed and the desk, which runs once the console is served.
func (s *Service) wireDesk() error {
	r := reader{s.db.DB}
	s.feed = triage.NewFeed(s.source(), s.cfg.Triage.ConsoleURL, r)
	s.onStop("feed", func(context.Context) error { s.feed.Close(); return nil })
	metrics, err := triage.NewMetrics(s.tel.Meter)
	if err != nil {
		return err
	}
	set := deskSettings(s.cfg)
	set.Compile = routeCompiler(s.zoneOf)
	set.Source, set.Now, set.Log, set.Metrics, set.Raw = s.source(), s.set.Clock, s.tel.Log, metrics, r
	if s.broker != nil {
		set.Topics = topics{s.broker.producer}
	}
	set.Vault = vault{s.db.DB}
	outbox := NewOutbox(s.db.DB)
	if s.desk, err = triage.NewDesk(s.cfg.Triage, set, outbox); err != nil {
		return err
	}
	s.deliveries = &deliveries{desk: s.desk, db: s.db.DB, outbox: outbox, now: s.set.Clock, compile: set.Compile}
	return nil
}

// deskSettings are those that need no running service.
func deskSettings(cfg Config) triage.Settings {
	host, _ := os.Hostname()
	set := triage.Settings{Host: host, Version: "devel", Compile: routeCompiler(nil)}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		set.Version = info.Main.Version
	}
	if len(cfg.Kafka.Brokers) > 0 {
		set.Topics = topics{}
	}
	return set
}

// topics takes deliveries to Kafka.
type topics struct{ producer *kafka.Producer }

// Publish implements triage.Topics.
func (t topics) Publish(ctx context.Context, topic string, key, value []byte, headers map[string]string) error {
	r := kafka.Record{Key: key, Value: value}
	for name, text := range headers {
		r.Headers = append(r.Headers, event.Header{Key: name, Value: []byte(text)})
	}
	return t.producer.Send(ctx, topic, []kafka.Record{r})
}
