// Package relay is how the three roles of a scaled-out Tocsin hand work to each other over Kafka.
//
//	ingest ×N ── tocsin.hits ──▶ correlate ×M ── tocsin.findings ──▶ triage ×1 (+ standby)
//
// An ingest member decodes, enriches, stores events and matches them; what satisfied a step of a rule goes as a Frame into the partition of
// tocsin.hits that its rule and join values choose. A correlate member owns partitions of that topic: a partition is the log of its keys, so the
// engine of a partition is a pure fold of its frames, and a checkpoint (state, offset) is a shortcut. What it finds goes as an Announcement
// into the one partition of tocsin.findings, which is the log of triage: incidents are a pure fold of announcements and actions in their order.
//
// Everything here is pure or goes through the small interfaces below; the broker's client and the store are elsewhere.
package relay

import (
	"context"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// Frame is what one ingest batch says to one partition of tocsin.hits: the hits that belong there, what was observed of watched entities,
// and how far event time has come. A frame is folded whole, in the order of its partition.
type Frame struct {
	Member   string // Who sent it; names the process, not the host.
	Received int64  // Our clock at the batch, microseconds.
	Rules    string // Hash of the rules the sender matched by.
	Hits     []event.Hit
	Observed []event.Note // For the register of changes; see event.Note.Stated.
	// Marks are the frontiers of the source partitions the sender owned at the batch, after all its earlier hits: whoever has folded this
	// frame has all the sender's hits up to them. Empty in all but the last frame of a batch that was cut.
	Marks []SentMark
	// Roster names every source with its number of partitions, so that event time waits for those nobody has spoken for yet.
	Roster []Partitions
}

// SentMark is a mark with the generation of the group in which its sender owned the partition: of two that speak for one, the newer wins.
type SentMark struct {
	event.Mark
	Generation int32
}

// Partitions is how many partitions a source has.
type Partitions struct {
	Source string
	Count  int32
}

// Announcement is what the fold of one frame gave, or an analyst's action: one record of tocsin.findings. Findings and notes carry where they
// come from, so that a frame that is folded again after a crash is told from a new one: the reader ignores frames at or before the newest
// it has of that partition, whoever sent them (see Stitching.Take on why the generation does not decide).
type Announcement struct {
	Partition  int32 // Of tocsin.hits; ActionPartition for an action.
	Frame      int64 // Offset of the frame.
	Part       int32 // From 0: what one frame gave is cut where it would be too long for a record.
	Generation int32 // Of the correlate group in which the sender owned the partition.
	Received   int64 // Of the frame; for an action when it was made. Our clock, microseconds.
	Findings   []incident.Finding
	Notes      []event.Note
	Action     *incident.Action
}

// ActionPartition is the Partition of announcements that carry an action.
const ActionPartition = -1

// Message is one record to be sent.
type Message struct {
	Partition int32
	Key       []byte
	Value     []byte
}

// Producer sends messages to a topic, in the order given per partition, and returns once all of them are acknowledged by all replicas in
// sync. It retries for as long as ctx lives.
type Producer interface {
	Produce(ctx context.Context, topic string, messages []Message) error
}
