package relay

import (
	"context"
	"errors"
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

// Logs opens partitions for reading. Where from is not between the first offset that is kept and the end, the error is an *OutOfRange. id is that of
// the topic that from is an offset of, as Reader told it, and "" if it is not known: where the topic has another one now, the error is a *Replaced.
type Logs interface {
	Open(ctx context.Context, topic, id string, partition int32, from int64) (Reader, error)
}

// Reader reads a partition from where it was opened, in the order of its offsets. Read appends what is there to dst, and returns with nothing
// if nothing comes within wait; the bytes are the caller's. An error may be an *OutOfRange if the reader was overtaken, or a *Replaced. Transient
// failures are retried inside for as long as ctx lives.
type Reader interface {
	Read(ctx context.Context, dst []Stored, wait time.Duration) ([]Stored, error)
	Status() ReaderStatus
	Close()
}

// ReaderStatus is how reading a partition goes.
type ReaderStatus struct {
	Topic   string // The id of the topic that is read; "" where the brokers have none.
	End     int64  // Offset of the record that will be written next, as far as is known.
	Trouble string // Why it cannot be read at present; "": it can.
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
	return fmt.Sprintf("%s ends at offset %d, and the checkpoint is at %d: the topic was made anew or lost its end. %s", where, e.End, e.Offset, howToAccept(e.Topic))
}

// Overtaken reports whether the log begins above the offset: going on at First is possible, and loses what was in between.
func (e *OutOfRange) Overtaken() bool { return e.Offset < e.First }

// Replaced means that a topic is not the one that was read before: it was deleted and made again.
type Replaced struct {
	Topic   string
	Was, Is string // Its ids, as Kafka's tools write them.
}

// Error says what is wrong and what to do.
func (e *Replaced) Error() string {
	return fmt.Sprintf("topic %s was deleted and made again: its id was %s and is %s now. %s", e.Topic, e.Was, e.Is, howToAccept(e.Topic))
}

func howToAccept(topic string) string {
	return fmt.Sprintf("Nothing of it is read until somebody has looked. If the topic as it is now is to be read from its beginning, stop all members "+
		"that read it and run: tocsin topics accept %s", topic)
}

// span is how many records an incarnation of a topic can have.
const span = 1 << 40

// Incarnation is one life of a topic: the id it has, and how often it had been made anew and accepted before. Where a fold stands is counted on over
// all of them: the records of incarnation n have the numbers from n·2⁴⁰ on, so that what follows from a new topic is never taken for what followed
// from the one before.
type Incarnation struct {
	Topic  string // Its id; "": not known.
	Number int    // 0: the first.
}

// at is the number of the record at an offset, and offset the other way round.
func (i Incarnation) at(offset int64) int64   { return int64(i.Number)*span + offset }
func (i Incarnation) offset(next int64) int64 { return next - int64(i.Number)*span }

// Accepted says how often a topic was made anew and somebody decided to read it from its beginning.
type Accepted func(ctx context.Context, topic string) (int, error)

// number is that of the incarnation to read; without Accepted the first.
func (a Accepted) number(ctx context.Context, topic string) (int, error) {
	if a == nil {
		return 0, nil
	}
	return a(ctx, topic)
}

// overtaken is the *OutOfRange of a log that begins above the offset; nil if err is something else.
func overtaken(err error) *OutOfRange {
	if gone, ok := errors.AsType[*OutOfRange](err); ok && gone.Overtaken() {
		return gone
	}
	return nil
}
