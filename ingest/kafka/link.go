package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// link is a connection to one broker that has logged in and agreed on versions. kafka-go reads each answer whole and asks nothing on its own, so
// between two of its calls raw is at the edge of a message and fetches may use it directly.
type link struct {
	raw        net.Conn
	rpc        *protocol.Conn
	client     string
	timeout    time.Duration
	bound      int64  // Most bytes of an answer to a request of ours.
	identifies bool   // The broker can tell topics' ids.
	byID       bool   // It serves fetches that name topics by their ids.
	topicID    string // Of the topic whose leader this is; "": not known.
}

// connect opens a link to the broker at address within the dial timeout.
func (c *Cluster) connect(ctx context.Context, address string) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.DialTimeout)
	defer cancel()
	var raw net.Conn
	stop := func() bool { return true }
	d := c.dialer()
	d.DialFunc = func(dialing context.Context, network, address string) (_ net.Conn, err error) {
		raw, err = c.dial(dialing, network, address)
		if err == nil {
			// kafka-go waits for the answers of SASL without a deadline.
			stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
		}
		return raw, err
	}
	_, err := d.DialContext(ctx, "tcp", address)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if raw != nil {
			_ = raw.Close()
		}
		return nil, fmt.Errorf("broker %s: %w", address, cmp.Or(context.Cause(ctx), err))
	}
	l := &link{
		raw: raw, rpc: protocol.NewConn(raw, c.config.ClientID), client: c.config.ClientID, timeout: c.config.RequestTimeout,
		bound: int64(c.config.MaxBatch) + answerSlack,
	}
	if err := l.agree(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("broker %s: %w", address, err)
	}
	return l, nil
}

// agree asks the broker for the versions it speaks and holds the one our fetches need against them.
func (l *link) agree(ctx context.Context) error {
	answer, err := l.ask(ctx, &apiversions.Request{})
	if err != nil {
		return err
	}
	res := answer.(*apiversions.Response)
	if res.ErrorCode != 0 {
		return kafka.Error(res.ErrorCode)
	}
	versions := make(map[protocol.ApiKey]int16, len(res.ApiKeys))
	fetches := false
	for _, k := range res.ApiKeys {
		key := protocol.ApiKey(k.ApiKey)
		fetches = fetches || key == protocol.Fetch && k.MinVersion <= fetchVersion && fetchVersion <= k.MaxVersion
		l.byID = l.byID || key == protocol.Fetch && fetchByIDVersion <= k.MaxVersion
		l.identifies = l.identifies || key == protocol.Metadata && k.MinVersion <= identityVersion && identityVersion <= k.MaxVersion
		versions[key] = key.SelectVersion(k.MinVersion, k.MaxVersion)
	}
	if !fetches {
		return fmt.Errorf("the broker does not speak version %d of the fetch request: Kafka 2.1 or newer is needed", fetchVersion)
	}
	l.rpc.SetVersions(versions)
	return nil
}

// fetchID is the id to name the topic by in fetches; ok is false where its name has to do.
func (l *link) fetchID() (id [16]byte, ok bool) {
	if !l.byID {
		return id, false
	}
	return idBytes(l.topicID)
}

// ask sends one of kafka-go's requests and waits for its answer.
func (l *link) ask(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	if err := l.raw.SetDeadline(time.Now().Add(l.timeout)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = l.raw.Close() })
	answer, err := l.rpc.RoundTrip(req)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return answer, err
}

// leader opens a link to the leader of a partition, which it asks the brokers for anew each time, as it does for the topic's id.
func (c *Cluster) leader(ctx context.Context, topic string, partition int32) (*link, error) {
	address, id, err := c.leaderAddress(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	l, err := c.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	l.topicID = id
	return l, nil
}

// leaderAddress asks one configured broker after the other, beginning with the one that answered last.
func (c *Cluster) leaderAddress(ctx context.Context, topic string, partition int32) (address, id string, err error) {
	var errs []error
	for range c.config.Brokers {
		first := c.first.Load()
		broker := c.config.Brokers[int(first)%len(c.config.Brokers)]
		address, id, err := c.askLeader(ctx, broker, topic, partition)
		if err == nil {
			return address, id, nil
		}
		errs = append(errs, err)
		if _, answered := errors.AsType[kafka.Error](err); answered || ctx.Err() != nil {
			break
		}
		c.first.CompareAndSwap(first, first+1)
	}
	return "", "", errors.Join(errs...)
}

func (c *Cluster) askLeader(ctx context.Context, broker, topic string, partition int32) (address, id string, err error) {
	l, err := c.connect(ctx, broker)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = l.raw.Close() }()
	// Not kafka-go's ReadPartitions: it would have the broker create a topic that has been deleted.
	answer, err := l.ask(ctx, &metadata.Request{TopicNames: []string{topic}})
	if err != nil {
		return "", "", fmt.Errorf("broker %s: %w", broker, err)
	}
	if address, err = leaderIn(answer.(*metadata.Response), topic, partition); err != nil {
		return "", "", err
	}
	ids, err := l.topicIDs(ctx, topic)
	if err != nil {
		return "", "", fmt.Errorf("broker %s: %w", broker, err)
	}
	return address, ids[topic], nil
}

// leaderIn is the address of a partition's leader in an answer.
func leaderIn(res *metadata.Response, topic string, partition int32) (string, error) {
	t := slices.IndexFunc(res.Topics, func(t metadata.ResponseTopic) bool { return t.Name == topic })
	if t < 0 {
		return "", kafka.UnknownTopicOrPartition
	}
	if code := res.Topics[t].ErrorCode; code != 0 {
		return "", kafka.Error(code)
	}
	p := slices.IndexFunc(res.Topics[t].Partitions, func(p metadata.ResponsePartition) bool { return p.PartitionIndex == partition })
	if p < 0 {
		return "", kafka.UnknownTopicOrPartition
	}
	leader := res.Topics[t].Partitions[p].LeaderID
	b := slices.IndexFunc(res.Brokers, func(b metadata.ResponseBroker) bool { return b.NodeID == leader })
	if b < 0 {
		return "", kafka.LeaderNotAvailable
	}
	return net.JoinHostPort(res.Brokers[b].Host, strconv.Itoa(int(res.Brokers[b].Port))), nil
}

// offset asks the leader for one offset of a partition: Latest, Earliest, or the first one not older than a time in milliseconds; -1 where there
// is none.
func (l *link) offset(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	answer, err := l.ask(ctx, &listoffsets.Request{ReplicaID: -1, Topics: []listoffsets.RequestTopic{{
		Topic: topic, Partitions: []listoffsets.RequestPartition{{Partition: partition, CurrentLeaderEpoch: -1, Timestamp: at}},
	}}})
	if err != nil {
		return 0, err
	}
	res := answer.(*listoffsets.Response)
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return 0, errors.New("the broker's list of offsets is not the one asked for")
	}
	p := res.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		return 0, kafka.Error(p.ErrorCode)
	}
	return p.Offset, nil
}

// bounds asks the leader for the first offset and the high watermark of a partition.
func (l *link) bounds(ctx context.Context, topic string, partition int32) (first, high int64, err error) {
	if first, err = l.offset(ctx, topic, partition, Earliest); err == nil {
		high, err = l.offset(ctx, topic, partition, Latest)
	}
	return first, high, err
}
