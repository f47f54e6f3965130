package broker

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Batch is the head of a record batch as it lies on the broker's disk (Kafka protocol, record batch version 2).
type Batch struct {
	First, Last   int64 // The offsets it spans; the log cleaner leaves them as they were when it takes records out.
	Records       int32 // How many are left; 0: the cleaner has emptied it.
	Compression   int   // 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
	Transactional bool
	Control       bool // It holds the marker that ends a transaction.
}

// Batches reads a partition's segments from the disk, in the order of offsets: what a client cannot see, and a test of compaction has to know.
// A batch that is being written just then is left out.
func (b *Broker) Batches(topic string, partition int) []Batch {
	b.t.Helper()
	segments, err := filepath.Glob(filepath.Join(b.folder, "data", topic+"-"+strconv.Itoa(partition), "*.log"))
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(segments) // Named by first offset, all with the same number of digits.
	var batches []Batch
	for _, segment := range segments {
		data, err := os.ReadFile(segment)
		if err != nil {
			continue // Deleted between the two looks: the cleaner has put another in its place.
		}
		batches = appendBatches(batches, data)
	}
	return batches
}

// appendBatches appends the heads of the batches in a segment. Layout: base offset 0..8, length 8..12 (of what follows it), attributes 21..23,
// last offset delta 23..27, count of records 57..61.
func appendBatches(batches []Batch, segment []byte) []Batch {
	const head, beforeLength = 61, 12
	for len(segment) >= head {
		length := beforeLength + int(int32(binary.BigEndian.Uint32(segment[8:])))
		if length < head || length > len(segment) {
			break
		}
		first := int64(binary.BigEndian.Uint64(segment))
		attributes := binary.BigEndian.Uint16(segment[21:])
		batches = append(batches, Batch{
			First: first, Last: first + int64(int32(binary.BigEndian.Uint32(segment[23:]))),
			Records:       int32(binary.BigEndian.Uint32(segment[57:])),
			Compression:   int(attributes & 7),
			Transactional: attributes&(1<<4) != 0,
			Control:       attributes&(1<<5) != 0,
		})
		segment = segment[length:]
	}
	return batches
}
