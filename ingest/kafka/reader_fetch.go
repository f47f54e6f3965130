package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// fetchVersion is the version of the Fetch request we speak where topics have no ids: the first that carries zstd (Kafka 2.1), the last without choice of a replica, and
// part of every broker since (Kafka 4 speaks 4 to 18).
const fetchVersion = 10

// readCommitted asks for nothing beyond the last stable offset, with the list of the transactions aborted in what is sent.
const readCommitted = 1

// fetchRequest appends a Fetch request for one partition (Kafka protocol guide, "Fetch API", version 10). wait is in milliseconds: how long the
// broker may hold its answer back while there are fewer than least bytes.
func fetchRequest(dst []byte, correlation int32, client, topic string, partition int32, offset int64, wait, least, size int32) []byte {
	be := binary.BigEndian
	text := func(s string) {
		dst = be.AppendUint16(dst, uint16(len(s)))
		dst = append(dst, s...)
	}
	i16 := func(v int16) { dst = be.AppendUint16(dst, uint16(v)) }
	i32 := func(v int32) { dst = be.AppendUint32(dst, uint32(v)) }
	i64 := func(v int64) { dst = be.AppendUint64(dst, uint64(v)) }
	start := len(dst)
	i32(0) // size, filled in below
	i16(int16(protocol.Fetch))
	i16(fetchVersion)
	i32(correlation)
	text(client)
	i32(-1) // replica: none, a consumer
	i32(wait)
	i32(least)
	i32(min(size, math.MaxInt32/2) * 2) // of all partitions: there is one, and its bound is below
	dst = append(dst, readCommitted)
	i32(0)  // session: none
	i32(-1) // session epoch: outside of sessions
	i32(1)  // topics
	text(topic)
	i32(1) // partitions
	i32(partition)
	i32(-1) // leader epoch: not held against the broker's
	i64(offset)
	i64(-1) // log start, of replicas only
	i32(size)
	i32(0) // topics to forget
	be.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// abortedTxn is a transaction whose records, from First on, are void up to its marker.
type abortedTxn struct {
	producer int64
	first    int64
}

// fetched is the answer to a fetch, without its size. records points into the bytes it was parsed from.
type fetched struct {
	code    kafka.Error
	high    int64 // High watermark.
	stable  int64 // Last stable offset: what may be read ends here.
	first   int64 // Log start.
	aborted []abortedTxn
	records []byte
	cut     bool // records ends before the end the broker gave.
}

var errAnswer = errors.New("the broker's answer is not the one to our fetch")

// parseFetched reads the answer to a fetch of one partition. body may be cut behind the head of the record set.
func parseFetched(body []byte, correlation int32, topic string, partition int32) (fetched, error) {
	c := cursor{b: body}
	if got := c.i32(); got != correlation {
		return fetched{}, fmt.Errorf("%w: it carries number %d, not %d", errAnswer, got, correlation)
	}
	c.i32() // throttled for
	out := fetched{code: kafka.Error(c.i16())}
	c.i32() // session
	if out.code != 0 && !c.short {
		return out, nil
	}
	if c.i32() != 1 || string(c.take(int(c.i16()))) != topic || c.i32() != 1 || c.i32() != partition {
		return fetched{}, errAnswer
	}
	out.code = kafka.Error(c.i16())
	out.high, out.stable, out.first = c.i64(), c.i64(), c.i64()
	n := int(c.i32())
	if n > len(c.b)/16 {
		return fetched{}, errAnswer
	}
	for range n {
		out.aborted = append(out.aborted, abortedTxn{producer: c.i64(), first: c.i64()})
	}
	n = max(int(c.i32()), 0)
	if c.short {
		return fetched{}, errAnswer
	}
	out.records, out.cut = c.b[:min(n, len(c.b))], n > len(c.b)
	return out, nil
}

// cursor reads big-endian numbers off the front of b; past its end it reads zeros and says short.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.short, c.b = true, nil
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) i16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) i32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) i64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}
