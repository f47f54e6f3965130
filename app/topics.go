package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
	"github.com/tocsin-siem/tocsin/relay"
)

// How long the topics between the roles keep records. Hits and findings are logs: they must reach back further than the oldest of three
// checkpoints, and a member that was away over a weekend should find what it missed.
const (
	hitsKept     = 3 * 24 * time.Hour
	findingsKept = 7 * 24 * time.Hour
	lettersKept  = 30 * 24 * time.Hour
	bindingsKept = 7 * 24 * time.Hour // What a new member knows of the past; enrichment itself keeps ended bindings that long.
	relayMessage = 2 << 20            // Most bytes of a batch of records; frames are cut at 900 KB.
)

// WantedTopics are the topics that a role needs beside those of the sources, with the settings that matter: those between the roles, but for
// RoleAll, and the dead-letter topic. None is compacted.
func WantedTopics(c Config, role Role) []kafka.Topic {
	settings := func(keep time.Duration) map[string]string {
		s := map[string]string{
			"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(keep.Milliseconds(), 10), "retention.bytes": "-1",
			"max.message.bytes": strconv.Itoa(relayMessage), "min.insync.replicas": "1",
		}
		if c.Relay.Replication > 2 {
			s["min.insync.replicas"] = "2"
		}
		return s
	}
	topic := func(name string, partitions int, keep time.Duration) kafka.Topic {
		return kafka.Topic{Name: name, Partitions: int32(partitions), Replicas: c.Relay.Replication, Settings: settings(keep)}
	}
	var out []kafka.Topic
	if b := c.Enrich.Bindings; role != RoleAll {
		out = append(out, topic(c.Relay.Hits(), c.Relay.Partitions, hitsKept), topic(c.Relay.Findings(), 1, findingsKept),
			topic(c.Relay.Bindings(), 1, max(bindingsKept, b.DHCPAge, b.RADIUSAge, b.NACAge, b.MDMAge, b.DeviceAge)))
	}
	if c.Kafka.DeadLetter != "" {
		t := topic(c.Kafka.DeadLetter, 3, lettersKept)
		t.Settings["max.message.bytes"] = strconv.Itoa(20 << 20) // A reject may be as large as a record may be.
		out = append(out, t)
	}
	return out
}

// TopicState is a wanted topic and how it is.
type TopicState struct {
	Name       string            `json:"name"`
	Partitions int32             `json:"partitions"`
	Replicas   int               `json:"replicas"`
	Settings   map[string]string `json:"settings"`
	Did        string            `json:"did,omitempty"`     // What applying did: created, altered or nothing.
	Changed    []string          `json:"changed,omitempty"` // What was altered.
}

// TopicStates are the wanted topics, without asking a broker.
func TopicStates(c Config, role Role) []TopicState {
	var out []TopicState
	for _, t := range WantedTopics(c, role) {
		out = append(out, TopicState{Name: t.Name, Partitions: t.Partitions, Replicas: t.Replicas, Settings: t.Settings})
	}
	return out
}

// ApplyTopics makes the wanted topics, and gives those that exist the settings they should have. It never takes anything away.
func ApplyTopics(ctx context.Context, c Config, role Role, log *slog.Logger) ([]TopicState, error) {
	if len(c.Kafka.Brokers) == 0 {
		return nil, errors.New("kafka.brokers is empty: name some, such as [localhost:9092]")
	}
	cluster, err := ConnectKafka(c.Kafka, log)
	if err != nil {
		return nil, err
	}
	defer cluster.Close()
	wanted, out := WantedTopics(c, role), TopicStates(c, role)
	if len(wanted) == 0 {
		return nil, nil
	}
	names := make([]string, len(wanted))
	for i, t := range wanted {
		names[i] = t.Name
	}
	now, err := cluster.Describe(ctx, names)
	if err != nil {
		return nil, err
	}
	if p := now[0].Partitions; role != RoleAll && p != 0 && p != wanted[0].Partitions {
		return nil, fmt.Errorf("topic %s has %d partitions and relay.partitions says %d: keys would go to other partitions than before and rules lose their state. Set relay.partitions to %d, or choose another relay.prefix to begin anew", names[0], p, wanted[0].Partitions, p)
	}
	for i, t := range wanted {
		if one := now[i].Partitions; role != RoleAll && (t.Name == c.Relay.Findings() || t.Name == c.Relay.Bindings()) && one > 1 {
			return nil, fmt.Errorf("topic %s has %d partitions and must have one: its order is what it is for. Choose another relay.prefix, or delete it if nothing of ours is in it", t.Name, one)
		}
		out[i].Did, out[i].Changed = differs(&t, now[i])
		switch out[i].Did {
		case "created":
			if err = cluster.Create(ctx, []kafka.Topic{t}); err != nil {
				err = fmt.Errorf("%w; where there are fewer brokers than copies, set relay.replication to the number of brokers", err)
			}
		case "altered":
			t.Partitions = 0
			err = cluster.Alter(ctx, []kafka.Topic{t})
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// differs says what is to be done about a topic, and leaves in want only the settings that are to change. Somebody may have given it more than we
// ask for: that stays, for a shorter retention would make Kafka delete records.
func differs(want *kafka.Topic, is kafka.Topic) (did string, changed []string) {
	if is.Partitions == 0 {
		return "created", nil
	}
	settings := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(want.Settings)) {
		if !enough(key, want.Settings[key], is.Settings[key]) {
			settings[key] = want.Settings[key]
			changed = append(changed, fmt.Sprintf("%s: %s, was %s", key, want.Settings[key], is.Settings[key]))
		}
	}
	want.Settings = settings
	if len(changed) > 0 {
		return "altered", changed
	}
	return "nothing", nil
}

// enough reports whether a topic's setting does: numbers may be larger than asked for, and -1 is without limit.
func enough(key, want, is string) bool {
	if want == is || key == "cleanup.policy" {
		return want == is
	}
	n, err := strconv.ParseInt(is, 10, 64)
	least, bad := strconv.ParseInt(want, 10, 64)
	return err == nil && bad == nil && least >= 0 && (n < 0 && strings.HasPrefix(key, "retention.") || n >= least)
}

// AcceptTopic says that a topic was made anew on purpose: it is read from its beginning, as another topic than before. what is the configured name of
// its source, with /topic behind it where the source has a pattern, or the name of the topic of hits or findings. Who reads it must not be running.
func AcceptTopic(ctx context.Context, c Config, what, by, reason string, log *slog.Logger) (incarnation int, err error) {
	key, topic, group, err := acceptable(c, what)
	if err != nil {
		return 0, err
	}
	cluster, err := ConnectKafka(c.Kafka, log)
	if err != nil {
		return 0, err
	}
	defer cluster.Close()
	db, err := OpenDatabase(ctx, c, log, nil, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := cluster.Forget(ctx, group, []string{topic}); err != nil {
		return 0, err
	}
	return db.Accept(ctx, key, by, reason)
}

// acceptable is under what key a topic is accepted, which it is and which group reads it.
func acceptable(c Config, what string) (key, topic, group string, err error) {
	name, topic, pattern := strings.Cut(what, "/")
	i := slices.IndexFunc(c.Sources, func(s SourceConfig) bool { return s.Name == name && s.isKafka() })
	switch {
	case i < 0 && what == c.Relay.Hits():
		return relayKey(relay.HitsTopic), what, c.Kafka.Group + ".correlate", nil
	case i < 0 && what == c.Relay.Findings():
		return relayKey(relay.FindingsTopic), what, c.Kafka.Group + ".triage", nil
	case i < 0:
		return "", "", "", fmt.Errorf("there is no source %q with a topic, and only %s and %s are topics of our own that can be accepted", name, c.Relay.Hits(), c.Relay.Findings())
	case pattern != (c.Sources[i].Topics != ""):
		return "", "", "", fmt.Errorf("write SOURCE for a source with topic, and SOURCE/TOPIC for one with topics: %q is neither", what)
	case pattern && !matches(c.Sources[i].Topics, topic):
		return "", "", "", fmt.Errorf("source %s does not read topic %s", name, topic)
	case !pattern:
		topic = c.Sources[i].Topic
	}
	return what, topic, c.Kafka.Group, nil
}

// relayKey is under what key of the accepted topics those between the roles are kept, whatever relay.prefix is: no source can have such a name.
func relayKey(topic string) string { return "/" + topic }

// acceptedTopics implements relay.Accepted.
func (s *Service) acceptedTopics(ctx context.Context, topic string) (int, error) {
	list, err := s.db.Incarnations(ctx)
	return list[relayKey(topic)], err
}
