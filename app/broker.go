package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/ingest/registry"
	"github.com/tocsin-siem/tocsin/relay"
)

// with is the configuration as the Kafka package has it.
func (c KafkaConfig) with(password string) kafka.Config {
	k := kafka.DefaultConfig()
	k.Brokers, k.MaxBatch = c.Brokers, c.Batch
	k.TLS = kafka.TLS{Enabled: c.TLS.Enabled, CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key, ServerName: c.TLS.ServerName}
	k.SASL = kafka.SASL{Mechanism: c.SASL.Mechanism, Username: c.SASL.Username, Password: password}
	return k
}

// ConnectKafka makes the client of the configured brokers. It opens no connection yet.
func ConnectKafka(c KafkaConfig, log *slog.Logger) (*kafka.Cluster, error) {
	password, err := c.SASL.Password.Value()
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl.password: %w", err)
	}
	return kafka.Connect(c.with(password), log.With("component", "kafka"))
}

// registryClient makes the client of the schema registry.
func registryClient(c RegistryConfig, log *slog.Logger) (*registry.Client, error) {
	r := registry.DefaultConfig()
	r.URL, r.Username, r.CA = c.URL, c.Username, c.CA
	var err error
	if r.Password, err = c.Password.Value(); err != nil {
		return nil, fmt.Errorf("kafka.registry.password: %w", err)
	}
	return registry.New(r, log.With("component", "registry"))
}

// broker is Kafka as package relay sees it: topics by relay's names become the configured ones.
type broker struct {
	cluster  *kafka.Cluster
	producer *kafka.Producer
	topics   RelayConfig
}

func (b *broker) topic(name string) string {
	switch name {
	case relay.HitsTopic:
		return b.topics.Hits()
	case relay.FindingsTopic:
		return b.topics.Findings()
	}
	return name
}

// Produce implements relay.Producer.
func (b *broker) Produce(ctx context.Context, topic string, messages []relay.Message) error {
	records := make([]kafka.Record, len(messages))
	for i, m := range messages {
		records[i] = kafka.Record{Partition: m.Partition, Key: m.Key, Value: m.Value}
	}
	return b.producer.Produce(ctx, b.topic(topic), records)
}

// Open implements relay.Logs.
func (b *broker) Open(ctx context.Context, topic, id string, partition int32, from int64) (relay.Reader, error) {
	r, err := b.cluster.OpenTopic(ctx, b.topic(topic), id, partition, from)
	if err != nil {
		return nil, relayed(err)
	}
	return &logReader{reader: r}, nil
}

// relayed translates the errors that relay decides by.
func relayed(err error) error {
	if x, ok := errors.AsType[*kafka.Replaced](err); ok {
		return &relay.Replaced{Topic: x.Topic, Was: x.Was, Is: x.Is}
	}
	if x, ok := errors.AsType[*kafka.OutOfRange](err); ok {
		return &relay.OutOfRange{Topic: x.Topic, Partition: x.Partition, Offset: x.Offset, First: x.First, End: x.High}
	}
	return err
}

// logReader reads a partition for relay. What cannot be read comes with the bytes there are, which no frame has, so that it is counted as damaged.
type logReader struct {
	reader   *kafka.Reader
	messages []kafka.Message
}

// Read implements relay.Reader.
func (l *logReader) Read(ctx context.Context, dst []relay.Stored, wait time.Duration) ([]relay.Stored, error) {
	var err error
	clear(l.messages)
	l.messages, err = l.reader.Read(ctx, l.messages[:0], wait)
	for i := range l.messages {
		m := &l.messages[i]
		dst = append(dst, relay.Stored{Offset: m.Offset, Time: m.Time, Value: m.Value})
	}
	return dst, relayed(err)
}

// Status implements relay.Reader.
func (l *logReader) Status() relay.ReaderStatus {
	return relay.ReaderStatus{Topic: l.reader.TopicID(), End: l.reader.High(), Trouble: l.reader.Stats().Failing}
}

// Close implements relay.Reader.
func (l *logReader) Close() { l.reader.Close() }

// lessons reads the topic of bindings for relay.Bindings.
type lessons struct {
	cluster *kafka.Cluster
	topic   string
	reader  *kafka.Reader
	taken   atomic.Int64 // Offset before which all has been taken in.
}

// Read implements relay.Lessons. Where retention has removed what was to come next, or the topic was made anew, it goes on with what there is: bindings
// are old by then, and what a new topic lacks is learned again.
func (l *lessons) Read(ctx context.Context) (values [][]byte, drained bool, err error) {
	if l.reader == nil {
		first, _, err := l.cluster.Offsets(ctx, l.topic, 0)
		if err != nil {
			return nil, false, err
		}
		if l.reader, err = l.cluster.OpenTopic(ctx, l.topic, "", 0, first); err != nil {
			return nil, false, err
		}
	}
	l.taken.Store(l.reader.Offset())
	messages, err := l.reader.Read(ctx, nil, time.Second)
	_, gone := errors.AsType[*kafka.OutOfRange](err)
	_, anew := errors.AsType[*kafka.Replaced](err)
	if gone || anew {
		l.Close()
		return nil, false, nil
	}
	for i := range messages {
		if messages[i].Value != nil {
			values = append(values, messages[i].Value)
		}
	}
	return values, err == nil && l.reader.Offset() >= l.reader.High(), err
}

// Close ends reading.
func (l *lessons) Close() {
	if l.reader != nil {
		l.reader.Close()
		l.reader = nil
	}
}
