package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/segmentio/kafka-go"

	"github.com/tocsin-siem/tocsin/event"
)

// Message is one record of a partition, or a stretch of offsets that could not be read.
type Message struct {
	Offset  int64
	Time    int64 // Microseconds since the Unix epoch, as the batch says; 0 where it says nothing.
	Key     []byte
	Value   []byte // nil: a tombstone. Empty, not nil: a record without content.
	Headers []event.Header
	Fault   *Fault // Offsets Offset..Fault.Last could not be read; Value holds what bytes there are, at most 1 MiB.
}

// Fault says why offsets could not be read.
type Fault struct {
	Code   string // kafka_crc, kafka_codec, kafka_oversize, kafka_batch, kafka_magic or kafka_record.
	Reason string // One sentence.
	Last   int64  // Last offset concerned.
}

// Where a reader can be opened other than at an offset.
const (
	Latest   int64 = -1 // Behind the newest record.
	Earliest int64 = -2 // At the oldest record kept.
)

// OutOfRange says that the log does not hold an offset: it was trimmed past it, or it ends before it because the topic was made anew.
type OutOfRange struct {
	Topic       string
	Partition   int32
	Offset      int64 // Wanted.
	First, High int64 // What the log holds: First ≤ offset < High, and High as the next one.
}

func (e *OutOfRange) Error() string {
	return fmt.Sprintf("topic %s partition %d has no offset %d: it holds %d up to %d", e.Topic, e.Partition, e.Offset, e.First, e.High)
}

// Stats counts what a reader did since it was opened.
type Stats struct {
	Fetches    int64
	Messages   int64
	Faults     int64
	Control    int64 // Batches of transaction markers dropped.
	Aborted    int64 // Batches of aborted transactions dropped.
	Emptied    int64 // Batches whose records compaction has removed.
	Rereads    int64 // Fetches repeated because a batch came damaged.
	Gaps       int64 // Times the watchdog stepped over offsets that never came.
	Stepped    int64 // Offsets stepped over that way.
	Reconnects int64
	Failing    string // Why fetches fail at present; "": they do not.
}

// Bounds of one Read, so that a few well packed batches cannot fill the memory: it stops behind the first message beyond either.
const (
	readMessages = 16 << 10
	readBytes    = 4 << 20
)

// longPoll is how long a broker may hold back its answer while there is nothing new. It is also how stale High may be.
const longPoll = 500 * time.Millisecond

// Reader reads one partition from its leader, as a consumer with isolation level read_committed: nothing of an open or aborted transaction and no
// transaction marker is handed out, and a transaction left open holds the partition back until the broker ends it (transaction.timeout.ms of its
// producer, at most transaction.max.timeout.ms).
//
// Fetches are ours and not kafka-go's Conn.ReadBatch or Client.Fetch, which give neither a batch's attributes nor its last offset, so that they
// cannot tell markers and aborted records from others nor get past emptied batches, and unpack without a bound. Here the bytes of the answer are
// read into one piece of memory and decoded in place: about a quarter of the processor time, too.
//
// While a Read's messages are being handled, the next fetch is under way. A Reader is for one goroutine.
type Reader struct {
	cluster   *Cluster
	log       *slog.Logger
	topic     string
	partition int32
	id        string // Of the topic that is to be read; "": whichever has the name.

	decoder      decoder
	high, stable int64
	first        int64
	stats        Stats

	link    *link
	number  int32 // Of the request last sent.
	sent    bool  // A fetch is under way.
	waited  time.Duration
	head    [4]byte // Size of the answer.
	body    []byte
	have    int // Bytes there of head and body.
	cut     bool
	spare   []byte // Body no message points into.
	request []byte

	backoff *backoff.ExponentialBackOff
	resume  time.Time // Not before it is the next attempt made.
	trouble time.Time // Since when the partition cannot be read; zero: it can.
	failing string    // Why.
	stall   time.Time // Since when there is no progress though there should be; zero: there is.
	sick    bool      // That has been logged.
}

// Offsets gives the first offset a partition holds and the high watermark, from its leader. It tries once.
func (c *Cluster) Offsets(ctx context.Context, topic string, partition int32) (first, high int64, err error) {
	first, high, _, err = c.survey(ctx, topic, partition)
	return first, high, err
}

// survey is Offsets with the topic's id; "": the brokers know of none.
func (c *Cluster) survey(ctx context.Context, topic string, partition int32) (first, high int64, id string, err error) {
	l, err := c.leader(ctx, topic, partition)
	if err != nil {
		return 0, 0, "", fmt.Errorf("topic %s partition %d: %w", topic, partition, err)
	}
	defer func() { _ = l.raw.Close() }()
	first, high, err = l.bounds(ctx, topic, partition)
	return first, high, l.topicID, err
}

// OffsetAt gives the first offset whose record is not older than at; the high watermark where there is none. It tries once.
func (c *Cluster) OffsetAt(ctx context.Context, topic string, partition int32, at time.Time) (int64, error) {
	l, err := c.leader(ctx, topic, partition)
	if err != nil {
		return 0, fmt.Errorf("topic %s partition %d: %w", topic, partition, err)
	}
	defer func() { _ = l.raw.Close() }()
	offset, err := l.offset(ctx, topic, partition, max(at.UnixMilli(), 0))
	if err == nil && offset < 0 {
		offset, err = l.offset(ctx, topic, partition, Latest)
	}
	return offset, err
}

// Open starts reading a partition at offset from, or at Earliest or Latest. While the partition cannot be reached it tries again, until ctx ends;
// what trying cannot mend is an error: *OutOfRange, a refused login or certificate, a topic we may not read.
func (c *Cluster) Open(ctx context.Context, topic string, partition int32, from int64) (*Reader, error) {
	return c.open(ctx, topic, "", partition, from)
}

// OpenTopic is Open of the topic with an id; "": of whichever has the name now. When there is another one of its name, that is an error of OpenTopic
// and of Read: *Replaced. Brokers before 2.8 have no ids, and then nothing is noticed.
func (c *Cluster) OpenTopic(ctx context.Context, topic, id string, partition int32, from int64) (*Reader, error) {
	r, err := c.open(ctx, topic, id, partition, from)
	if err == nil && r.id == "" && r.link != nil {
		r.id = r.link.topicID
	}
	return r, err
}

// open is Open of the topic with an id. When there is another one of its name, that is an error of open and of Read: *Replaced.
func (c *Cluster) open(ctx context.Context, topic, id string, partition int32, from int64) (*Reader, error) {
	r := &Reader{
		cluster: c, log: c.log.With("topic", topic, "partition", partition), topic: topic, id: id, partition: partition,
		backoff: &backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 5 * time.Second},
	}
	r.decoder = decoder{doubt: -1, unpacker: unpacker{limit: c.config.MaxBatch, zstd: c.zstd}}
	r.backoff.Reset()
	for {
		err := r.connect(ctx)
		if err == nil {
			r.first, r.high, err = r.link.bounds(ctx, topic, partition)
		}
		if err == nil {
			break
		}
		if err := r.fail(ctx, err); err != nil {
			return nil, err
		}
		if err := r.rest(ctx, r.resume); err != nil {
			return nil, fmt.Errorf("topic %s partition %d: %w", topic, partition, err)
		}
	}
	r.well()
	r.stable = r.high
	switch from {
	case Earliest:
		from = r.first
	case Latest:
		from = r.high
	}
	if from < r.first || from > r.high {
		r.Close()
		return nil, &OutOfRange{Topic: topic, Partition: partition, Offset: from, First: r.first, High: r.high}
	}
	r.decoder.next = from
	return r, nil
}

// Read appends what one fetch gave, or a part of it, and returns when there is something, when Offset has moved (over transaction markers, say) or
// when wait has passed; opening a connection may take longer, up to the dial timeout. Keys, values and headers are the caller's to keep: their memory is never used again.
//
// Moved leaders, restarted brokers and dead connections are waited out inside, with growing pauses; Read then returns nothing, and the log is told
// once when it begins and once when it is over. Errors are what Open returns, and ctx's own; after one, Read may be called again.
func (r *Reader) Read(ctx context.Context, dst []Message, wait time.Duration) ([]Message, error) {
	end := time.Now().Add(max(wait, time.Millisecond))
	given, from := len(dst), r.decoder.next
	for {
		if r.decoder.pending() {
			dst = r.decoder.fill(dst, readMessages, readBytes)
			r.settle(ctx)
		}
		if len(dst) > given || r.decoder.next > from {
			return dst, nil
		}
		if err := ctx.Err(); err != nil {
			return dst, context.Cause(ctx)
		}
		now := time.Now()
		if !now.Before(end) {
			return dst, nil
		}
		if r.resume.After(now) {
			if err := r.rest(ctx, earlier(r.resume, end)); err != nil {
				return dst, err
			}
			continue
		}
		if err := r.turn(ctx, end); err != nil {
			return dst, err
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// turn brings the fetch one step further: connects, sends, or takes the answer over.
func (r *Reader) turn(ctx context.Context, end time.Time) error {
	if r.link == nil {
		if err := r.connect(ctx); err != nil {
			return r.fail(ctx, err)
		}
		r.stats.Reconnects++
	}
	if !r.sent {
		if err := r.send(r.decoder.next, longPoll, 1); err != nil {
			return r.fail(ctx, err)
		}
	}
	f, done, err := r.receive(ctx, end)
	switch {
	case err != nil:
		return r.fail(ctx, err)
	case !done:
		return nil
	}
	return r.take(ctx, f)
}

// take hands an answer to the decoder, or sees to what the broker reports instead.
func (r *Reader) take(ctx context.Context, f fetched) error {
	switch f.code {
	case 0:
	case kafka.OffsetOutOfRange:
		first, high, err := r.link.bounds(ctx, r.topic, r.partition)
		if err != nil {
			return r.fail(ctx, err)
		}
		r.first, r.high = first, high
		if next := r.decoder.next; next < first || next > high {
			return &OutOfRange{Topic: r.topic, Partition: r.partition, Offset: next, First: first, High: high}
		}
		return r.fail(ctx, f.code)
	case kafka.InvalidMessage:
		// The broker cannot read its own log here. Others of the partition it may.
		return r.stalled(ctx)
	default:
		return r.fail(ctx, f.code)
	}
	r.well()
	r.stats.Fetches++
	r.high, r.stable, r.first = f.high, f.stable, f.first
	if f.stable < 0 {
		r.stable = f.high
	}
	r.decoder.begin(f)
	if len(f.records) == 0 {
		if r.decoder.next < r.stable {
			return r.stalled(ctx)
		}
		r.stall = time.Time{}
	}
	return nil
}

// settle follows up on what fill has done: a set at its end makes room for the next fetch, which goes out at once.
func (r *Reader) settle(ctx context.Context) {
	d := &r.decoder
	if d.next > d.start {
		r.stall, r.sick = time.Time{}, false
	}
	if d.pending() {
		return
	}
	if !d.lent {
		r.spare = r.body
	}
	r.body = nil
	switch {
	case d.damaged || r.cut:
		r.drop()
	case d.next == d.start:
		// Batches, but none with an offset we want.
		_ = r.stalled(ctx)
	case r.link != nil:
		if err := r.gather(d.next); err != nil {
			_ = r.fail(ctx, err)
		}
	}
}

// gather sends the fetch after one that gave something. Records keep coming then, and a broker that answers each batch of theirs at once is kept busy
// with answering: it may wait a little for more. An answer without any ends that, and the next record is waited for alone.
func (r *Reader) gather(offset int64) error {
	if cfg := &r.cluster.config; cfg.FetchWait > 0 {
		return r.send(offset, cfg.FetchWait, cfg.FetchBytes/2)
	}
	return r.send(offset, longPoll, 1)
}

// TopicID is the id of the topic that is read, as Kafka's tools write it; "" if it is not known.
func (r *Reader) TopicID() string { return r.id }

// Offset is the next offset to be read.
func (r *Reader) Offset() int64 { return r.decoder.next }

// High is the high watermark, the offset the next record written will get, as the last fetch told. Where Offset has reached it, all is read.
func (r *Reader) High() int64 { return r.high }

// First is the first offset the partition holds, as the last fetch told.
func (r *Reader) First() int64 { return r.first }

// Stats gives the counts so far.
func (r *Reader) Stats() Stats {
	s, d := r.stats, r.decoder.stats
	s.Failing = r.failing
	s.Messages, s.Faults, s.Control, s.Aborted, s.Emptied, s.Rereads = d.Messages, d.Faults, d.Control, d.Aborted, d.Emptied, d.Rereads
	return s
}

// Close ends the connection. What has been read stays the caller's.
func (r *Reader) Close() { r.drop() }

// final tells an error that trying again does not mend.
func final(err error) bool {
	for _, code := range []kafka.Error{kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.TopicAuthorizationFailed, kafka.InvalidTopic} {
		if errors.Is(err, code) {
			return true
		}
	}
	if _, bad := errors.AsType[*OutOfRange](err); bad {
		return true
	}
	if _, other := errors.AsType[*Replaced](err); other {
		return true
	}
	if _, bad := errors.AsType[*tls.CertificateVerificationError](err); bad {
		return true
	}
	// What crypto/tls makes of an alert: the broker does not take our certificate.
	refused, is := errors.AsType[*net.OpError](err)
	return is && refused.Op == "remote error"
}
