package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// CreateTopic creates a topic and returns when each of its partitions has a leader.
func (b *Broker) CreateTopic(name string, partitions int, config map[string]string) {
	b.t.Helper()
	topic := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: config[key]})
	}
	answer, err := b.client.CreateTopics(b.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = answer.Errors[name]
	}
	if err != nil {
		b.t.Fatalf("create topic %s: %v", name, err)
	}
	b.await("the leaders of topic "+name, func(ctx context.Context) error {
		found, err := b.partitions(ctx, name)
		if err != nil {
			return err
		}
		if len(found) != partitions {
			return fmt.Errorf("it has %d of %d partitions", len(found), partitions)
		}
		return b.ready(ctx)
	})
}

// DeleteTopic deletes a topic and returns when the broker no longer knows it.
func (b *Broker) DeleteTopic(name string) {
	b.t.Helper()
	answer, err := b.client.DeleteTopics(b.t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{name}})
	if err == nil {
		err = answer.Errors[name]
	}
	if err != nil {
		b.t.Fatalf("delete topic %s: %v", name, err)
	}
	b.await("the end of topic "+name, func(ctx context.Context) error {
		found, err := b.partitions(ctx, name)
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("it still has %d partitions", len(found))
	})
}

// Offsets returns, by partition, the first offset there is and the one that the next record will get.
func (b *Broker) Offsets(topic string) (first, next []int64) {
	b.t.Helper()
	partitions, err := b.partitions(b.t.Context(), topic)
	if err != nil {
		b.t.Fatalf("offsets of topic %s: %v", topic, err)
	}
	first, next = make([]int64, len(partitions)), make([]int64, len(partitions))
	for _, p := range partitions {
		conn, err := kafka.DialLeader(b.t.Context(), "tcp", b.Addr(), topic, p.ID)
		if err != nil {
			b.t.Fatalf("offsets of topic %s: %v", topic, err)
		}
		first[p.ID], next[p.ID], err = conn.ReadOffsets()
		_ = conn.Close()
		if err != nil {
			b.t.Fatalf("offsets of topic %s, partition %d: %v", topic, p.ID, err)
		}
	}
	return first, next
}

// partitions asks the broker, not a cache.
func (b *Broker) partitions(ctx context.Context, topic string) ([]kafka.Partition, error) {
	conn, err := kafka.DialContext(ctx, "tcp", b.Addr())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	return conn.ReadPartitions(topic)
}

// await asks until there is no error any more.
func (b *Broker) await(what string, ask func(ctx context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), startTime)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			b.t.Fatalf("await %s: %v", what, err)
		case <-time.After(pollTime):
		}
	}
}
