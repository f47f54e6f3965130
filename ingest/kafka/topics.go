package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
)

// Topic is a topic as it is, or as it should be.
type Topic struct {
	Name       string
	Partitions int32 // 0: the topic does not exist.
	Replicas   int   // Of each partition; to be made: 0 or less leaves it to the brokers.
	// Settings are the topic's, such as retention.ms. Describe gives all of them, those of the brokers included; Create and Alter set these only.
	Settings map[string]string
}

// Compacted reports whether records of the topic vanish when later ones have the same key.
func (t Topic) Compacted() bool {
	return slices.Contains(strings.Split(strings.ReplaceAll(t.Settings["cleanup.policy"], " ", ""), ","), "compact")
}

// Describe tells what topics are like, in the order of names.
func (c *Cluster) Describe(ctx context.Context, names []string) ([]Topic, error) {
	if len(names) == 0 {
		return nil, nil
	}
	known, err := c.metadata(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	out := make([]Topic, len(names))
	var exist []kafka.DescribeConfigRequestResource
	for i, name := range names {
		out[i].Name = name
		for _, t := range known {
			if t.Name != name || t.ErrorCode == int16(kafka.UnknownTopicOrPartition) {
				continue
			}
			if t.ErrorCode != 0 && t.ErrorCode != int16(kafka.LeaderNotAvailable) {
				return nil, fmt.Errorf("topic %s: %w", name, kafka.Error(t.ErrorCode))
			}
			out[i].Partitions = int32(len(t.Partitions))
			if len(t.Partitions) > 0 {
				out[i].Replicas = len(t.Partitions[0].ReplicaNodes)
			}
			exist = append(exist, kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: name})
		}
	}
	if len(exist) == 0 {
		return out, nil
	}
	res, err := c.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: exist})
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	for _, r := range res.Resources {
		if r.Error != nil {
			return nil, fmt.Errorf("settings of topic %s: %w", r.ResourceName, r.Error)
		}
		i := slices.Index(names, r.ResourceName)
		if i < 0 {
			continue
		}
		out[i].Settings = map[string]string{}
		for _, e := range r.ConfigEntries {
			out[i].Settings[e.ConfigName] = e.ConfigValue
		}
	}
	return out, nil
}

// Create makes topics. One that exists is no error: Describe and Alter say and make right what it is like.
func (c *Cluster) Create(ctx context.Context, topics []Topic) error {
	var configs []kafka.TopicConfig
	for _, t := range topics {
		x := kafka.TopicConfig{Topic: t.Name, NumPartitions: int(t.Partitions), ReplicationFactor: t.Replicas}
		if t.Replicas <= 0 {
			x.ReplicationFactor = -1
		}
		for _, key := range slices.Sorted(maps.Keys(t.Settings)) {
			x.ConfigEntries = append(x.ConfigEntries, kafka.ConfigEntry{ConfigName: key, ConfigValue: t.Settings[key]})
		}
		configs = append(configs, x)
	}
	if len(configs) == 0 {
		return nil
	}
	res, err := c.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: configs})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	return collect("create", res.Errors, kafka.TopicAlreadyExists)
}

// collect joins the errors of several topics, in their order, but those that are fine.
func collect(what string, errs map[string]error, fine ...kafka.Error) error {
	var out []error
	for _, topic := range slices.Sorted(maps.Keys(errs)) {
		err := errs[topic]
		if err == nil || slices.ContainsFunc(fine, func(code kafka.Error) bool { return errors.Is(err, code) }) {
			continue
		}
		out = append(out, fmt.Errorf("%s topic %s: %w", what, topic, err))
	}
	return errors.Join(out...)
}

// Alter gives topics that exist the settings given, and as many partitions if they have fewer. It never takes partitions away, which Kafka
// cannot do, and leaves other settings alone.
func (c *Cluster) Alter(ctx context.Context, topics []Topic) error {
	var names []string
	for _, t := range topics {
		names = append(names, t.Name)
	}
	now, err := c.Describe(ctx, names)
	if err != nil {
		return err
	}
	var more []kafka.TopicPartitionsConfig
	var other []kafka.IncrementalAlterConfigsRequestResource
	for i, t := range topics {
		if now[i].Partitions == 0 {
			return fmt.Errorf("alter topic %s: %w", t.Name, kafka.UnknownTopicOrPartition)
		}
		if t.Partitions > now[i].Partitions {
			more = append(more, kafka.TopicPartitionsConfig{Name: t.Name, Count: t.Partitions})
		}
		var changed []kafka.IncrementalAlterConfigsRequestConfig
		for _, key := range slices.Sorted(maps.Keys(t.Settings)) {
			if now[i].Settings[key] != t.Settings[key] {
				changed = append(changed, kafka.IncrementalAlterConfigsRequestConfig{Name: key, Value: t.Settings[key], ConfigOperation: kafka.ConfigOperationSet})
			}
		}
		if len(changed) > 0 {
			other = append(other, kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Name, Configs: changed})
		}
	}
	return errors.Join(c.morePartitions(ctx, more), c.otherSettings(ctx, other))
}

func (c *Cluster) morePartitions(ctx context.Context, more []kafka.TopicPartitionsConfig) error {
	if len(more) == 0 {
		return nil
	}
	res, err := c.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: more})
	if err != nil {
		return fmt.Errorf("add partitions: %w", err)
	}
	return collect("add partitions to", res.Errors)
}

func (c *Cluster) otherSettings(ctx context.Context, other []kafka.IncrementalAlterConfigsRequestResource) error {
	if len(other) == 0 {
		return nil
	}
	res, err := c.client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: other})
	if err != nil {
		return fmt.Errorf("alter topics: %w", err)
	}
	errs := map[string]error{}
	for _, r := range res.Resources {
		errs[r.ResourceName] = r.Error
	}
	return collect("alter", errs)
}

// committed gives where a group stands in topics: the offsets to read next, and of which topics they are. What it has never committed is missing.
func (c *Cluster) committed(ctx context.Context, group string, topics map[string]int32) (map[place]standing, error) {
	ask := map[string][]int{}
	for topic, n := range topics {
		for i := range n {
			ask[topic] = append(ask[topic], int(i))
		}
	}
	if len(ask) == 0 {
		return nil, nil
	}
	res, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: ask})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	out := map[place]standing{}
	for topic, list := range res.Topics {
		for _, p := range list {
			if p.Error != nil {
				return nil, fmt.Errorf("offsets of group %s: topic %s partition %d: %w", group, topic, p.Partition, p.Error)
			}
			if p.CommittedOffset >= 0 {
				out[place{topic, int32(p.Partition)}] = standing{p.CommittedOffset, idIn(p.Metadata)}
			}
		}
	}
	return out, nil
}

// Forget makes a group forget where it stands in topics, such as one that was made anew. The group must have no members.
func (c *Cluster) Forget(ctx context.Context, group string, topics []string) error {
	// We look for ourselves: kafka-go's members state their topics in a way that keeps brokers from guarding them.
	described, err := c.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	for _, g := range described.Groups {
		if len(g.Members) > 0 {
			return fmt.Errorf("group %s has %d members: stop them first; one that was killed counts until its kafka.session is over", group, len(g.Members))
		}
	}
	now, err := c.Describe(ctx, topics)
	if err != nil {
		return err
	}
	ask := map[string][]int{}
	for _, t := range now {
		for i := range t.Partitions {
			ask[t.Name] = append(ask[t.Name], int(i))
		}
	}
	if len(ask) == 0 {
		return nil
	}
	res, err := c.client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: ask})
	if err != nil {
		return fmt.Errorf("offsets of group %s: %w", group, err)
	}
	if errors.Is(res.Error, kafka.GroupIdNotFound) {
		return nil
	}
	errs := []error{res.Error}
	for topic, list := range res.Topics {
		for _, p := range list {
			if p.Error != nil {
				errs = append(errs, fmt.Errorf("topic %s partition %d: %w", topic, p.Partition, p.Error))
			}
		}
	}
	return errors.Join(errs...)
}
