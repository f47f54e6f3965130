package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/ingest/registry"
)

// connect makes the client of the brokers, if there are any.
func (s *Service) connect() error {
	if len(s.cfg.Kafka.Brokers) == 0 {
		return nil
	}
	cluster, err := ConnectKafka(s.cfg.Kafka, s.tel.Log)
	if err != nil {
		return err
	}
	s.broker = &broker{cluster: cluster, producer: cluster.Producer(), topics: s.cfg.Relay}
	s.onStop("kafka", func(context.Context) error {
		s.broker.producer.Close()
		cluster.Close()
		return nil
	})
	return s.observeKafka()
}

// consume makes the consumer of all sources with topics; nil if there is none. from says where the log ends, if there is one.
func (s *Service) consume(ctx context.Context, from func(string, int32) (event.End, bool)) (*kafka.Consumer, error) {
	set := kafka.ConsumerSettings{
		Group: s.cfg.Kafka.Group, Session: s.cfg.Kafka.Session, From: from, Solo: s.set.Role == RoleAll, Bytes: s.cfg.Ingest.Bytes, Clock: s.now,
		Log: s.tel.Log.With("component", "kafka"),
	}
	for i := range s.cfg.Sources {
		c := &s.cfg.Sources[i]
		if !c.isKafka() {
			continue
		}
		zone, err := time.LoadLocation(c.Timezone)
		if err != nil {
			return nil, fmt.Errorf("source %s: timezone: %w", c.Name, err)
		}
		x := kafka.SourceSettings{Name: c.Name, Topic: c.Topic, Pattern: c.Topics, Format: c.Format, Site: c.Site, Location: zone, AllowCompacted: c.Compact}
		at, err := startOf(c.Start)
		if err != nil {
			return nil, fmt.Errorf("source %s: start: %w", c.Name, err)
		}
		if x.Start.Latest = at.Equal(latest); !x.Start.Latest {
			x.Start.At = at
		}
		set.Sources = append(set.Sources, x)
	}
	if len(set.Sources) == 0 {
		return nil, nil
	}
	accepted, err := s.db.Incarnations(ctx)
	if err != nil {
		return nil, err
	}
	set.Incarnation = func(source string) int { return accepted[source] }
	return kafka.NewConsumer(s.broker.cluster, set)
}

// topicInput is the input of a source with a topic.
func (s *Service) topicInput(c *SourceConfig) (ingest.Input, error) {
	in := ingest.Input{Name: c.Name, Format: c.Format, Site: c.Site, Idle: c.Idle, Source: s.consumer.Source(c.Name)}
	if in.Idle == 0 {
		in.Idle = s.cfg.Ingest.Idle
	}
	if c.Encoding == "" || c.Encoding == "raw" {
		return in, nil
	}
	if s.registry == nil {
		var err error
		if s.registry, err = registryClient(s.cfg.Kafka.Registry, s.tel.Log); err != nil {
			return in, err
		}
	}
	t, err := s.registry.Transcoder(c.Encoding)
	if err != nil {
		return in, fmt.Errorf("source %s: %w", c.Name, err)
	}
	in.Transcoder = t
	x := &schooled{Source: s.consumer.Source(c.Name), name: c.Name, transcoder: t}
	s.schooled = append(s.schooled, x)
	in.Source = x
	return in, nil
}

// schooled is a source whose records need schemas: they are looked up before the records are handed on, so that decoding does no I/O. A registry
// that does not answer holds the source back.
type schooled struct {
	*kafka.Source
	name       string
	transcoder *registry.Transcoder
	waiting    atomic.Int64 // Records that were fetched and whose schemas are being looked up.
}

// Fetch implements ingest.Source.
func (x *schooled) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	start := len(dst)
	dst, err := x.Source.Fetch(ctx, dst, limit, wait)
	if err != nil {
		return dst, err
	}
	x.waiting.Store(int64(len(dst) - start))
	defer x.waiting.Store(0)
	return dst, x.transcoder.Prepare(ctx, dst[start:])
}

// withConsumer runs the pipeline with the consumer beside it. The consumer ends last, so that what the pipeline made durable is committed.
func (s *Service) withConsumer(ctx context.Context, read func(context.Context) error) error {
	if s.consumer == nil {
		return read(ctx)
	}
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.consumer.Run(inner) }()
	err := read(ctx)
	stop()
	if end := <-ended; err == nil || errors.Is(end, err) {
		return end
	}
	return err
}

// tailEnds finds where the log ends for a partition.
func tailEnds(ends []event.End) func(source string, partition int32) (event.End, bool) {
	return func(source string, partition int32) (event.End, bool) {
		i := slices.IndexFunc(ends, func(e event.End) bool { return e.Source == source && e.Partition == partition })
		if i < 0 {
			return event.End{}, false
		}
		return ends[i], true
	}
}
