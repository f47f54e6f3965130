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
	asked := false
	b.await("topic "+name, func(ctx context.Context) error { // On a busy machine its own controller may have given the broker up for a moment.
		answer, err := b.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
		if err == nil {
			err = answer.Errors[name]
		}
		if asked && errors.Is(err, kafka.TopicAlreadyExists) {
			return nil
		}
		asked = true
		return err
	})
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
	asked := false
	b.await("topic "+name+" to be deleted", func(ctx context.Context) error {
		answer, err := b.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
		if err == nil {
			err = answer.Errors[name]
		}
		if asked && errors.Is(err, kafka.UnknownTopicOrPartition) {
			return nil
		}
		asked = true
		return err
	})
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

// Offsets returns, by partition, the first offset there is and the one that the next record will get. A broker that was killed knows its topics a
// moment before it leads their partitions, so it is asked until it tells.
func (b *Broker) Offsets(topic string) (first, next []int64) {
	b.t.Helper()
	b.await("the offsets of topic "+topic, func(ctx context.Context) (err error) {
		first, next, err = b.offsets(ctx, topic)
		return err
	})
	return first, next
}

func (b *Broker) offsets(ctx context.Context, topic string) (first, next []int64, err error) {
	partitions, err := b.partitions(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	first, next = make([]int64, len(partitions)), make([]int64, len(partitions))
	for _, p := range partitions {
		conn, err := kafka.DialLeader(ctx, "tcp", b.Addr(), topic, p.ID)
		if err != nil {
			return nil, nil, err
		}
		first[p.ID], next[p.ID], err = conn.ReadOffsets()
		_ = conn.Close()
		if err != nil {
			return nil, nil, fmt.Errorf("partition %d: %w", p.ID, err)
		}
	}
	return first, next, nil
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
