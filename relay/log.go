package relay

import (
	"context"
	"fmt"
	"time"
)

// The topics of scaled-out Tocsin. Neither is ever compacted: both are logs.
const (
	HitsTopic     = "tocsin.hits"
	FindingsTopic = "tocsin.findings" // One partition, 0.
)

// Stored is one record of a partition.
type Stored struct {
	Offset int64
	Time   int64 // When it was sent, microseconds.
	Value  []byte
}

// Logs opens partitions for reading. Where from is not between the first offset that is kept and the end, the error is an *OutOfRange.
type Logs interface {
	Open(ctx context.Context, topic string, partition int32, from int64) (Reader, error)
}

// Reader reads a partition from where it was opened, in the order of its offsets. Read appends what is there to dst, and returns with nothing
// if nothing comes within wait; the bytes are the caller's. An error may be an *OutOfRange if the reader was overtaken. Transient failures
// are retried inside for as long as ctx lives.
type Reader interface {
	Read(ctx context.Context, dst []Stored, wait time.Duration) ([]Stored, error)
	Close()
}

// OutOfRange means that a partition does not have the offset to be read.
type OutOfRange struct {
	Topic     string
	Partition int32
	Offset    int64 // To be read.
	First     int64 // The oldest that is kept.
	End       int64 // Of the record that will be written next.
}

// Error says what is wrong and what to do.
func (e *OutOfRange) Error() string {
	where := fmt.Sprintf("%s/%d", e.Topic, e.Partition)
	if e.Offset < e.First {
		return fmt.Sprintf("%s begins at offset %d, and %d is to be read: what was in between is gone", where, e.First, e.Offset)
	}
	return fmt.Sprintf("%s ends at offset %d, and the checkpoint is at %d: the topic was made anew or lost its end; bring it back, or remove the checkpoints "+
		"to begin without state", where, e.End, e.Offset)
}

// Overtaken reports whether the log begins above the offset: going on at First is possible, and loses what was in between.
func (e *OutOfRange) Overtaken() bool { return e.Offset < e.First }
