package kafka

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Topics have ids since Kafka 2.8 (KIP-516): a topic that is deleted and made again gets another one, whatever its offsets are. kafka-go asks for
// versions of the metadata that are too old to have them, so we ask ourselves. Brokers that have none give "", and then only offsets can tell.

// identityVersion is the first version of the Metadata request whose answer has topic ids; part of every broker since.
const identityVersion = 10

// identityNumber is the correlation number of our own requests on a link that kafka-go uses, too: they never overlap.
const identityNumber = 1 << 30

// cookiePrefix marks a topic's id in the cookies of a log, where a source that was a file before has left something else.
const cookiePrefix = "topic="

// cookieOf makes a topic's id one for the log; "" for none.
func cookieOf(id string) string {
	if id == "" {
		return ""
	}
	return cookiePrefix + id
}

// idIn is the topic's id in a cookie; "" for none.
func idIn(cookie string) string {
	id, ok := strings.CutPrefix(cookie, cookiePrefix)
	if !ok {
		return ""
	}
	return id
}

// Replaced says that a topic is not the one that was opened: it was deleted and made again.
type Replaced struct {
	Topic   string
	Was, Is string // Its ids, as Kafka's tools write them.
}

func (e *Replaced) Error() string {
	return fmt.Sprintf("topic %s was deleted and made again: its id was %s and is %s now", e.Topic, e.Was, e.Is)
}

// replaced is an error if both ids are known and differ.
func replaced(topic, was, is string) error {
	if was == "" || is == "" || was == is {
		return nil
	}
	return &Replaced{Topic: topic, Was: was, Is: is}
}

// topicIDs asks the broker for the ids of topics. Topics that do not exist or have none are missing.
func (l *link) topicIDs(ctx context.Context, names ...string) (map[string]string, error) {
	if !l.identifies || len(names) == 0 {
		return nil, nil
	}
	if err := l.raw.SetDeadline(time.Now().Add(l.timeout)); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = l.raw.Close() })
	body, err := l.exchange(identityRequest(nil, identityNumber, l.client, names))
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("ids of topics: %w", err)
	}
	return parseIdentities(body, identityNumber)
}

// exchange sends a request and reads the answer to it, without its size.
func (l *link) exchange(request []byte) ([]byte, error) {
	if _, err := l.raw.Write(request); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(l.raw, head[:]); err != nil {
		return nil, err
	}
	size := int64(int32(binary.BigEndian.Uint32(head[:])))
	if size < 4 || size > l.bound {
		return nil, fmt.Errorf("the broker's answer says it has %d bytes", size)
	}
	body := make([]byte, size)
	_, err := io.ReadFull(l.raw, body)
	return body, err
}

// identityRequest appends a Metadata request that makes no topics (Kafka protocol guide, "Metadata API", version 10).
func identityRequest(dst []byte, correlation int32, client string, names []string) []byte {
	be := binary.BigEndian
	start := len(dst)
	dst = be.AppendUint32(dst, 0) // size, filled in below
	dst = be.AppendUint16(dst, uint16(protocol.Metadata))
	dst = be.AppendUint16(dst, identityVersion)
	dst = be.AppendUint32(dst, uint32(correlation))
	dst = be.AppendUint16(dst, uint16(len(client)))
	dst = append(dst, client...)
	dst = append(dst, 0) // tags of the header
	dst = binary.AppendUvarint(dst, uint64(len(names))+1)
	for _, name := range names {
		dst = append(dst, make([]byte, 16)...) // id: we have the name
		dst = binary.AppendUvarint(dst, uint64(len(name))+1)
		dst = append(dst, name...)
		dst = append(dst, 0) // tags
	}
	// Make no topics, leave operations out, twice; tags.
	dst = append(dst, 0, 0, 0, 0)
	be.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

var errIdentity = errors.New("the broker's answer is not the one to our question for topics")

// parseIdentities reads the ids of topics out of the answer to identityRequest.
func parseIdentities(body []byte, correlation int32) (map[string]string, error) {
	c := cursor{b: body}
	if got := c.i32(); got != correlation {
		return nil, fmt.Errorf("%w: it carries number %d, not %d", errIdentity, got, correlation)
	}
	c.tags()
	c.i32() // throttled for
	c.each(func() {
		c.i32()
		c.compact() // host
		c.i32()
		c.compact() // rack
		c.tags()
	})
	c.compact() // cluster
	c.i32()     // controller
	out := map[string]string{}
	c.each(func() {
		code, name, id := kafka.Error(c.i16()), string(c.compact()), c.take(16)
		c.take(1) // internal
		c.each(c.skipPartition)
		c.i32() // operations
		c.tags()
		if code == 0 || code == kafka.LeaderNotAvailable {
			if text := idText(id); text != "" {
				out[name] = text
			}
		}
	})
	c.i32() // operations
	c.tags()
	if c.short {
		return nil, errIdentity
	}
	return out, nil
}

// idText is an id as Kafka's own tools write it; "" for the one of zeros, which means none.
func idText(id []byte) string {
	if len(id) != 16 || [16]byte(id) == [16]byte{} {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id)
}

func (c *cursor) skipPartition() {
	c.take(2 + 4 + 4 + 4) // error, number, leader, its epoch
	for range 3 {         // replicas, those in sync, those offline
		c.each(func() { c.i32() })
	}
	c.tags()
}

// uvarint reads a number in the encoding of flexible versions.
func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.short, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// compact reads a string; nil for null.
func (c *cursor) compact() []byte {
	n := c.uvarint()
	if n == 0 {
		return nil
	}
	return c.take(int(min(n-1, uint64(len(c.b))+1)))
}

// each reads the elements of an array, as many as there are bytes for.
func (c *cursor) each(element func()) {
	for n := c.uvarint(); n > 1 && !c.short; n-- {
		element()
	}
}

// tags steps over tagged fields.
func (c *cursor) tags() {
	for n := c.uvarint(); n > 0 && !c.short; n-- {
		c.uvarint()
		size := c.uvarint()
		c.take(int(min(size, uint64(len(c.b))+1)))
	}
}
