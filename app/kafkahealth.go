package app

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

// reading is how reading one topic goes, over its partitions.
type reading struct {
	source              string
	partitions, ours    int
	lag, lost           int64
	faults, gaps, steps int64
	trouble             string
}

// readings adds up the partitions of each source, in their order.
func readings(status []kafka.PartitionStatus) []reading {
	var out []reading
	for _, p := range status {
		if n := len(out); n == 0 || out[n-1].source != p.Source {
			out = append(out, reading{source: p.Source})
		}
		r := &out[len(out)-1]
		r.partitions++
		r.lost += p.Lost
		if !p.Owned {
			continue
		}
		r.ours++
		r.lag += p.Lag()
		r.faults += p.Reader.Faults
		r.gaps += p.Reader.Gaps
		r.steps += p.Reader.Stepped
		if p.Trouble != "" {
			r.trouble = fmt.Sprintf("partition %d: %s", p.Partition, p.Trouble)
		}
	}
	return out
}

// check is a reading as the health page has it.
func (r reading) check() console.Check {
	c := console.Check{Name: "topic " + r.source, Good: r.trouble == ""}
	parts := []string{fmt.Sprintf("%d of %s ours", r.ours, Count(r.partitions, "partition"))}
	if r.ours > 0 {
		parts = append(parts, fmt.Sprintf("%d behind", r.lag))
	}
	if r.lost > 0 {
		parts = append(parts, fmt.Sprintf("%d lost to the topic's retention before they were read", r.lost))
	}
	if r.gaps > 0 {
		parts = append(parts, fmt.Sprintf("%d offsets stepped over that never came", r.steps))
	}
	if r.faults > 0 {
		parts = append(parts, fmt.Sprintf("%s unreadable, see the rejects", Count(int(r.faults), "batch")))
	}
	if r.trouble != "" {
		parts = append(parts, r.trouble+"; nothing is lost: it is tried again")
	}
	c.Detail = strings.Join(parts, "; ")
	return c
}

// kafkaChecks tells how reading goes.
func (s *Service) kafkaChecks() []console.Check {
	if s.consumer == nil {
		return nil
	}
	group := console.Check{Name: "kafka", Good: true, Detail: "in group " + s.cfg.Kafka.Group}
	if t := s.consumer.Trouble(); t != "" {
		group.Good, group.Detail = false, "not in group "+s.cfg.Kafka.Group+": "+t+"; nothing is lost: the records stay with the brokers"
	}
	out := []console.Check{group}
	there := map[string]bool{}
	for _, r := range readings(s.consumer.Status()) {
		name, _, _ := strings.Cut(r.source, "#")
		there[name] = true
		out = append(out, r.check())
	}
	for i := range s.cfg.Sources {
		if c := &s.cfg.Sources[i]; c.Topic != "" && !there[c.Name] {
			out = append(out, console.Check{Name: "topic " + c.Name, Detail: "there is no topic " + c.Topic + " yet, or the account may not see it; it is read as soon as it is there"})
		}
	}
	if s.registry != nil {
		c := console.Check{Name: "schema registry", Good: true, Detail: s.cfg.Kafka.Registry.URL}
		if err := s.registry.Err(); err != nil {
			c.Good, c.Detail = false, err.Error()+"; nothing is lost: sources that need a new schema wait"+waiting(s.schooled)
		}
		out = append(out, c)
	}
	return out
}

// waiting names those of the sources that wait for schemas now.
func waiting(sources []*schooled) string {
	var names []string
	for _, x := range sources {
		if n := x.waiting.Load(); n > 0 {
			names = append(names, fmt.Sprintf("%s (%s in hand)", x.name, Count(int(n), "record")))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", now " + strings.Join(names, ", ")
}

// observeKafka reports how reading goes whenever metrics are asked for.
func (s *Service) observeKafka() error {
	lag, err := s.tel.Meter.Int64ObservableGauge("tocsin.kafka.lag", metric.WithUnit("{record}"), metric.WithDescription("Offsets of our partitions that are there and not handed out yet, by source."))
	if err != nil {
		return err
	}
	lost, err := s.tel.Meter.Int64ObservableCounter("tocsin.kafka.lost", metric.WithUnit("{record}"), metric.WithDescription("Offsets that a topic's retention removed before they were read, by source."))
	if err != nil {
		return err
	}
	stepped, err := s.tel.Meter.Int64ObservableCounter("tocsin.kafka.stepped", metric.WithUnit("{record}"), metric.WithDescription("Offsets that never came and were stepped over, by source."))
	if err != nil {
		return err
	}
	faults, err := s.tel.Meter.Int64ObservableCounter("tocsin.kafka.faults", metric.WithUnit("{batch}"), metric.WithDescription("Batches of records that could not be unpacked and became rejects, by source."))
	if err != nil {
		return err
	}
	_, err = s.tel.Meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if s.consumer == nil {
			return nil
		}
		for _, r := range readings(s.consumer.Status()) {
			source := metric.WithAttributes(attribute.String("source", r.source))
			o.ObserveInt64(lag, r.lag, source)
			o.ObserveInt64(lost, r.lost, source)
			o.ObserveInt64(stepped, r.steps, source)
			o.ObserveInt64(faults, r.faults, source)
		}
		return nil
	}, lag, lost, stepped, faults)
	return err
}
