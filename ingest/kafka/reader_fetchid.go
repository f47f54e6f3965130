package kafka

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// fetchByIDVersion is the first version of the Fetch request that names topics by their ids (KIP-516, Kafka 3.1): a topic that was deleted and made
// again is then another one to the broker as well, however far it has grown, and the fetch is refused.
const fetchByIDVersion = 13

// fetchByIDRequest appends a Fetch request for one partition of the topic with an id (Kafka protocol guide, "Fetch API", version 13); else it is
// fetchRequest.
func fetchByIDRequest(dst []byte, correlation int32, client string, topic [16]byte, partition int32, offset int64, wait, least, size int32) []byte {
	be := binary.BigEndian
	i32 := func(v int32) { dst = be.AppendUint32(dst, uint32(v)) }
	i64 := func(v int64) { dst = be.AppendUint64(dst, uint64(v)) }
	few := func(n int) { dst = binary.AppendUvarint(dst, uint64(n)+1) }
	noTags := func() { dst = append(dst, 0) }
	start := len(dst)
	i32(0) // size, filled in below
	dst = be.AppendUint16(dst, uint16(protocol.Fetch))
	dst = be.AppendUint16(dst, fetchByIDVersion)
	i32(correlation)
	dst = be.AppendUint16(dst, uint16(len(client)))
	dst = append(dst, client...)
	noTags()
	i32(-1) // replica: none, a consumer
	i32(wait)
	i32(least)
	i32(min(size, math.MaxInt32/2) * 2) // of all partitions: there is one, and its bound is below
	dst = append(dst, readCommitted)
	i32(0)  // session: none
	i32(-1) // session epoch: outside of sessions
	few(1)  // topics
	dst = append(dst, topic[:]...)
	few(1) // partitions
	i32(partition)
	i32(-1) // leader epoch: not held against the broker's
	i64(offset)
	i32(-1) // epoch of the last record: of replicas only, as is
	i64(-1) // log start
	i32(size)
	noTags()
	noTags()
	few(0) // topics to forget
	few(0) // rack
	noTags()
	be.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// parseFetchedByID reads the answer to fetchByIDRequest. body may be cut behind the head of the record set.
func parseFetchedByID(body []byte, correlation int32, topic [16]byte, partition int32) (fetched, error) {
	c := cursor{b: body}
	if got := c.i32(); got != correlation {
		return fetched{}, fmt.Errorf("%w: it carries number %d, not %d", errAnswer, got, correlation)
	}
	c.tags()
	c.i32() // throttled for
	out := fetched{code: kafka.Error(c.i16())}
	c.i32() // session
	if out.code != 0 && !c.short {
		return out, nil
	}
	if c.uvarint() != 2 || string(c.take(len(topic))) != string(topic[:]) || c.uvarint() != 2 || c.i32() != partition {
		return fetched{}, errAnswer
	}
	out.code = kafka.Error(c.i16())
	out.high, out.stable, out.first = c.i64(), c.i64(), c.i64()
	c.each(func() {
		out.aborted = append(out.aborted, abortedTxn{producer: c.i64(), first: c.i64()})
		c.tags()
	})
	c.i32() // replica to read from
	n := max(c.uvarint(), 1) - 1
	if c.short || n > math.MaxInt32 {
		return fetched{}, errAnswer
	}
	out.records, out.cut = c.b[:min(int(n), len(c.b))], int(n) > len(c.b)
	return out, nil
}

// idBytes is an id as the protocol has it; ok is false for none.
func idBytes(text string) (id [16]byte, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	return [16]byte(b), true
}
